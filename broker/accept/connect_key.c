#include "broker/accept/connect_key.h"

#include <stdlib.h>
#include <string.h>

#include "broker/client/shard.h"
#include "broker/publish/publish.h"
#include "broker/wire/reason.h"
#include "store/command/key.h"
#include "store/identity.h"

static bool is_key(struct slice password)
{
    enum secret_kind kind;

    return secret_parse(password, &kind);
}

bool connect_has_key(const struct packet_connect *p)
{
    return is_key(p->password) || secret_is_like_jwt(p->password);
}

struct slice connect_key_tenant(const struct hub *hub,
                                const struct packet_connect *p,
                                char room[TOKEN_MAX])
{
    unsigned char hash[SECRET_HASH_BYTES];
    struct slice tenant = slice_of(NULL, 0);
    struct store_reader *r;
    struct key_row key;

    if (p->user_name.data != NULL || !is_key(p->password))
        return p->user_name;
    secret_hash(p->password, hash);
    if (store_snapshot(hub->store, &r) != STORE_OK)
        return tenant;
    if (store_key(r, hash, &key) == STORE_OK && key.tenant.len <= TOKEN_MAX) {
        memcpy(room, key.tenant.data, key.tenant.len);
        tenant = slice_of(room, key.tenant.len);
    }
    store_reader_release(r);
    return tenant;
}

static uint8_t reason_of(enum identity_error error)
{
    switch (error) {
    case IDENTITY_TENANT_SUSPENDED: return REASON_BANNED;
    case IDENTITY_JWT_RIGHTS: return REASON_NOT_AUTHORIZED;
    case IDENTITY_STORE: return REASON_SERVER_UNAVAILABLE;
    case IDENTITY_NOMEM: return REASON_SERVER_BUSY;
    default: return REASON_BAD_CREDENTIALS;
    }
}

/* ---- when it was used -------------------------------------------------------- */

struct key_use {
    struct keys_used args;
    unsigned char hash[SECRET_HASH_BYTES];
};

static void key_use_saved(struct worker *w, struct publish *q)
{
    publish_free(w, q);
}

/* At most once an hour for a key, until it is on disk for each CONNECT. If memory is
 * short, the next CONNECT says it. */
static void save_key_use(void *arg,
                         const unsigned char hash[SECRET_HASH_BYTES])
{
    struct worker *w = arg;
    struct publish *q = publish_new(w, NULL);
    struct key_use *use = q == NULL ? NULL : malloc(sizeof(*use));

    if (use == NULL) {
        if (q != NULL)
            publish_free(w, q);
        return;
    }
    memcpy(use->hash, hash, sizeof(use->hash));
    use->args =
        (struct keys_used){slice_of(use->hash, sizeof(use->hash)), w->real_us};
    q->memory = use; /* freed with it */
    q->memory_size = sizeof(*use);
    q->command.kind = COMMAND_KEYS_USED;
    q->command.args = &use->args;
    q->finished = key_use_saved;
    publish_submit(w, q);
}

/* ---- who it is --------------------------------------------------------------- */

static const struct caller *look_up(struct connection *c,
                                    const struct packet_connect *p,
                                    struct identity_refusal *refusal)
{
    const struct hub *hub = c->worker->hub;
    struct identity_source from = {.callers = hub->callers,
                                   .jwts = hub->jwts,
                                   .config = hub->config,
                                   .now_us = c->worker->real_us,
                                   .on_key_used = save_key_use,
                                   .on_key_used_arg = c->worker};

    if (store_snapshot(hub->store, &from.reader) != STORE_OK) {
        *refusal =
            (struct identity_refusal){IDENTITY_STORE,
                                      "the store cannot be read: retry later"};
        return NULL;
    }
    const struct caller *caller =
        is_key(p->password)
            ? identity_of_key(&from, p->password, refusal)
            : identity_of_jwt(&from, p->user_name, p->password, refusal);
    store_reader_release(from.reader);
    return caller;
}

const struct caller *connect_key_caller(struct connection *c,
                                        const struct packet_connect *p,
                                        uint8_t *ret_reason,
                                        const char **ret_text)
{
    struct identity_refusal refusal;

    *ret_reason = REASON_BAD_CREDENTIALS;
    *ret_text = "the user name must be the tenant whose JWT this is";
    if (!is_key(p->password) && p->user_name.data == NULL)
        return NULL;
    const struct caller *caller = look_up(c, p, &refusal);
    if (caller == NULL) {
        *ret_reason = reason_of(refusal.error);
        *ret_text = refusal.text;
        return NULL;
    }
    /* The session is found by the tenant: it must be the key's. Where the key had
     * no row yet when connect_key_tenant() looked, there is none. */
    if (!slice_eq(caller->tenant, connection_token(c))) {
        caller_unref(caller);
        *ret_text = "the user name must be the key's tenant, or empty";
        return NULL;
    }
    return caller;
}
