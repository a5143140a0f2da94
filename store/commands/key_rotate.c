#include "store/command/key.h"
#include "store/commands/commands.h"
#include "store/commands/key_command.h"

/* The old key goes now, or ends when it was asked to, never later than before. */
static enum store_err end_old(struct transaction *t, struct token *who,
                              struct key_row *old, int64_t until_us)
{
    if (until_us <= t->in.now_us)
        return key_command_remove(t, who, old);
    if (old->expires_us != 0 && old->expires_us <= until_us)
        return STORE_OK;
    return key_command_end_later(t, who, old, until_us);
}

static enum store_err rotate(struct transaction *t, struct command *c,
                             struct token *who, struct key_row *old)
{
    const struct key_rotate *a = c->args;
    struct key_row fresh = *old;

    fresh.hash = a->hash;
    fresh.created_us = c->now_us != 0 ? c->now_us : t->in.now_us;
    fresh.used_us = 0;
    const enum store_err err = key_command_add(t, c, who, &fresh);
    return err == STORE_OK && c->result == RESULT_OK
               ? end_old(t, who, old, a->old_until_us)
               : err;
}

static enum store_err key_rotate_apply(struct transaction *t,
                                       struct command *c)
{
    const struct key_rotate *a = c->args;
    struct key_copy old;
    struct token *who;
    bool is_new;

    if (a->hash.len != SECRET_HASH_BYTES) {
        c->result = RESULT_INVALID;
        return STORE_OK;
    }
    enum store_err err = key_command_tenant(t, c, a->tenant, &who);
    if (err != STORE_OK || who == NULL)
        return err;
    err = key_command_is_new(t, c, a->tenant, a->hash, &is_new);
    if (err != STORE_OK || !is_new)
        return err;
    err = key_command_find(t, c, a->tenant, a->key, &old);
    if (err != STORE_OK)
        return err == STORE_NOTFOUND ? STORE_OK : err;
    err = rotate(t, c, who, &old.row);
    key_copy_release(&old);
    return err;
}

static void key_rotate_decide(struct transaction *t, const struct command *c)
{
    (void)c;
    admission_measure_room(t, 0);
}

static const char *key_rotate_check(struct command *c,
                                    const struct config *config)
{
    const struct key_rotate *a = c->args;
    (void)config;

    return a->hash.len == SECRET_HASH_BYTES ? NULL : "hash: 32 bytes expected";
}

static void key_rotate_answer(const struct command *c, struct json_writer *w)
{
    const struct key_rotate *a = c->args;
    char id[KEY_ID_SIZE];

    key_id_make(a->hash.data, id);
    json_member_string(w, "tenant", a->tenant);
    json_member_string(w, "key", slice_str(id));
    json_member_string(w, "replaces", a->key);
}

static const struct command_field fields[] = {
    {"tenant", FIELD_TOKEN, FIELD_REQUIRED,
     offsetof(struct key_rotate, tenant), 0, TOKEN_MAX,
     "tenant: 1 to 64 of A-Z a-z 0-9 _ - expected"},
    {"key", FIELD_TEXT, FIELD_REQUIRED, offsetof(struct key_rotate, key), 0,
     KEY_ID_SIZE - 1, "key: a key id, as in key_AbCdEf012345"},
    {"hash", FIELD_BYTES, FIELD_REQUIRED, offsetof(struct key_rotate, hash), 0,
     SECRET_HASH_BYTES, "hash: BLAKE2b-256 of the new secret, 32 bytes"},
    {"until", FIELD_TIME, FIELD_OPTIONAL,
     offsetof(struct key_rotate, old_until_us), 0, INT64_MAX,
     "until: microseconds since 1970"},
    COMMON_NOW,
};

const struct command_type key_rotate_command = {
    .name = "key_rotate",
    .args_size = sizeof(struct key_rotate),
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .for_administrators = true,
    .check = key_rotate_check,
    .decide = key_rotate_decide,
    .apply = key_rotate_apply,
    .answer = key_rotate_answer,
};
