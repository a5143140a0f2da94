#include "store/commands/commands.h"
#include "store/commands/token_command.h"

static enum store_err token_set_apply(struct transaction *t, struct command *c)
{
    struct token *token;

    enum store_err err = token_command_look_up(t, c, &token);
    if (err != STORE_OK || token == NULL)
        return err;
    c->result = !token->exists           ? RESULT_NOT_FOUND
                : token->revoked_us != 0 ? RESULT_REVOKED
                : settings_plan(&t->settings, c->plan) == NULL ? RESULT_INVALID
                                                               : RESULT_OK;
    if (c->result != RESULT_OK)
        return STORE_OK;
    err = token_command_rewrite(t, token, 0, c->plan);
    if (err == STORE_CORRUPT) {
        c->result = RESULT_IO;
        return STORE_OK;
    }
    return err;
}

const struct command_type token_set_command = {
    .name = "token_set",
    .apply = token_set_apply,
};
