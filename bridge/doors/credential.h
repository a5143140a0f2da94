/* The credential that a request brings along besides its path. Pure, except for
 * credential_of(), which is for HTTP threads.
 *
 *     Authorization: Bearer sk_…      a key
 *     Authorization: Bearer eyJ…      a JWT
 *     Authorization: Basic …          none: other schemes are for proxies
 *     Authorization: Bearer nonsense  none, as in all earlier versions
 *
 * The scheme is compared without case, and any number of blanks may follow it (RFC
 * 9110 §11.4, RFC 6750 §2.1). */
#ifndef CONFAB_BRIDGE_DOORS_CREDENTIAL_H
#define CONFAB_BRIDGE_DOORS_CREDENTIAL_H

#include <stdbool.h>

#include "base/slice.h"
#include "bridge/http/http.h"

enum credential {
    CREDENTIAL_NONE,
    CREDENTIAL_KEY,
    CREDENTIAL_JWT,
    /* More than one Authorization line: two readers could take different ones. */
    CREDENTIAL_AMBIGUOUS
};

/* What the value of an Authorization header is. *ret_secret is set for KEY and JWT,
 * and points into `value`. Says nothing about whether it is valid. */
enum credential credential_parse(struct slice value, struct slice *ret_secret);

/* The same for a request. */
enum credential credential_of(const struct http_request *q,
                              struct slice *ret_secret);

#endif
