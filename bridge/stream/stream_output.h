/* What a stream still has to send: pieces of runs, and runs are whole events
 * one after the other in one piece of memory, shared by every stream that is
 * given the same events in the same turn of the loop. A run may grow while it is
 * being given: segments say how far each stream was given it.
 *
 * Threads: one streamer's. References are counted, not atomically. */
#ifndef CONFAB_BRIDGE_STREAM_STREAM_OUTPUT_H
#define CONFAB_BRIDGE_STREAM_STREAM_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* Where an event of a run ends, and its message's id. RUN_KEPT: no message (the
 * response head, a comment, a session event): never cut off. */
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

/* `held` is charged with the memory until the last reference goes.
 * NULL: out of memory. */
struct run *run_new(size_t *held);
struct run *run_ref(struct run *r);
void run_unref(struct run *r); /* NULL is fine */
/* Adds one event; ids ascend but for RUN_KEPT. r->bytes and r->marks may move.
 * false: out of memory, r unchanged. */
bool run_append(struct run *r, uint64_t id, struct slice event);
/* Offset of the first event whose id is greater than `id`; r->len: none. In a
 * run without RUN_KEPT. */
size_t run_offset_after(const struct run *r, uint64_t id);

struct output_segment {
    struct run *run; /* a reference */
    size_t from, to;
};

/* All zero: empty, no memory held. */
struct output {
    struct output_segment *segments;
    unsigned first, count, cap;
    size_t bytes; /* waiting in all segments */
};

void output_release(struct output *o);
static inline bool output_empty(const struct output *o)
{
    return o->count == 0;
}

/* Adds run[from, to), taking a reference of its own where it does not go on from
 * the end of the last segment. false: out of memory. */
bool output_push(struct output *o, struct run *run, size_t from, size_t to);

enum output_result {
    OUTPUT_EMPTY,   /* all sent, memory given back */
    OUTPUT_BLOCKED, /* the socket takes no more */
    OUTPUT_BROKEN   /* the connection is gone */
};
/* Sends as much as the socket takes, a few hundred KiB at most per call.
 * *ret_sent (bytes) is set in every case. */
enum output_result output_flush(struct output *o, int fd, size_t *ret_sent);

/* Drops every message that has not begun to be sent, so that what remains ends
 * at an event's end. What is no message and in a run by itself (an answer to
 * something) stays. true: something was dropped, and the reader's position is
 * *ret_position: the log is to be read after it. */
bool output_cut(struct output *o, uint64_t *ret_position);

#endif
