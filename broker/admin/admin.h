/* `$confab/<command>`: what administrators may order, as base/vocabulary.h
 * lists it. The body is a msgpack map from strings to strings and unsigned
 * numbers; unknown keys are ignored. */
#ifndef CONFAB_BROKER_ADMIN_ADMIN_H
#define CONFAB_BROKER_ADMIN_ADMIN_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/hub.h"
#include "broker/publish/publish.h"

/* Makes q->command of the PUBLISH. true: submit it, or, where it has become
 * q->roll_call, ask the worker that names. false: it is answered at once, by q->status, q->text and q->result. `name` is what follows the
 * prefix; both are borrowed for the call. */
bool admin_order(struct publish *q, const struct hub *hub, struct slice name,
                 struct slice body, int64_t now_us);

/* q->command has its result: makes q->result of it, JSON. */
void admin_answer(struct publish *q);

#endif
