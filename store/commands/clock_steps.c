/* The clock of the machine that gives times was set back (store/env/wall_clock.h). */
#include "store/commands/commands.h"

static enum store_err clock_steps_apply(struct transaction *t,
                                        struct command *c)
{
    return transaction_put_clock_steps(t, c->args);
}

static const struct command_field fields[] = {
    {"steps", FIELD_CLOCK_STEPS, FIELD_REQUIRED, 0, 0, CLOCK_STEPS_MAX,
     "steps: a list"},
};

const struct command_type clock_steps_command = {
    .name = "clock_steps",
    .args_size = sizeof(struct clock_steps),
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .apply = clock_steps_apply,
};
