#include "bridge/doors/access.h"

#include "base/callers.h"
#include "base/clock.h"
#include "base/plan_limits.h"
#include "base/reserved_name.h"
#include "bridge/counters/key_uses.h"
#include "bridge/doors/credential.h"
#include "bridge/doors/origins.h"
#include "bridge/http/locality.h"
#include "bridge/http/reads.h"
#include "store/identity.h"
#include "store/write/limits.h"

static bool is_open(const struct call *c)
{
    return c->front->config->tokens_access == ACCESS_OPEN;
}

/* A name in open mode that nobody has created as a token. */
static void look_up_open_name(const struct call *c, struct access *a)
{
    if (!is_open(c))
        a->state = ACCESS_UNKNOWN;
    else if (why_not_local(c->q) != NULL)
        a->state = ACCESS_FOREIGN;
}

/* Any name serves in open mode, unless a door has, or will have, such paths. What is in
 * the store already keeps its name. */
static void look_up_new_name(const struct call *c, struct access *a)
{
    look_up_open_name(c, a);
    if (a->state == ACCESS_GRANTED && name_is_reserved(c->arguments[0]))
        a->state = ACCESS_RESERVED;
}

const struct plan *access_plan(const struct config *config,
                               const struct token_row *row,
                               struct plan *ret_own)
{
    return row == NULL
               ? config_plan_or_default(config, slice_str("local"))
               : config_plan_of(config, row->plan, row->limits, ret_own);
}

/* A caller's own plan is gone with the caller, whom looking up again replaces. */
static const struct plan *plan_of_identity(struct call *c)
{
    const struct plan *plan = c->identity->plan;

    if (plan->own == 0)
        return plan;
    c->own_plan = *plan;
    return &c->own_plan;
}

/* ---- who the path names ------------------------------------------------------ */

static void look_up_path(struct call *c, struct store_reader *r,
                         struct access *a)
{
    const struct config *config = c->front->config;
    const struct slice token = c->arguments[0];
    struct token_row row;

    c->caller = caller_of_token(token, NULL);
    switch (store_token(r, token, &row)) {
    case STORE_OK:
        if (row.revoked_us != 0)
            a->state = ACCESS_UNKNOWN;
        else if (row.named) /* its name is no secret */
            a->state = ACCESS_KEYLESS;
        else if (row.suspended_us != 0)
            a->state = ACCESS_SUSPENDED;
        else if (row.implied)
            look_up_open_name(c, a);
        a->plan = access_plan(config, &row, &c->own_plan);
        break;
    case STORE_NOTFOUND:
        look_up_new_name(c, a);
        a->plan = access_plan(config, NULL, &c->own_plan);
        break;
    default: a->state = ACCESS_BROKEN;
    }
}

/* ---- who a key or JWT is ----------------------------------------------------- */

static void refuse_identity(struct access *a,
                            const struct identity_refusal *refusal)
{
    a->why = refusal->text;
    switch (refusal->error) {
    case IDENTITY_TENANT_SUSPENDED: a->state = ACCESS_SUSPENDED; break;
    case IDENTITY_JWT_TENANT: a->state = ACCESS_ELSEWHERE; break;
    case IDENTITY_NO_TICKET: a->state = ACCESS_NO_TICKET; break;
    case IDENTITY_STORE:
    case IDENTITY_NOMEM: a->state = ACCESS_BROKEN; break;
    default: a->state = ACCESS_BAD_KEY;
    }
}

/* Takes the reference. */
static void take_identity(struct call *c, const struct caller *identity)
{
    caller_unref(c->identity);
    c->identity = identity;
    c->caller = *identity;
}

static void note_key_use(void *arg,
                         const unsigned char hash[SECRET_HASH_BYTES])
{
    key_uses_add(arg, hash);
}

static void look_up_identity(struct call *c, struct store_reader *r,
                             enum credential credential, struct slice secret,
                             struct access *a)
{
    const struct identity_source from = {
        .callers = c->front->callers,
        .jwts = c->front->jwts,
        .config = c->front->config,
        .reader = r,
        .now_us = clock_real_us(),
        .on_key_used = note_key_use,
        .on_key_used_arg = c->front->key_uses,
    };
    struct identity_refusal refusal;
    const struct caller *identity;
    unsigned char hash[SECRET_HASH_BYTES];

    switch (credential) {
    case CREDENTIAL_JWT:
        identity = identity_of_jwt(&from, c->arguments[0], secret, &refusal);
        break;
    case CREDENTIAL_TICKET:
        identity = identity_of_ticket(&from, secret, hash, &refusal);
        break;
    default: identity = identity_of_key(&from, secret, &refusal);
    }

    if (identity == NULL) {
        refuse_identity(a, &refusal);
        return;
    }
    take_identity(c, identity);
    a->plan = plan_of_identity(c);
    if (!slice_eq(identity->tenant, c->arguments[0]))
        a->state = ACCESS_ELSEWHERE;
}

/* ---- looking up -------------------------------------------------------------- */

void access_look_up(struct call *c, struct store_reader *r,
                    struct access *ret_access)
{
    const struct slice token = c->arguments[0];
    struct access *a = ret_access;
    char ticket[SECRET_SIZE];
    struct slice secret;

