#include "store/command/token.h"
#include "store/commands/commands.h"
#include "store/commands/token_command.h"
#include "store/write/limits.h"

static enum store_err usage_apply(struct transaction *t, struct command *c)
{
    const struct token_reads *a = c->args;
    struct token *token;

    const enum store_err err = token_command_look_up(t, c, a->token, &token);
    if (err != STORE_OK || token == NULL)
        return err;
    if (!token->exists) {
        c->result = RESULT_NOT_FOUND;
        return STORE_OK;
    }
    if (merge_reads(&token->usage, t->in.now_us, a->window_start_us, a->reads))
        token_changed(&t->tokens, token);
    c->remaining = writes_left(token->plan, &token->usage, t->in.now_us);
    return STORE_OK;
}

static const struct command_field fields[] = {
    {"token", FIELD_TOKEN, FIELD_REQUIRED, offsetof(struct token_reads, token),
     0, TOKEN_MAX, "usage needs token, start and reads"},
    {"start", FIELD_TIME, FIELD_REQUIRED,
     offsetof(struct token_reads, window_start_us), 0, INT64_MAX,
     "usage needs token, start and reads"},
    {"reads", FIELD_U64, FIELD_REQUIRED, offsetof(struct token_reads, reads),
     0, UINT64_MAX, "usage needs token, start and reads"},
};

const struct command_type usage_command = {
    .name = "usage",
    .args_size = sizeof(struct token_reads),
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .for_administrators = true,
    .apply = usage_apply,
};
