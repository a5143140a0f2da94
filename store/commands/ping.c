#include "store/commands/commands.h"

static enum store_err ping_apply(struct transaction *t, struct command *c)
{
    /* Writable means both: the commit works and appends are accepted. */
    c->result = t->in.room < SPACE_USUAL ? RESULT_FULL
                                         : (enum command_result)t->in.paused;
    return transaction_touch(t);
}

static void ping_decide(struct transaction *t, const struct command *c)
{
    (void)c;
    admission_measure_room(t, SPACE_USUAL);
}

const struct command_type ping_command = {
    .name = "ping",
    .for_administrators = true,
    .decide = ping_decide,
    .apply = ping_apply,
};
