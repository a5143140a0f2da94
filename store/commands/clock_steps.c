/* The clock of the machine that gives times was set back (store/env/wall_clock.h). */
#include "store/commands/commands.h"

static enum store_err clock_steps_apply(struct transaction *t,
                                        struct command *c)
{
    return transaction_put_clock_steps(t, c->steps);
}

const struct command_type clock_steps_command = {
    .name = "clock_steps",
    .apply = clock_steps_apply,
};