    *a = (struct access){.state = ACCESS_GRANTED};
    if (!token_valid(token)) {
        a->state = ACCESS_MALFORMED;
        return;
    }
    origin_look_up(c, r);
    if (c->ticket_taken) { /* its row is gone */
        a->plan = plan_of_identity(c);
        return;
    }
    const enum credential credential =
        credential_of(c->q, (c->flags & ROUTE_TICKETS) != 0, ticket, &secret);
    c->has_ticket = credential == CREDENTIAL_TICKET;
    if (credential == CREDENTIAL_AMBIGUOUS)
        a->state = ACCESS_AMBIGUOUS;
    else if (credential == CREDENTIAL_NONE)
        look_up_path(c, r, a);
    else
        look_up_identity(c, r, credential, secret, a);
    if (a->state == ACCESS_GRANTED &&
        (a->plan->writes_per_hour != 0 || a->plan->reads_per_hour != 0))
        store_usage(r, token, &a->usage); /* without a row it stays zero */
}

void access_look_up_now(struct call *c, struct access *ret_access)
{
    struct store_reader *r;

    if (store_snapshot(c->front->store, &r) != STORE_OK) {
        *ret_access = (struct access){.state = ACCESS_BROKEN};
        return;
    }
    access_look_up(c, r, ret_access);
    store_reader_release(r);
}

bool foreign_refused(struct call *c)
{
    const char *why = is_open(c) ? why_not_local(c->q) : NULL;

    if (why == NULL)
        return false;
    c->hides_headers = true;
    answer_error(
        c, 403,
        "this request is not local (%s), and this server is open to "
        "everybody on its machine: set tokens.access = registered and "
        "use a token from `confab token create`",
        why);
    return true;
}

/* RFC 6750 §3: each 401 says how to authenticate, and what is wrong with the
 * credential if there was one. */
#define CHALLENGE "Bearer realm=\"confab\""

static void challenge_caller(struct call *c, const char *challenge)
{
    http_add_header(c->q, "WWW-Authenticate", challenge);
}

bool access_refused(struct call *c, const struct access *a)
{
    switch (a->state) {
    case ACCESS_GRANTED: return false;
    case ACCESS_MALFORMED:
        answer_error(c, 400, "token: 1 to 64 of A-Z a-z 0-9 _ -");
        return true;
    case ACCESS_AMBIGUOUS:
        answer_error(c, 400,
                     "send one credential: one line of Authorization, or a "
                     "ticket as ?key=");
        return true;
    case ACCESS_NO_TICKET: answer_error(c, 400, "%s", a->why); return true;
    case ACCESS_KEYLESS:
        challenge_caller(c, CHALLENGE);
        answer_error(c, 401,
                     "this tenant's name alone gives no access: send one of "
                     "its keys as Authorization: Bearer KEY");
        return true;
    case ACCESS_BAD_KEY:
        challenge_caller(c, CHALLENGE ", error=\"invalid_token\"");
        answer_error(c, 401, "%s", a->why);
        return true;
    case ACCESS_ELSEWHERE:
        answer_error(c, 403,
                     "this key belongs to another tenant than the one in "
                     "the path");
        return true;
    case ACCESS_UNKNOWN:
        challenge_caller(c, CHALLENGE);
        answer_error(c, 401,
                     "unknown or revoked token: create one on the home "
                     "page or with confab token create");
        return true;
    case ACCESS_FOREIGN: return foreign_refused(c);
    case ACCESS_SUSPENDED:
        answer_error(c, 403,
                     "this tenant is suspended: ask who runs the server");
        return true;
    case ACCESS_RESERVED:
        answer_error(c, 400, "token: " NAME_RESERVED_TEXT);
        return true;
    case ACCESS_BROKEN: break;
    }
    http_add_header(c->q, "Retry-After", "1");
    answer_error(c, 503, "the store cannot be read: retry later");
    return true;
}

void access_refuse_ticket(struct call *c)
{
    challenge_caller(c, CHALLENGE ", error=\"invalid_token\"");
    answer_error(c, 401,
                 "unknown ticket: it was used, has expired, or the key that "
                 "it was made with is gone");
}

bool caller_may_below(const struct caller *c, enum caller_action action,
                      struct slice thing)
{
    char topic[TOKEN_MAX + 1 + THING_MAX];

    if (c->tenant.len > TOKEN_MAX || thing.len > THING_MAX)
        return false;
    memcpy(topic, c->tenant.data, c->tenant.len);
    topic[c->tenant.len] = '/';
    memcpy(topic + c->tenant.len + 1, thing.data, thing.len);
    return caller_may(c, action,
                      slice_of(topic, c->tenant.len + 1 + thing.len));
}

bool caller_refused(struct call *c, enum caller_action action,
                    struct slice thing)
{
    if (caller_may_below(&c->caller, action, thing))
        return false;
    if (c->identity != NULL)
        challenge_caller(c, CHALLENGE ", error=\"insufficient_scope\"");
    answer_error(c, 403, NO_RIGHT);
    return true;
}

const char *not_sent_text(enum link_outcome outcome)
{
    return outcome == LINK_FULL
               ? "queue full: too many messages of this token, or of all, wait "
                 "for the broker; nothing was stored: retry later"
               : "broker away, nothing was stored: retry";
}

void access_writes_left(struct call *c, const struct access *a)
{
    const uint64_t limit = a->plan->writes_per_hour;
    const struct usage_row *u = &a->usage;

    c->remaining = UINT64_MAX;
    if (limit == 0)
        return;
    c->remaining = limit;
    if (window_active(u, clock_real_us()))
        c->remaining = u->writes < limit ? limit - u->writes : 0;
}
