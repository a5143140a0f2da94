/* What a token's plan allows, as arithmetic on its usage row: the hourly
 * window and the limits on size, things and bytes. Pure; the writer decides
 * with it before numbering, tests call it directly.
 *
 * One window per token for reads and writes together: an hour from its first
 * counted request (contracts: ThingsChat, rate limits). A window that is over,
 * or lies more than an hour in the future (the clock was set back), is not
 * active and counts for nothing. */
#ifndef CONFAB_STORE_WRITE_LIMITS_H
#define CONFAB_STORE_WRITE_LIMITS_H

#include "base/config.h"
#include "store/command.h"
#include "store/store.h"

#define WINDOW_US INT64_C(3600000000)

bool window_active(const struct usage_row *u, int64_t now_us);
/* Whether the window that began at `start_us` (0: none) goes on. One that would
 * begin later than now is left from a clock that was ahead: it is over. */
bool window_open(int64_t start_us, int64_t now_us);

/* Writes left in the window, after what was counted; UINT64_MAX: no limit. */
uint64_t writes_left(const struct plan *p, const struct usage_row *u,
                     int64_t now_us);
/* Seconds until the window ends, rounded up, 1 to 3600. */
uint32_t window_ends_in_s(const struct usage_row *u, int64_t now_us);

/* Counts one write. Opens a window when none is active: at `start_us` when the
 * bridge knows of a running one (0: it does not), else now. */
void count_write(struct usage_row *u, int64_t now_us, int64_t start_us);

/* Merges what the bridge counted: `reads` so far in its window that began at
 * `start_us`. Counts are absolute, so hearing them twice changes nothing. The
 * earlier of two active starts stays. false: nothing new. */
bool merge_reads(struct usage_row *u, int64_t now_us, int64_t start_us,
                 uint64_t reads);

struct message_weight {
    uint64_t payload; /* bytes */
    uint64_t cost;    /* what it adds to usage.bytes (store/write/account.h) */
    bool new_thing;
};

/* RESULT_OK, TOO_LARGE, RATE, THINGS or BYTES for such a message. */
enum command_result plan_verdict(const struct plan *p,
                                 const struct usage_row *u, int64_t now_us,
                                 const struct message_weight *weight);

#endif
