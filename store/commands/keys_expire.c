/* Removes keys that have expired, and unused tickets. Nobody needs to be told: who
 * looks at a key looks at its end, too. */
#include "store/command/key.h"
#include "store/commands/commands.h"
#include "store/write/account.h"
#include "store/write/key_write.h"

static enum store_err remove_one(struct transaction *t,
                                 const struct key_row *k)
{
    struct token *who = NULL;

    const enum store_err err = account_of(t, k->tenant, &who);
    return err == STORE_OK ? key_delete(t, who, k) : err;
}

static enum store_err keys_expire_apply(struct transaction *t,
                                        struct command *c)
{
    const struct keys_expire *a = c->args;
    struct key_copy key;

    for (c->removed = 0; c->removed < a->most; c->removed++) {
        enum store_err err = key_first_to_end(t, a->before_us, &key);
        if (err == STORE_NOTFOUND || err == STORE_CORRUPT)
            return STORE_OK; /* `confab check` tells of damage */
        if (err != STORE_OK)
            return err;
        err = remove_one(t, &key.row);
        key_copy_release(&key);
        if (err != STORE_OK)
            return err;
    }
    c->more = true;
    return STORE_OK;
}

static const struct command_field fields[] = {
    {"before", FIELD_TIME, FIELD_REQUIRED,
     offsetof(struct keys_expire, before_us), 0, INT64_MAX,
     "before: microseconds since 1970"},
    {"most", FIELD_U64, FIELD_REQUIRED, offsetof(struct keys_expire, most), 0,
     UINT64_MAX, "most: a number"},
};

const struct command_type keys_expire_command = {
    .name = "keys_expire",
    .args_size = sizeof(struct keys_expire),
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .apply = keys_expire_apply,
};
