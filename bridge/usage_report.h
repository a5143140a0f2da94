/* Reports the counted reads (reads.h) to the broker, as `$confab/usage`, so that the
 * counts survive a restart and share their hourly window with the writes. */
#ifndef CONFAB_BRIDGE_USAGE_REPORT_H
#define CONFAB_BRIDGE_USAGE_REPORT_H

#include <stdint.h>

struct key_uses;
struct link;
struct reads;

/* Sends one report for each window that changed. The bridge's reporter thread calls it
 * once a second. */
void usage_report(struct reads *rs, struct link *link, int64_t now_us);
/* Likewise which keys were used, as `$confab/keys_used`. */
void key_uses_report(struct key_uses *uses, struct link *link, int64_t now_us);

#endif
