/* Parsing the body of `POST /{tenant}/keys` and `POST /{tenant}/tickets`. Pure;
 * docs/http.md says what the members mean.
 *
 *   {"publish":["a/#"],"subscribe":["#"],"manage":[],"admin":false,
 *    "label":"…","kind":"device","user":"…","mount":"home","plan":"…",
 *    "expires_in":3600} */
#ifndef CONFAB_BRIDGE_DOORS_THINGSCHAT_KEY_REQUEST_H
#define CONFAB_BRIDGE_DOORS_THINGSCHAT_KEY_REQUEST_H

#include "base/buffer.h"
#include "base/right.h"
#include "base/secret.h"

#define KEY_REQUEST_MAX 16384                   /* bytes of a body */
#define KEY_EXPIRES_IN_MAX UINT64_C(3153600000) /* s, 100 years */

struct key_request {
    enum secret_kind kind;
    struct slice label, user, mount, plan; /* empty: none */
    bool mounted;
    bool expires;
    uint64_t expires_in_s; /* if it expires; at least 1 */
    struct rights_draft rights;

    char error[160];    /* what is wrong; "": nothing */
    struct buffer text; /* decoded; the slices above point into it */
    unsigned seen;      /* private */
    bool lists_rights;  /* private: a list was there, which may be empty */
};

/* Reads a body that json_check() has accepted as an object, or an empty one. ticket: it
 * may have rights and expires_in only. Release *k in any case. false: k->error says
 * what is wrong. */
bool key_request_read(struct key_request *k, struct slice body, bool ticket);
void key_request_release(struct key_request *k);

#endif
