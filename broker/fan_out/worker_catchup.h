/* For a worker whose mailbox had no room for a batch: it reads the log, from
 * the last message it fanned out to where its batches continue. Events in
 * the lost batches are lost (and counted), except that it looks for tokens
 * that were revoked. */
#ifndef CONFAB_BROKER_FAN_OUT_WORKER_CATCHUP_H
#define CONFAB_BROKER_FAN_OUT_WORKER_CATCHUP_H

#include <stdbool.h>
#include <stdint.h>

struct worker;

/* Starts to read from w->head to the id `to`. */
void worker_catchup_begin(struct worker *w, uint64_t to);
/* Does a part of it. It is complete when w->head has reached w->catchup_to
 * and w->recheck_tokens is false. false: the store failed, try again later. */
bool worker_catchup_step(struct worker *w);

#endif
