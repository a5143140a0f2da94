/* Tells the broker where the HTTP APIs are, as `$confab/doors`, so that `confab status`
 * shows it, also of a bridge that runs as its own process. The broker forgets it after
 * DOORS_TOLD_US (base/vocabulary.h), so it is repeated. */
#ifndef CONFAB_BRIDGE_DOORS_REPORT_H
#define CONFAB_BRIDGE_DOORS_REPORT_H

#include <stdint.h>

#include "base/slice.h"

struct link;

struct doors_report {
    int64_t due_us; /* monotonic; 0: now */
};

/* Sends `json` if it is due and the link is up. The bridge's reporter thread calls it once
 * a second, and with DOORS_GONE at the end. */
#define DOORS_GONE "{}"
void doors_report(struct doors_report *r, struct link *link, struct slice json,
                  int64_t mono_us);

#endif
