#include "store/command/key.h"
#include "store/commands/commands.h"
#include "store/commands/key_command.h"

static enum store_err key_revoke_apply(struct transaction *t,
                                       struct command *c)
{
    const struct key_revoke *a = c->args;
    struct key_copy key;
    struct token *who;

    /* Also of a tenant that is revoked or suspended. */
    enum store_err err = token_command_look_up(t, c, a->tenant, &who);
    if (err != STORE_OK || who == NULL)
        return err;
    err = key_command_find(t, c, a->tenant, a->key, &key);
    if (err != STORE_OK)
        return err == STORE_NOTFOUND ? STORE_OK : err;
    err = key_command_remove(t, who, &key.row);
    key_copy_release(&key);
    return err;
}

static void key_revoke_answer(const struct command *c, struct json_writer *w)
{
    const struct key_revoke *a = c->args;

    json_member_string(w, "key", a->key);
    json_member_bool(w, "revoked", true);
}

static const struct command_field fields[] = {
    {"tenant", FIELD_TOKEN, FIELD_REQUIRED,
     offsetof(struct key_revoke, tenant), 0, TOKEN_MAX,
     "tenant: 1 to 64 of A-Z a-z 0-9 _ - expected"},
    {"key", FIELD_TEXT, FIELD_REQUIRED, offsetof(struct key_revoke, key), 0,
     KEY_ID_SIZE - 1, "key: a key id, as in key_AbCdEf012345"},
};

const struct command_type key_revoke_command = {
    .name = "key_revoke",
    .args_size = sizeof(struct key_revoke),
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .for_administrators = true,
    .apply = key_revoke_apply,
    .answer = key_revoke_answer,
};
