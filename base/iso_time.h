/* Times as text, as in RFC 3339, in UTC. Any thread. */
#ifndef CONFAB_BASE_ISO_TIME_H
#define CONFAB_BASE_ISO_TIME_H

#include <stdint.h>

#include "base/buffer.h"

/* `2026-11-21T06:32:17.123Z` from microseconds since 1970; `digits` of the
 * fraction is 3 or 6. */
void buffer_put_time(struct buffer *b, int64_t at_us, int digits);

#endif
