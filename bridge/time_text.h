/* Times in queries. Pure. */
#ifndef CONFAB_BRIDGE_TIME_TEXT_H
#define CONFAB_BRIDGE_TIME_TEXT_H

#include <stdbool.h>
#include <stdint.h>

/* ISO 8601 (`2026-11-21`, `2026-11-21T06:32`, `…:17`, `…:17.123456`, then
 * nothing or Z for UTC, or ±hh:mm; a blank stands for the + that queries turn
 * into one) or milliseconds since 1970. Microseconds since 1970. */
bool time_parse(const char *text, int64_t *ret_us);

#endif
