/* Read limits. The hourly window of a token is shared with its writes, which
 * the broker counts: its start and the writes stand in the store's usage row.
 * Reads are decided here, at once, and reported to the broker at most once a
 * second, so that they survive a restart but for the last second.
 *
 * Tokens without a read limit cost nothing and are never kept here.
 * Threads: any. */
#ifndef CONFAB_BRIDGE_HTTP_READS_H
#define CONFAB_BRIDGE_HTTP_READS_H

#include "base/config.h"
#include "base/topic.h"
#include "store/store.h"

#define WINDOW_US INT64_C(3600000000)

struct reads;

struct reads *reads_new(void); /* NULL: out of memory */
void reads_free(struct reads *rs);

struct reads_answer {
    bool granted;
    uint64_t remaining;     /* after this one; UINT64_MAX: unlimited */
    uint32_t retry_after_s; /* when not granted; ≥ 1 */
};

/* Charges `cost` reads (0: only asks what is left) to the token if that many
 * are left. usage: the store's row, read just now. */
struct reads_answer reads_charge(struct reads *rs, struct slice token,
                                 const struct plan *plan,
                                 const struct usage_row *usage, unsigned cost,
                                 int64_t now_us);
/* Takes back what a request was charged that came to nothing (5xx). */
void reads_refund(struct reads *rs, struct slice token, unsigned cost);

/* Start of the token's window if one is active here, else 0: goes with a POST
 * so that reads and writes share one window. */
int64_t reads_window(struct reads *rs, struct slice token, int64_t now_us);

/* A window with reads that the broker has not been told of. */
struct reads_change {
    char token[TOKEN_MAX];
    size_t token_len;
    int64_t start_us;
    uint64_t reads;
};
/* Takes up to `max` of them; what is not told the next change tells again.
 * Forgets windows that are over. */
size_t reads_changed(struct reads *rs, struct reads_change *ret_changes,
                     size_t max, int64_t now_us);

#endif
