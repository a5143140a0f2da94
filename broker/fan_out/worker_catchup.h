/* A worker that was too slow for its mailbox of batches: it reads the log from
 * what it has fanned out last to where the batches go on. Events that were in
 * the lost batches are lost (and counted); of those, revocations are made up
 * for by looking at the tokens. */
#ifndef CONFAB_BROKER_FAN_OUT_WORKER_CATCHUP_H
#define CONFAB_BROKER_FAN_OUT_WORKER_CATCHUP_H

#include <stdbool.h>
#include <stdint.h>

struct worker;

/* From w->head to the id `to`. */
void worker_catchup_begin(struct worker *w, uint64_t to);
/* Some of it; it is over when w->head has reached w->catchup_to and
 * w->recheck_tokens is false. false: the store failed, try again later. */
bool worker_catchup_step(struct worker *w);

#endif
