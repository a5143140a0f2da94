/* What GET history must answer. Pure but for its end: a wrong body ends the
 * program. */
#ifndef CONFAB_BENCHMARKS_LOAD_HISTORY_BODY_H
#define CONFAB_BENCHMARKS_LOAD_HISTORY_BODY_H

#include "benchmarks/wire/payload.h"

/* `body` is an array of exactly `count` rows, newest first, with decreasing
 * ids; their payloads are those of source 0, dated 0, numbered downwards from
 * `newest`. `*payload_at` is kept from call to call: where payloads begin. */
void history_body_check(const struct payload_format *f, const char *body,
                        size_t len, uint32_t newest, unsigned count,
                        size_t *payload_at);

#endif
