/* A worker's way through the committed batches: those in its mailbox in order,
 * and the log instead of those the mailbox had no room for. */
#ifndef CONFAB_BROKER_FAN_OUT_FAN_OUT_H
#define CONFAB_BROKER_FAN_OUT_FAN_OUT_H

#include <stdbool.h>
#include <stdint.h>

struct worker;

/* Fans out everything that waits, or as much as `limit_us` allows since the
 * turn began (0: no limit). true: more is waiting. */
bool fan_out_turn(struct worker *w, int64_t limit_us);

#endif
