#include "store/commands/commands.h"

static enum store_err ping_apply(struct transaction *t, struct command *c)
{
    /* Writable means both: the commit works and appends are accepted. */
    if (!space_admits(&t->space, SPACE_USUAL, t->mono_us))
        c->result = RESULT_FULL;
    else if (t->paused_until_mono_us > t->mono_us)
        c->result = t->paused_result;
    return transaction_touch(t);
}

const struct command_type ping_command = {
    .name = "ping",
    .apply = ping_apply,
};
