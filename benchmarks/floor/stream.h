/* Coalescing senders: all readers of a topic follow one run of bytes, each at
 * its own position, and one flush sends each of them all that is new in one
 * system call.
 *
 * Threads: a stream and its receivers belong to one worker; chunks are shared
 * by all workers. */
#ifndef CONFAB_BENCHMARKS_FLOOR_STREAM_H
#define CONFAB_BENCHMARKS_FLOOR_STREAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Frames of one batch for one topic. Immutable. */
struct chunk {
    atomic_uint refs;
    char *data; /* owned */
    size_t len;
};
void chunk_unref(struct chunk *c);

struct floor_stream;

struct receiver {
    struct floor_stream *stream; /* NULL: not following one */
    int fd;
    size_t index;   /* in stream->receivers */
    uint64_t chunk; /* number of the chunk to send next */
    size_t offset;  /* what of it is sent */
    bool blocked;   /* the kernel's buffer is full */
};

struct floor_stream {
    struct receiver **receivers;
    size_t count, cap;
    struct chunk **chunks; /* ring of those some receiver still needs */
    size_t ring;           /* its size, a power of two */
    uint64_t first, end;   /* numbers of the chunks held: first..end-1 */
    bool touched;          /* the worker's: waits for its flush */
    struct floor_stream *next_touched;
};

/* The receiver gets everything appended from now on. */
void stream_join(struct floor_stream *s, struct receiver *r, int fd);
void stream_leave(struct receiver *r);

/* Takes the reference. */
void stream_append(struct floor_stream *s, struct chunk *c);

/* Sends one receiver what it has not got; r->blocked tells whether something
 * is left. false: its connection is broken. */
bool receiver_flush(struct receiver *r);

/* The same for all that are not blocked; `broken` is called for those whose
 * connection is, and must make them leave. Drops chunks nobody needs. */
void stream_flush(struct floor_stream *s, void (*broken)(struct receiver *r));

#endif
