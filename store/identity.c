#include "store/identity.h"

#include <stdlib.h>

#include "base/jwt.h"
#include "base/plan_limits.h"
#include "base/tenant_setting.h"

static const struct right all_of_tenant[] = {{CALLER_PUBLISH, "#"},
                                             {CALLER_SUBSCRIBE, "#"}};

static const char *error_text(enum identity_error error)
{
    switch (error) {
#define X(name, text)                                                         \
    case IDENTITY_##name: return text;
        IDENTITY_ERRORS(X)
#undef X
    }
    return "unknown";
}

static enum identity_error refuse(struct identity_refusal *refusal,
                                  enum identity_error error)
{
    refusal->error = error;
    refusal->text = error_text(error);
    return error;
}

/* ---- tenant and plan --------------------------------------------------------- */

static enum identity_error look_up_tenant(const struct identity_source *from,
                                          struct slice tenant,
                                          struct token_row *ret_row)
{
    if (!token_valid(tenant))
        return IDENTITY_TENANT;
    switch (store_token(from->reader, tenant, ret_row)) {
    case STORE_OK: break;
    case STORE_NOTFOUND: return IDENTITY_TENANT;
    default: return IDENTITY_STORE;
    }
    if (ret_row->implied) /* nobody created it */
        return IDENTITY_TENANT;
    if (ret_row->revoked_us != 0)
        return IDENTITY_TENANT_REVOKED;
    return ret_row->suspended_us != 0 ? IDENTITY_TENANT_SUSPENDED
                                      : IDENTITY_OK;
}

/* ---- callers ------------------------------------------------------------------ */

/* Shares *caller with the rights of the draft; without any it has those that it has
 * already. */
static const struct caller *share(const struct identity_source *from,
                                  struct caller *caller,
                                  const struct rights_draft *rights,
                                  struct identity_refusal *refusal)
{
    struct rights *block = NULL;

    if (rights->count > 0) {
        block = rights_new(rights);
        if (block == NULL) {
            refuse(refusal, IDENTITY_NOMEM);
            return NULL;
        }
        caller->rights = block->list;
        caller->right_count = block->count;
    }
    const struct caller *shared = caller_share(from->callers, caller);
    free(block);
    if (shared == NULL)
        refuse(refusal, IDENTITY_NOMEM);
    return shared;
}

/* ---- keys --------------------------------------------------------------------- */

static bool has_ended(const struct identity_source *from,
                      const struct key_row *key)
{
    return key->expires_us != 0 && key->expires_us <= from->now_us;
}

/* The caller of a key's row. id, expires_us: of what ends it. */
static const struct caller *caller_of_row(const struct identity_source *from,
                                          const struct key_row *key,
                                          struct slice id, int64_t expires_us,
                                          struct identity_refusal *refusal)
{
    struct rights_draft rights;
    struct token_row tenant;
    struct plan own;

    if (refuse(refusal, look_up_tenant(from, key->tenant, &tenant)) !=
        IDENTITY_OK)
        return NULL;
    struct caller caller = {
        .tenant = key->tenant,
        .key = id,
        .user = key->user.len > 0 ? key->user : slice_of(NULL, 0),
        .plan = key->plan.len > 0
                    ? config_plan_or_default(from->config, key->plan)
                    : config_plan_of(from->config, tenant.plan, tenant.limits,
                                     &own),
        .rights = all_of_tenant,
        .right_count = sizeof(all_of_tenant) / sizeof(all_of_tenant[0]),
        .mounted = key->mounted,
        .mount = key->mount,
        .expires_us = expires_us,
    };
    rights_draft_clear(&rights);
    for (size_t i = 0; i < key->right_count; i++)
        if (rights_add_text(&rights, key->rights[i]) != RIGHT_OK) {
            refuse(refusal, IDENTITY_STORE); /* a damaged row */
            return NULL;
        }
    return share(from, &caller, &rights, refusal);
}

static enum identity_error find_key(const struct identity_source *from,
                                    const unsigned char *hash,
                                    enum identity_error not_found,
                                    struct key_row *ret_key)
{
    switch (store_key(from->reader, hash, ret_key)) {
    case STORE_OK: return IDENTITY_OK;
    case STORE_NOTFOUND: return not_found;
    default: return IDENTITY_STORE;
    }
}

/* Rarely: see KEY_USED_EVERY_US. A clock that was set back does not count. */
static void tell_use(const struct identity_source *from,
                     const unsigned char *hash, int64_t used_us)
{
    if (from->on_key_used != NULL &&
        from->now_us - used_us >= KEY_USED_EVERY_US)
        from->on_key_used(from->on_key_used_arg, hash);
}

