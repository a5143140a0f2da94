/* How a worker goes through committed batches: those in its mailbox in
 * order, and messages from the log instead of batches that the mailbox had
 * no room for. */
#ifndef CONFAB_BROKER_FAN_OUT_FAN_OUT_H
#define CONFAB_BROKER_FAN_OUT_FAN_OUT_H

#include <stdbool.h>
#include <stdint.h>

struct worker;

/* Fans out everything that waits, or as much as `limit_us` since the
 * beginning of the turn allows (0: no limit). true: more is waiting. */
bool fan_out_turn(struct worker *w, int64_t limit_us);

#endif
