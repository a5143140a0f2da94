#include "store/command/token.h"
#include "store/commands/commands.h"
#include "store/commands/token_command.h"

static enum store_err token_set_apply(struct transaction *t, struct command *c)
{
    const struct token_set *a = c->args;
    struct token *token;

    enum store_err err = token_command_look_up(t, c, a->token, &token);
    if (err != STORE_OK || token == NULL)
        return err;
    c->result = !token->exists           ? RESULT_NOT_FOUND
                : token->revoked_us != 0 ? RESULT_REVOKED
                : settings_plan(&t->settings, a->plan) == NULL ? RESULT_INVALID
                                                               : RESULT_OK;
    if (c->result != RESULT_OK)
        return STORE_OK;
    err = token_command_rewrite(t, token,
                                &(struct token_change){.plan = a->plan});
    if (err == STORE_CORRUPT)
        return transaction_row_damaged(c);
    return err;
}

static const char *token_set_check(struct command *c,
                                   const struct config *config)
{
    const struct token_set *a = c->args;

    return token_command_check_plan(a->plan, config);
}

static void token_set_answer(const struct command *c, struct json_writer *w)
{
    const struct token_set *a = c->args;

    json_member_string(w, "token", a->token);
    json_member_string(w, "plan", a->plan);
}

static const struct command_field fields[] = {
    {"token", FIELD_TOKEN, FIELD_REQUIRED, offsetof(struct token_set, token),
     0, TOKEN_MAX, "token: 1 to 64 of A-Z a-z 0-9 _ - expected"},
    {"plan", FIELD_TEXT, FIELD_REQUIRED, offsetof(struct token_set, plan), 0,
     CONFIG_NAME_MAX, "plan: there is no such plan"},
};

const struct command_type token_set_command = {
    .name = "token_set",
    .args_size = sizeof(struct token_set),
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .for_administrators = true,
    .check = token_set_check,
    .apply = token_set_apply,
    .answer = token_set_answer,
};
