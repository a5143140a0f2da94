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

static const struct command_field fields[] = {
    {"token", FIELD_TOKEN, FIELD_REQUIRED, offsetof(struct command, token), 0,
     TOKEN_MAX, "token: 1 to 64 of A-Z a-z 0-9 _ - expected"},
    {"plan", FIELD_TEXT, FIELD_REQUIRED, offsetof(struct command, plan), 0,
     CONFIG_NAME_MAX, "plan: there is no such plan"},
};

const struct command_type token_set_command = {
    .name = "token_set",
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .apply = token_set_apply,
};