const struct caller *identity_of_key(const struct identity_source *from,
                                     struct slice secret,
                                     struct identity_refusal *ret_refusal)
{
    unsigned char hash[SECRET_HASH_BYTES];
    char id[KEY_ID_SIZE];
    struct key_row key;

    secret_hash(secret, hash);
    enum identity_error error = find_key(from, hash, IDENTITY_KEY, &key);
    if (error == IDENTITY_OK && key.kind == SECRET_TICKET)
        error = IDENTITY_TICKET;
    else if (error == IDENTITY_OK && has_ended(from, &key))
        error = IDENTITY_EXPIRED;
    if (refuse(ret_refusal, error) != IDENTITY_OK)
        return NULL;
    key_id_make(hash, id);
    const struct caller *caller =
        caller_of_row(from, &key, slice_str(id), key.expires_us, ret_refusal);
    if (caller != NULL)
        tell_use(from, hash, key.used_us);
    return caller;
}

/* ---- tickets ------------------------------------------------------------------ */

/* When that ends which the ticket was made with, a key or a JWT; 0: never, or it was
 * made with the tenant's own name. */
static enum identity_error end_of_parent(const struct identity_source *from,
                                         const struct key_row *ticket,
                                         int64_t *ret_expires_us)
{
    struct key_row parent;

    *ret_expires_us = ticket->until_us;
    if (ticket->parent.len == 0)
        return ticket->until_us != 0 && ticket->until_us <= from->now_us
                   ? IDENTITY_TICKET_GONE
                   : IDENTITY_OK;
    switch (store_key_by_id(from->reader, ticket->tenant, ticket->parent,
                            &parent)) {
    case STORE_OK: break;
    case STORE_NOTFOUND: return IDENTITY_TICKET_GONE;
    default: return IDENTITY_STORE;
    }
    *ret_expires_us = parent.expires_us;
    return has_ended(from, &parent) ? IDENTITY_TICKET_GONE : IDENTITY_OK;
}

const struct caller *identity_of_ticket(
    const struct identity_source *from, struct slice secret,
    unsigned char ret_hash[SECRET_HASH_BYTES],
    struct identity_refusal *ret_refusal)
{
    enum secret_kind kind;
    struct key_row key;
    int64_t expires_us;

    enum identity_error error =
        secret_parse(secret, &kind) && kind == SECRET_TICKET
            ? IDENTITY_OK
            : IDENTITY_NO_TICKET;
    if (error == IDENTITY_OK) {
        secret_hash(secret, ret_hash);
        error = find_key(from, ret_hash, IDENTITY_TICKET_GONE, &key);
    }
    if (error == IDENTITY_OK &&
        (key.kind != SECRET_TICKET || has_ended(from, &key)))
        error = IDENTITY_TICKET_GONE;
    if (error == IDENTITY_OK)
        error = end_of_parent(from, &key, &expires_us);
    if (refuse(ret_refusal, error) != IDENTITY_OK)
        return NULL;
    return caller_of_row(from, &key, key.parent, expires_us, ret_refusal);
}

/* ---- JWTs --------------------------------------------------------------------- */

/* The tenant's keys that check JWTs. One that was stored and does not hold any more
 * is left out. Returns how many. */
static size_t jwt_keys(const struct tenant_settings *settings,
                       struct jwt_key *ret_keys[2])
{
    size_t count = 0;

    const struct slice secret =
        tenant_setting(settings, tenant_setting_name(TENANT_JWT_SECRET));
    const struct slice pem =
        tenant_setting(settings, tenant_setting_name(TENANT_JWT_PUBLIC_KEY));
    if (secret.len > 0 &&
        jwt_key_new_secret(secret, &ret_keys[count]) == JWT_KEY_OK)
        count++;
    if (pem.len > 0 && jwt_key_new_public(pem, &ret_keys[count]) == JWT_KEY_OK)
        count++;
    return count;
}

/* The settings that the verdict on a JWT follows from. */
static const enum tenant_setting jwt_rules[] = {TENANT_JWT_SECRET,
                                                TENANT_JWT_PUBLIC_KEY,
                                                TENANT_JWT_AUDIENCE,
                                                TENANT_JWT_REQUIRE_EXP};
#define JWT_RULES (sizeof(jwt_rules) / sizeof(jwt_rules[0]))

/* A JWT, and what it is looked at with. */
struct jwt_question {
    const struct identity_source *from;
    struct slice tenant, jwt;
    const struct plan *plan;
    struct tenant_settings settings;
    struct jwt_memo_name name; /* where there is a memo */
    struct jwt_refusal why;    /* of IDENTITY_JWT */
};

