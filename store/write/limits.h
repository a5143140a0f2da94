/* What a token's plan allows, as arithmetic on its usage row: the hourly window, and the
 * limits on size, things and bytes. Pure; the writer uses it before numbering, and tests
 * call it directly.
 *
 * A token has one window for reads and writes together: an hour from its first counted
 * request (contracts: ThingsChat, rate limits). A window that is over, or lies more than an
 * hour in the future (the clock was set back), is not active and does not count. */
#ifndef CONFAB_STORE_WRITE_LIMITS_H
#define CONFAB_STORE_WRITE_LIMITS_H

#include "base/config.h"
#include "store/command.h"
#include "store/store.h"

#define WINDOW_US INT64_C(3600000000)

bool window_active(const struct usage_row *u, int64_t now_us);
/* Whether the window that began at `start_us` (0: none) is open. One that begins in the
 * future comes from a clock that was ahead: it is over. */
bool window_open(int64_t start_us, int64_t now_us);

/* Writes left in the window, after what was counted; UINT64_MAX: no limit. */
uint64_t writes_left(const struct plan *p, const struct usage_row *u,
                     int64_t now_us);
/* Seconds until the window ends, rounded up, 1 to 3600. */
uint32_t window_ends_in_s(const struct usage_row *u, int64_t now_us);

/* Counts one write. Opens a window if none is active: at `start_us` if the bridge knows an
 * active one (0: it does not), else now. */
void count_write(struct usage_row *u, int64_t now_us, int64_t start_us);

/* Merges what the bridge counted: `reads` so far in its window that began at `start_us`.
 * Counts are absolute, so merging them twice changes nothing. Of two active windows the
 * earlier start is kept. false: nothing new. */
bool merge_reads(struct usage_row *u, int64_t now_us, int64_t start_us,
                 uint64_t reads);

struct message_weight {
    uint64_t payload; /* bytes */
    uint64_t cost;    /* what it adds to usage.bytes (store/write/account.h) */
    bool new_thing;
};

/* The plan's verdict on such a message: RESULT_OK, TOO_LARGE, RATE, THINGS or BYTES. */
enum command_result plan_verdict(const struct plan *p,
                                 const struct usage_row *u, int64_t now_us,
                                 const struct message_weight *weight);

#endif
