/* `$confab/trace`: the lines of base/trace.h that have gathered. */
#ifndef CONFAB_BROKER_ADMIN_TRACE_ANSWER_H
#define CONFAB_BROKER_ADMIN_TRACE_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

/* Follows `token` for `owner` a while longer and appends, as one JSON object (see
 * COMMAND_PREFIX in base/vocabulary.h), lines that were not given yet, about 14 KiB
 * of them at most. false: somebody else follows one. The admin worker's thread. */
bool trace_answer(struct slice token, uint64_t owner, struct buffer *out);

#endif
