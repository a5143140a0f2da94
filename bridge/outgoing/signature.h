/* How a webhook's receiver knows that a request is from this server, unaltered
 * and recent: `X-Confab-Signature: t=<seconds since 1970>,v1=<hex>`, where hex is
 * HMAC-SHA256 (RFC 2104) of the time, a dot and the body, keyed with the secret. The
 * receiver computes the same, compares in constant time, and refuses times that are
 * too old. While a secret is being replaced there is a `v1=` for each, and one that
 * fits is enough. Pure; any thread. */
#ifndef CONFAB_BRIDGE_OUTGOING_SIGNATURE_H
#define CONFAB_BRIDGE_OUTGOING_SIGNATURE_H

#include <stdint.h>

#include "base/buffer.h"

#define SIGNATURE_SECRETS_MAX 2

/* Appends the header's value. `secrets`: 1 to SIGNATURE_SECRETS_MAX, the newest
 * first; the bytes of a secret as it was shown, its prefix included. */
void signature_put(struct buffer *out, const struct slice *secrets,
                   size_t count, int64_t time_s, struct slice body);

#endif
