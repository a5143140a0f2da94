/* Deletes entries that trims have hidden, as many as its admission says. */
#include "store/commands/commands.h"
#include "store/write/trim.h"

static void hidden_delete_decide(struct transaction *t,
                                 const struct command *c)
{
    (void)c;
    admission_measure_deletions(t);
}

static enum store_err hidden_delete_apply(struct transaction *t,
                                          struct command *c)
{
    (void)c;
    return trim_leftovers(t);
}

const struct command_type hidden_delete_command = {
    .name = "hidden_delete",
    .decide = hidden_delete_decide,
    .apply = hidden_delete_apply,
};
