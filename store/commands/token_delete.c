#include "store/command/token.h"
#include "store/commands/commands.h"
#include "store/commands/token_command.h"
#include "store/write/erase.h"

static enum store_err token_delete_apply(struct transaction *t,
                                         struct command *c)
{
    const struct token_delete *a = c->args;
    struct token *token;

    /* Nothing more may come in, and its connections are to go. */
    enum store_err err = token_command_revoke(t, c, a->token);
    c->repeated = false;
    if (err != STORE_OK || c->result != RESULT_OK)
        return err;
    err = transaction_token(t, a->token, &token);
    return err == STORE_OK ? erase_begin_or_go_on(t, c, a->token,
                                                  (uint64_t)token->revoked_us)
                           : err;
}

static void token_delete_decide(struct transaction *t, const struct command *c)
{
    (void)c;
    admission_measure_deletions(t);
}

static void token_delete_answer(const struct command *c, struct json_writer *w)
{
    json_member_u64(w, "removed", c->removed);
    json_member_bool(w, "more", c->more);
}

static const struct command_field fields[] = {
    {"token", FIELD_TOKEN, FIELD_REQUIRED,
     offsetof(struct token_delete, token), 0, TOKEN_MAX,
     "token: 1 to 64 of A-Z a-z 0-9 _ - expected"},
    COMMON_NOW,
};

const struct command_type token_delete_command = {
    .name = "token_delete",
    .args_size = sizeof(struct token_delete),
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .for_administrators = true,
    .decide = token_delete_decide,
    .apply = token_delete_apply,
    .answer = token_delete_answer,
};
