/* One Server-Sent Events connection that hands every message to the ledger.
 *
 * Frames are parsed as WHATWG HTML §9.2.6 says, as far as servers use it: a
 * `message` event must carry exactly one payload somewhere in its data line
 * (Confab wraps it, nchan does not), `status` and comments are no messages,
 * every other event (`gap`, `session`) ends the program. */
#ifndef CONFAB_BENCHMARKS_LOAD_SSE_READER_H
#define CONFAB_BENCHMARKS_LOAD_SSE_READER_H

#include "benchmarks/load/chunks.h"
#include "benchmarks/load/ledger.h"
#include "benchmarks/load/loop.h"

/* What all readers of a run share. */
struct sse_target {
    const struct sockaddr_in *to;
    const char *host;      /* for the Host header */
    bool ready_on_status;  /* ready with `event: status` (Confab promises that
                              a POST started after it is delivered), else with
                              the first bytes of the stream */
    bool from_start;       /* asks for everything stored, too */
    struct ledger *ledger; /* NULL: nobody publishes, a message is an error */
    unsigned *ready;       /* counts the readers that are */
};

struct sse_reader {
    struct conn conn;
    const struct sse_target *target;
    struct reader_book book; /* the caller's to prepare */
    bool past_head;
    bool ready;
    bool chunked;
    struct chunks chunks;
    struct bytes event; /* the beginning of one that came in several chunks */
    size_t payload_at;  /* where in the data line the last payload began */
};

/* `path` is copied. */
void sse_reader_open(struct sse_reader *r, struct loop *l,
                     const struct sse_target *target, const char *path);

#endif