static struct slice jwt_setting(const struct jwt_question *q,
                                enum tenant_setting s)
{
    return tenant_setting(&q->settings, tenant_setting_name(s));
}

/* NULL: it is to be verified. */
static const struct caller *recall_jwt(struct jwt_question *q)
{
    struct slice rules[JWT_RULES];

    if (q->from->jwts == NULL || q->jwt.len > JWT_MAX)
        return NULL;
    for (size_t i = 0; i < JWT_RULES; i++)
        rules[i] = jwt_setting(q, jwt_rules[i]);
    jwt_memo_name(q->from->jwts, q->tenant, rules, JWT_RULES, q->jwt,
                  &q->name);
    return jwt_memo_find(q->from->jwts, q->tenant, &q->name, q->plan,
                         q->from->now_us);
}

static enum identity_error verify_jwt(struct jwt_question *q,
                                      struct jwt_claims *ret_claims)
{
    struct jwt_key *keys[2];

    const struct jwt_rules rules = {
        .now_us = q->from->now_us,
        .audience = jwt_setting(q, TENANT_JWT_AUDIENCE),
        .exp_optional =
            slice_eq(jwt_setting(q, TENANT_JWT_REQUIRE_EXP), slice_str("no")),
    };
    const size_t count = jwt_keys(&q->settings, keys);
    const bool good =
        count > 0 && jwt_verify(q->jwt, (const struct jwt_key *const *)keys,
                                count, &rules, ret_claims, &q->why);
    for (size_t i = 0; i < count; i++)
        jwt_key_free(keys[i]);
    if (count == 0)
        return IDENTITY_JWT_KEYS;
    if (!good)
        return IDENTITY_JWT;
    if (ret_claims->tenant[0] != '\0' &&
        !slice_eq(slice_str(ret_claims->tenant), q->tenant))
        return IDENTITY_JWT_TENANT;
    return ret_claims->has_rights ? IDENTITY_OK : IDENTITY_JWT_RIGHTS;
}

static const struct caller *share_claims(const struct jwt_question *q,
                                         const struct jwt_claims *claims,
                                         struct identity_refusal *refusal)
{
    struct caller caller = {
        .tenant = q->tenant,
        .key = slice_str(IDENTITY_KEY_OF_JWT),
        .user = claims->subject[0] != '\0' ? slice_str(claims->subject)
                                           : slice_of(NULL, 0),
        .plan = q->plan,
        .mounted = claims->has_mount,
        .mount = slice_str(claims->mount),
        .expires_us = claims->expires_us == INT64_MAX
                          ? 0 /* jwt.require_exp = no */
                          : claims->expires_us + JWT_SKEW_US,
    };
    const struct caller *shared =
        share(q->from, &caller, &claims->rights, refusal);
    if (shared != NULL && q->from->jwts != NULL)
        jwt_memo_add(q->from->jwts, &q->name, shared,
                     claims->not_before_us - JWT_SKEW_US);
    return shared;
}

static const struct caller *caller_of_jwt(struct jwt_question *q,
                                          struct identity_refusal *refusal)
{
    struct jwt_claims claims;

    const struct caller *caller = recall_jwt(q);
    if (caller != NULL)
        return caller;
    const enum identity_error error = refuse(refusal, verify_jwt(q, &claims));
    if (error == IDENTITY_JWT)
        refusal->text = jwt_refusal_text(&q->why);
    return error == IDENTITY_OK ? share_claims(q, &claims, refusal) : NULL;
}

const struct caller *identity_of_jwt(const struct identity_source *from,
                                     struct slice tenant, struct slice jwt,
                                     struct identity_refusal *ret_refusal)
{
    struct jwt_question q = {.from = from, .tenant = tenant, .jwt = jwt};
    struct token_row row;
    struct plan own;

    enum identity_error error = look_up_tenant(from, tenant, &row);
    if (error != IDENTITY_OK && error != IDENTITY_STORE && from->jwts != NULL)
        jwt_memo_forget(from->jwts, tenant);
    if (error == IDENTITY_OK &&
        store_tenant_settings(from->reader, tenant, &q.settings) != STORE_OK)
        error = IDENTITY_JWT_KEYS;
    if (refuse(ret_refusal, error) != IDENTITY_OK)
        return NULL;
    q.plan = config_plan_of(from->config, row.plan, row.limits, &own);
    return caller_of_jwt(&q, ret_refusal);
}
