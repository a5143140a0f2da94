/* Following the messages of one token through the process, for an administrator:
 * every hop (base/hops.h) writes a line into a ring of its thread, and one thread
 * drains all rings.
 *
 * Off, a hop costs one relaxed load. On, a hop of another token costs a hash of its
 * name. A ring that is full drops its newest lines, which are counted: tracing
 * never waits.
 *
 * Threads: trace_record() any. trace_keep(), trace_next() and trace_take_dropped()
 * one: the broker's admin worker. The rings live as long as the process.
 * Secrets:  payloads are never looked at; the token is kept as a hash. */
#ifndef CONFAB_BASE_TRACE_H
#define CONFAB_BASE_TRACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* X(NAME, word, who): `who` is what the line's number is of. */
#define TRACE_HOPS(X)                                                         \
    X(READ, "read", "connection")                                             \
    X(SUBMIT, "submit", "worker")                                             \
    X(COMMIT, "commit", "writer")                                             \
    X(BATCH, "batch", "worker")                                               \
    X(DELIVER, "deliver", "connection")                                       \
    X(SEND, "send", "connection")                                             \
    X(SUSPEND, "suspend", "http")                                             \
    X(RESUME, "resume", "http")                                               \
    X(STREAM_DELIVER, "deliver", "streams")                                   \
    X(STREAM_SEND, "send", "stream")

enum trace_hop {
#define X(name, word, who) TRACE_##name,
    TRACE_HOPS(X)
#undef X
};

#define TRACE_THING_MAX 64 /* bytes of a thing's name that are kept */

struct trace_line {
    int64_t at_us, mono_us;
    uint64_t who; /* number of the connection, worker, stream … */
    uint64_t id;  /* of the log; 0: it has none yet */
    uint64_t ref; /* what is under one ref before it has an id is one message;
                            0: none */
    uint64_t bytes;      /* of the payload; of a send, all that was written */
    uint64_t token_hash; /* private */
    uint8_t hop;         /* enum trace_hop */
    uint8_t thing_len;
    char thing[TRACE_THING_MAX];
};

extern _Atomic uint64_t trace_token; /* private; 0: off */

static inline bool trace_is_on(void)
{
    return atomic_load_explicit(&trace_token, memory_order_relaxed) != 0;
}

/* If `topic` (`<token>/<thing>`, or a token alone) is of the token that is
 * followed. */
void trace_record(enum trace_hop hop, uint64_t who, struct slice topic,
                  uint64_t id, uint64_t ref, uint64_t bytes);

/* Calls of trace_record() since the start: none is made while nobody traces. */
uint64_t trace_calls(void);

/* Follows `token` until TRACE_LEASE_US from now; `owner` (not 0) says who asks.
 * false: somebody else follows one. */
#define TRACE_LEASE_US INT64_C(3000000)
bool trace_keep(struct slice token, uint64_t owner, int64_t mono_us);
/* The oldest line of one of the threads since `owner` first asked. false: none is
 * left. Lines of one thread come in order. */
bool trace_next(struct trace_line *ret_line);
/* Lines dropped since the last call. */
uint64_t trace_take_dropped(void);

/* A bridge starts in this process: its hops are among the lines. Any thread. */
void trace_declare_bridge(void);
bool trace_has_bridge(void);

const char *trace_hop_word(enum trace_hop hop);
const char *trace_hop_who(enum trace_hop hop);

#endif
