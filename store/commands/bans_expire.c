/* Removes bans that are over. Nobody needs to be told: who looks at a ban looks at its
 * end, too. */
#include "store/commands/ban_command.h"
#include "store/commands/commands.h"

static enum store_err bans_expire_apply(struct transaction *t,
                                        struct command *c)
{
    const struct bans_expire *a = c->args;

    for (c->removed = 0; c->removed < a->most; c->removed++) {
        const enum store_err err = ban_remove_first_ended(t, a->before_us);
        if (err == STORE_NOTFOUND || err == STORE_CORRUPT)
            return STORE_OK; /* `confab check` tells of damage */
        if (err != STORE_OK)
            return err;
    }
    c->more = true;
    return STORE_OK;
}

static const struct command_field fields[] = {
    {"before", FIELD_TIME, FIELD_REQUIRED,
     offsetof(struct bans_expire, before_us), 0, INT64_MAX,
     "before: microseconds since 1970"},
    {"most", FIELD_U64, FIELD_REQUIRED, offsetof(struct bans_expire, most), 0,
     UINT64_MAX, "most: a number"},
};

const struct command_type bans_expire_command = {
    .name = "bans_expire",
    .args_size = sizeof(struct bans_expire),
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .apply = bans_expire_apply,
};
