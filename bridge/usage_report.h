/* Tells the broker what was read (reads.h), as `$confab/usage`, so that the
 * counts survive a restart and share a window with the writes. */
#ifndef CONFAB_BRIDGE_USAGE_REPORT_H
#define CONFAB_BRIDGE_USAGE_REPORT_H

#include <stdint.h>

struct link;
struct reads;

/* One report for each window that changed; called once a second by the bridge's
 * reporter thread. */
void usage_report(struct reads *rs, struct link *link, int64_t now_us);

#endif
