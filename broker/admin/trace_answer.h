/* `$confab/trace`: the lines collected by base/trace.h. */
#ifndef CONFAB_BROKER_ADMIN_TRACE_ANSWER_H
#define CONFAB_BROKER_ADMIN_TRACE_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

/* Keeps the trace of `token` going for `owner`, and appends, as one JSON
 * object (see COMMAND_PREFIX in base/vocabulary.h), the lines not returned
 * yet, about 14 KiB at most. false: another owner is tracing. Call it in the
 * admin worker's thread. */
bool trace_answer(struct slice token, uint64_t owner, struct buffer *out);

#endif
