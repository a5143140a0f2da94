/* What a stream still has to send: pieces of runs. A run is a sequence of whole events in
 * one piece of memory, shared by all streams that get the same events in the same turn of
 * the loop. A run may grow while it is being sent: segments say which part of it each
 * stream has got.
 *
 * Threads: one streamer's. References are counted, not atomically. */
#ifndef CONFAB_BRIDGE_STREAM_STREAM_OUTPUT_H
#define CONFAB_BRIDGE_STREAM_STREAM_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* Where an event of a run ends, and its message's id. RUN_KEPT: it is not a message (the
 * response head, a comment, a session event), and is never dropped. */
#define RUN_KEPT 0
struct run_mark {
    uint64_t id;
    size_t end;
};

struct run {
    unsigned refs;
    size_t *held; /* the streamer's account of bytes in runs */
    char *bytes;
    size_t len, cap;
    struct run_mark *marks;
    size_t count, mark_cap;
};

/* Adds the memory that the run takes to *held until its last reference is released.
 * NULL: out of memory. */
struct run *run_new(size_t *held);
struct run *run_ref(struct run *r);
void run_unref(struct run *r); /* NULL is fine */
/* Adds one event; ids ascend, except RUN_KEPT. r->bytes and r->marks may move.
 * false: out of memory, r unchanged. */
bool run_append(struct run *r, uint64_t id, struct slice event);
/* Offset of the first event whose id is greater than `id`; r->len: none. For runs without
 * RUN_KEPT. */
size_t run_offset_after(const struct run *r, uint64_t id);

struct output_segment {
    struct run *run; /* a reference */
    size_t from, to;
};

/* All zero: empty, no memory held. */
struct output {
    struct output_segment *segments;
    unsigned first, count, cap;
    uint32_t bytes; /* waiting in all segments: a few runs' at most */
};

void output_release(struct output *o);
static inline bool output_empty(const struct output *o)
{
    return o->count == 0;
}

/* Adds run[from, to). Takes a reference of its own, unless it continues the last segment.
 * false: out of memory. */
bool output_push(struct output *o, struct run *run, size_t from, size_t to);

enum output_result {
    OUTPUT_EMPTY,   /* everything is sent, the memory is freed */
    OUTPUT_BLOCKED, /* the socket accepts no more */
    OUTPUT_BROKEN   /* the connection is gone */
};
/* Sends as much as the socket accepts, a few hundred KiB at most per call. *ret_sent
 * (bytes) is set in every case. */
enum output_result output_flush(struct output *o, int fd, size_t *ret_sent);

/* Calls `each` for every event that waits; none has been sent in part. */
void output_each(const struct output *o,
                 void (*each)(void *arg, struct slice event), void *arg);

/* Drops every message of which nothing has been sent yet, so that what remains ends with a
 * whole event. Events that are not messages and have a run of their own (an answer)
 * remain. true: something was dropped, and the stream must read the log after
 * *ret_position. */
bool output_cut(struct output *o, uint64_t *ret_position);

#endif
