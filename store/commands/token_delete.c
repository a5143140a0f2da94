#include "store/commands/commands.h"
#include "store/commands/token_command.h"
#include "store/write/erase.h"

static enum store_err token_delete_apply(struct transaction *t,
                                         struct command *c)
{
    struct token *token;

    /* Nothing more may come in, and its connections are to go. */
    enum store_err err = token_command_revoke(t, c);
    c->repeated = false;
    if (err != STORE_OK || c->result != RESULT_OK)
        return err;
    err = transaction_token(t, c->token, &token);
    return err == STORE_OK ? erase_begin_or_go_on(t, c, c->token,
                                                  (uint64_t)token->revoked_us)
                           : err;
}

static void token_delete_decide(struct transaction *t, const struct command *c)
{
    (void)c;
    admission_measure_deletions(t);
}

static const struct command_field fields[] = {
    {"token", FIELD_TOKEN, FIELD_REQUIRED, offsetof(struct command, token), 0,
     TOKEN_MAX, "token: 1 to 64 of A-Z a-z 0-9 _ - expected"},
    {"now", FIELD_TIME, FIELD_ENTRY, offsetof(struct command, now_us), 0,
     INT64_MAX, "now: microseconds since 1970"},
};

const struct command_type token_delete_command = {
    .name = "token_delete",
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .decide = token_delete_decide,
    .apply = token_delete_apply,
};
