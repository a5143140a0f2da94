/* Forgets answers to requests that will not come again (store/write/repeat.h). */
#include "store/commands/commands.h"

static enum store_err answers_forget_apply(struct transaction *t,
                                           struct command *c)
{
    return repeat_forget(t, c->forget, &c->removed);
}

const struct command_type answers_forget_command = {
    .name = "answers_forget",
    .apply = answers_forget_apply,
};
