/* Who may use the endpoints of the tenant in a path: whoever has a key or JWT of it in
 * `Authorization: Bearer`; without that, whoever knows the token that the path names.
 * Also what is left of its limits. HTTP threads. */
#ifndef CONFAB_BRIDGE_DOORS_ACCESS_H
#define CONFAB_BRIDGE_DOORS_ACCESS_H

#include "bridge/doors/front.h"

/* What the store says about the tenant c->arguments[0] and the request's key. */
struct access {
    const struct plan
        *plan;              /* the key's, or the token's, or `local` for a name
                                not yet seen in open mode; never NULL on
                                ACCESS_GRANTED. Valid as long as the call: of a
                                tenant with own limits it is c->own_plan */
    struct usage_row usage; /* of the tenant; zeros when it has no row */
    const char *why; /* ACCESS_BAD_KEY, _NO_TICKET: static, for the client */
    enum {
        ACCESS_GRANTED,
        ACCESS_MALFORMED,
        ACCESS_AMBIGUOUS, /* several credentials */
        ACCESS_UNKNOWN,
        ACCESS_KEYLESS, /* a tenant whose name opens nothing, without a key */
        ACCESS_BAD_KEY,
        ACCESS_NO_TICKET, /* something else as ?key= */
        ACCESS_ELSEWHERE, /* the key is another tenant's */
        ACCESS_FOREIGN, /* only open mode admits this name, and the request is
                           not local (locality.h) */
        ACCESS_SUSPENDED,
        ACCESS_RESERVED, /* open mode admits any name but those that doors
                            have paths for (base/reserved_name.h) */
        ACCESS_BROKEN
    } state;
};
/* The plan that applies now to a token with this row; NULL: a token without a row. With
 * own limits it is *ret_own. Never returns NULL. */
const struct plan *access_plan(const struct config *config,
                               const struct token_row *row,
                               struct plan *ret_own);
/* Looks up the key or token, and sets c->caller and c->identity; may be called again to
 * learn what has changed. A token that was created on purpose is a secret, and, like a
 * key, valid wherever a request comes from.
 *
 * Of a ticket it says whether it is valid, and sets c->has_ticket; once everything else
 * about the request is right, the route takes the ticket, sets c->ticket_taken, and is
 * granted the same again. */
void access_look_up(struct call *c, struct store_reader *r,
                    struct access *ret_access);
/* The same in a snapshot of its own; ACCESS_BROKEN when there is none to be had. */
void access_look_up_now(struct call *c, struct access *ret_access);
/* false: granted. true: refused, and answered with 400, 401, 403 or 503. */
bool access_refused(struct call *c, const struct access *a);
/* Answers with 401: the ticket is not there any more. */
void access_refuse_ticket(struct call *c);
/* true: the server is in open mode and the request is not local; answered with 403,
 * without the headers that would let a page read the answer. */
bool foreign_refused(struct call *c);
#define NO_RIGHT "this key has no right to do that"
/* caller_may() for a thing, or a filter, of the caller's tenant. */
bool caller_may_below(const struct caller *c, enum caller_action action,
                      struct slice thing);
/* true: c->caller may not do that with a thing (or filter) of its tenant; answered
 * with 403. */
bool caller_refused(struct call *c, enum caller_action action,
                    struct slice thing);
/* What a client is told of a request that was never sent: LINK_AWAY, LINK_FULL. */
const char *not_sent_text(enum link_outcome outcome);
/* Sets c->remaining to the writes that are left. */
void access_writes_left(struct call *c, const struct access *a);

#endif
