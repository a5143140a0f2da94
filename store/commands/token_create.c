#include "store/command/token.h"
#include "store/commands/commands.h"
#include "store/commands/token_command.h"

static enum command_result create_verdict(struct transaction *t,
                                          const struct token *token,
                                          struct slice plan)
{
    /* Revoked ones too: names are not given twice. One that came into being in
     * open mode is created now, and keeps what is stored under it. */
    if (token->exists && (!token->implied || token->revoked_us != 0))
        return RESULT_EXISTS;
    if (settings_plan(&t->settings, plan) == NULL)
        return RESULT_INVALID;
    return t->in.room == 0 ? RESULT_FULL : (enum command_result)t->in.paused;
}

static enum store_err token_create_apply(struct transaction *t,
                                         struct command *c)
{
    const struct token_create *a = c->args;
    struct token *token;
    bool known;

    enum store_err err = token_command_look_up(t, c, a->token, &token);
    if (err != STORE_OK || token == NULL)
        return err;
    err = operation_find(t, c, &known);
    if (err != STORE_OK || known)
        return err;
    const struct token_row row = {
        .token = a->token,
        .plan =
            a->plan.len > 0 ? a->plan : slice_str(t->settings.default_plan),
        .created_us = c->now_us != 0 ? c->now_us : t->in.now_us,
        .since_id = token->exists ? token->since_id : t->head,
    };
    c->result = create_verdict(t, token, row.plan);
    if (c->result != RESULT_OK)
        return STORE_OK;
    err = token_put(&t->tokens, t->e, t->txn, &t->row, token, &row);
    return err == STORE_OK ? operation_remember(t, c) : err;
}

static void token_create_decide(struct transaction *t, const struct command *c)
{
    (void)c;
    admission_measure_room(t, 0);
}

static const char *token_create_check(struct command *c,
                                      const struct config *config)
{
    struct token_create *a = c->args;

    if (a->plan.len == 0)
        a->plan = slice_str(config_newest(config)->tokens_operator_plan);
    return token_command_check_plan(a->plan, config);
}

static void token_create_answer(const struct command *c, struct json_writer *w)
{
    const struct token_create *a = c->args;

    json_member_string(w, "token", a->token);
    json_member_string(w, "plan", a->plan);
}

static const struct command_field fields[] = {
    {"token", FIELD_TOKEN, FIELD_REQUIRED,
     offsetof(struct token_create, token), 0, TOKEN_MAX,
     "token: 1 to 64 of A-Z a-z 0-9 _ - expected"},
    {"plan", FIELD_TEXT, FIELD_OPTIONAL, offsetof(struct token_create, plan),
     0, CONFIG_NAME_MAX, "plan: there is no such plan"},
    COMMON_NOW,
    COMMON_OPERATION,
};

const struct command_type token_create_command = {
    .name = "token_create",
    .args_size = sizeof(struct token_create),
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .for_administrators = true,
    .check = token_create_check,
    .decide = token_create_decide,
    .apply = token_create_apply,
    .answer = token_create_answer,
};
