#include "store/command/token.h"
#include "store/commands/commands.h"
#include "store/commands/token_command.h"

static enum store_err token_create_apply(struct transaction *t,
                                         struct command *c)
{
    const struct token_create *a = c->args;

    return token_command_create(t, c, a->token, a->plan, slice_of(NULL, 0),
                                false);
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
    return token_command_check_new(a->token, a->plan, config);
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
