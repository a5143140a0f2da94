/* Goes on removing a thing or a token (store/write/erase.h). */
#include "store/command/upkeep.h"
#include "store/commands/commands.h"
#include "store/write/erase.h"

static void erase_step_decide(struct transaction *t, const struct command *c)
{
    (void)c;
    admission_measure_deletions(t);
}

static enum store_err erase_step_apply(struct transaction *t,
                                       struct command *c)
{
    const struct erase_step *a = c->args;

    return erase_go_on(t, a->name);
}

static const struct command_field fields[] = {
    {"name", FIELD_TEXT, FIELD_REQUIRED, offsetof(struct erase_step, name), 0,
     65535, "name: of a token or thing"},
};

const struct command_type erase_step_command = {
    .name = "erase_step",
    .args_size = sizeof(struct erase_step),
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .decide = erase_step_decide,
    .apply = erase_step_apply,
};
