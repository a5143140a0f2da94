/* Read limits. A token's hourly window is shared with its writes, which the broker
 * counts: the window's start and the writes are in the store's usage row. Reads are
 * granted here, at once, and reported to the broker once a second at most, so that a
 * restart loses no more than the last second's.
 *
 * Tokens without a read limit are not kept here.
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

/* Charges `cost` reads (0: only asks what is left) to the token, if it has that many
 * left. usage: the store's row, just read. */
struct reads_answer reads_charge(struct reads *rs, struct slice token,
                                 const struct plan *plan,
                                 const struct usage_row *usage, unsigned cost,
                                 int64_t now_us);
/* Refunds the reads of a request that failed (5xx). */
void reads_refund(struct reads *rs, struct slice token, unsigned cost);

/* Start of the token's window, 0: none is open. A POST carries it, so that reads and
 * writes share one window. */
int64_t reads_window(struct reads *rs, struct slice token, int64_t now_us);

/* A window with reads that have not been reported to the broker. */
struct reads_change {
    char token[TOKEN_MAX];
    size_t token_len;
    int64_t start_us;
    uint64_t reads;
};
/* Returns up to `max` of them. If a report is lost, the next one for that window
 * includes it. Forgets windows that are over. */
size_t reads_changed(struct reads *rs, struct reads_change *ret_changes,
                     size_t max, int64_t now_us);

#endif
