/* Who may use the endpoints of a token that stands in the path, and what is left
 * of its limits. HTTP threads. */
#ifndef CONFAB_BRIDGE_DOORS_ACCESS_H
#define CONFAB_BRIDGE_DOORS_ACCESS_H

#include "bridge/doors/front.h"

/* What may be done under c->arguments[0], looked up in the store. */
struct access {
    const struct plan *plan; /* the token's, or `local` for a name not yet seen
                                in open mode; never NULL on ACCESS_GRANTED */
    struct usage_row usage;  /* zeros when there is none */
    enum {
        ACCESS_GRANTED,
        ACCESS_MALFORMED,
        ACCESS_UNKNOWN,
        ACCESS_FOREIGN, /* a name that only open mode admits, and the request
                           is not local (locality.h) */
        ACCESS_BROKEN
    } state;
};
/* The plan that applies now to a token with that row; NULL: without one. Never
 * NULL. */
const struct plan *access_plan(const struct config *config,
                               const struct token_row *row);
/* A token that was created on purpose is a secret, and valid wherever a request
 * comes from. */
void access_look_up(const struct call *c, struct store_reader *r,
                    struct access *ret_access);
/* The same in a snapshot of its own; ACCESS_BROKEN where there is none. */
void access_look_up_now(const struct call *c, struct access *ret_access);
/* Answers 400, 401, 403 or 503 unless granted. */
bool access_refused(struct call *c, const struct access *a);
/* In open mode: answers 403 to a request that is not local, without the headers
 * that would let a page read it. false: it is local, or the mode is not open. */
bool foreign_refused(struct call *c);
#define NO_RIGHT "this key has no right to do that"
/* caller_may() for a thing, or filter, of the caller's tenant. */
bool caller_may_below(const struct caller *c, enum caller_action action,
                      struct slice thing);
/* Answers 403 unless c->caller may do that with a thing (or filter) of its
 * tenant. */
bool caller_refused(struct call *c, enum caller_action action,
                    struct slice thing);
/* Sets c->remaining to the writes left. */
void access_writes_left(struct call *c, const struct access *a);

#endif
