/* The credential that a request brings along besides its path. Pure, except for
 * credential_of(), which is for HTTP threads.
 *
 *     Authorization: Bearer sk_…      a key
 *     Authorization: Bearer eyJ…      a JWT
 *     ?key=tk_…                       a ticket, at paths that take tickets
 *     Authorization: Basic …          none: other schemes are for proxies
 *     Authorization: Bearer nonsense  none, as in all earlier versions
 *
 * The scheme is compared without case, and any number of blanks may follow it (RFC
 * 9110 §11.4, RFC 6750 §2.1). */
#ifndef CONFAB_BRIDGE_DOORS_CREDENTIAL_H
#define CONFAB_BRIDGE_DOORS_CREDENTIAL_H

#include <stdbool.h>

#include "base/secret.h"
#include "base/slice.h"
#include "bridge/http/http.h"

/* Bytes for a ticket, decoded. */
#define CREDENTIAL_TICKET_MAX SECRET_SIZE

enum credential {
    CREDENTIAL_NONE,
    CREDENTIAL_KEY,
    CREDENTIAL_JWT,
    CREDENTIAL_TICKET, /* whatever is in ?key= */
    /* More than one: two readers could take different ones. */
    CREDENTIAL_AMBIGUOUS
};

/* What the value of an Authorization header is. *ret_secret is set for KEY and JWT,
 * and points into `value`. Says nothing about whether it is valid. */
enum credential credential_parse(struct slice value, struct slice *ret_secret);

/* Whether a query has `key=`. *ret_ticket: its value, decoded into `text`; empty: it is
 * too long for a ticket, or cannot be decoded. */
bool credential_ticket(struct slice query, char text[CREDENTIAL_TICKET_MAX],
                       struct slice *ret_ticket);

/* What a request has; takes_ticket: `?key=` counts. `text` is for a ticket. */
enum credential credential_of(const struct http_request *q, bool takes_ticket,
                              char text[CREDENTIAL_TICKET_MAX],
                              struct slice *ret_secret);

#endif
