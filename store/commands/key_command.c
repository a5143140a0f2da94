#include "store/commands/key_command.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/vocabulary.h"
#include "store/commands/token_command.h"

enum store_err key_command_tenant(struct transaction *t, struct command *c,
                                  struct slice tenant,
                                  struct token **ret_tenant)
{
    const enum store_err err = token_command_look_up(t, c, tenant, ret_tenant);

    if (err != STORE_OK || *ret_tenant == NULL)
        return err;
    if (!(*ret_tenant)->exists || (*ret_tenant)->implied)
        c->result = RESULT_UNKNOWN_TOKEN;
    else if ((*ret_tenant)->revoked_us != 0)
        c->result = RESULT_REVOKED;
    if (c->result != RESULT_OK)
        *ret_tenant = NULL;
    return STORE_OK;
}

enum store_err key_command_find(struct transaction *t, struct command *c,
                                struct slice tenant, struct slice id,
                                struct key_copy *ret_key)
{
    unsigned char begin[KEY_ID_HASH_BYTES];

    enum store_err err = STORE_NOTFOUND;
    if (key_id_parse(id, begin))
        err = key_by_beginning(t, tenant, slice_of(begin, sizeof(begin)),
                               ret_key);
    if (err == STORE_NOTFOUND)
        c->result = RESULT_NOT_FOUND;
    if (err != STORE_CORRUPT)
        return err;
    (void)transaction_row_damaged(c);
    return STORE_NOTFOUND;
}

enum store_err key_command_is_new(struct transaction *t, struct command *c,
                                  struct slice tenant, struct slice hash,
                                  bool *ret_new)
{
    struct key_copy other;

    enum store_err err = key_by_hash(t, hash, &other);
    if (err == STORE_NOTFOUND)
        err = key_by_beginning(t, tenant,
                               slice_of(hash.data, KEY_ID_HASH_BYTES), &other);
    *ret_new = err == STORE_NOTFOUND;
    if (*ret_new)
        return STORE_OK;
    if (err == STORE_OK) {
        key_copy_release(&other);
        c->result = RESULT_EXISTS;
    }
    return err == STORE_CORRUPT ? transaction_row_damaged(c) : err;
}

enum store_err key_command_add(struct transaction *t, struct command *c,
                               struct token *who, const struct key_row *k)
{
    c->result = directory_verdict(t, who, key_cost(t, k));
    return c->result == RESULT_OK ? key_put(t, who, k) : STORE_OK;
}

/* `$events/<tenant>/key_revoked/<key id>`; until_us 0: now. */
static enum store_err offer_key_revoked(struct transaction *t,
                                        const struct key_row *k,
                                        int64_t until_us)
{
    char until[24];

    char id[KEY_ID_SIZE];
    char topic[sizeof(EVENTS_PREFIX) + TOKEN_MAX +
               sizeof("/" EVENT_KEY_REVOKED "/") + KEY_ID_SIZE];

    key_id_make(k->hash.data, id);
    const int len =
        snprintf(topic, sizeof(topic),
                 EVENTS_PREFIX "%.*s/" EVENT_KEY_REVOKED "/%s",
                 (int)k->tenant.len, (const char *)k->tenant.data, id);
    snprintf(until, sizeof(until), "%" PRId64, until_us);
    const struct message event = {
        .kind = MESSAGE_EVENT,
        .payload_class = PAYLOAD_TEXT,
        .topic = slice_of(topic, (size_t)len),
        .payload = slice_str(until_us == 0 ? "" : until),
    };
    struct message *m = message_new(&event);
    if (m == NULL)
        return STORE_NOMEM;
    m->at_us = t->in.now_us;
    batch_add(t->batch, m);
    t->events++;
    return STORE_OK;
}

enum store_err key_command_remove(struct transaction *t, struct token *who,
                                  const struct key_row *k)
{
    const enum store_err err = key_delete(t, who, k);

    return err == STORE_OK ? offer_key_revoked(t, k, 0) : err;
}

enum store_err key_command_end_later(struct transaction *t, struct token *who,
                                     struct key_row *k, int64_t until_us)
{
    enum store_err err = key_delete(t, who, k);

    k->expires_us = until_us;
    if (err == STORE_OK)
        err = key_put(t, who, k);
    return err == STORE_OK ? offer_key_revoked(t, k, until_us) : err;
}
