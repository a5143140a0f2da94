/* The plans and the access mode that commands are applied by from now on. */
#include "store/command/upkeep.h"
#include "store/commands/commands.h"

static enum store_err settings_apply(struct transaction *t, struct command *c)
{
    const struct settings_change *a = c->args;
    const enum store_err err = transaction_put_settings(t, a->row);

    if (err != STORE_INVALID)
        return err;
    c->result = RESULT_INVALID;
    return STORE_OK;
}

static const struct command_field fields[] = {
    {"row", FIELD_BYTES, FIELD_REQUIRED, offsetof(struct settings_change, row),
     0, UINT64_MAX, "row: settings expected"},
};

const struct command_type settings_command = {
    .name = "settings",
    .args_size = sizeof(struct settings_change),
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .apply = settings_apply,
};
