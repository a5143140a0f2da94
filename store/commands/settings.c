/* The plans and the access mode that commands are applied by from now on. */
#include "store/commands/commands.h"

static enum store_err settings_apply(struct transaction *t, struct command *c)
{
    const enum store_err err = transaction_put_settings(t, c->settings);

    if (err != STORE_INVALID)
        return err;
    c->result = RESULT_INVALID;
    return STORE_OK;
}

const struct command_type settings_command = {
    .name = "settings",
    .apply = settings_apply,
};
