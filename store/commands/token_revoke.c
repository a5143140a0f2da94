#include "base/vocabulary.h"
#include "store/command/token.h"
#include "store/commands/commands.h"
#include "store/commands/token_command.h"

/* Tells every worker and stream to let the token's connections go. */
enum store_err token_command_offer_revoked(struct transaction *t,
                                           struct slice token)
{
    char topic[sizeof(EVENTS_PREFIX) + TOKEN_MAX +
               sizeof("/" EVENT_REVOKED "/")];

    const int len =
        snprintf(topic, sizeof(topic), EVENTS_PREFIX "%.*s/" EVENT_REVOKED "/",
                 (int)token.len, (const char *)token.data);
    const struct message event = {
        .kind = MESSAGE_EVENT,
        .payload_class = PAYLOAD_TEXT,
        .topic = slice_of(topic, (size_t)len),
    };
    struct message *m = message_new(&event);
    if (m == NULL)
        return STORE_NOMEM;
    m->at_us = t->in.now_us;
    batch_add(t->batch, m);
    t->events++;
    return STORE_OK;
}

enum store_err token_command_revoke(struct transaction *t, struct command *c,
                                    struct slice name)
{
    struct token *token;

    enum store_err err = token_command_look_up(t, c, name, &token);
    if (err != STORE_OK || token == NULL)
        return err;
    if (!token->exists) {
        c->result = RESULT_NOT_FOUND;
        return STORE_OK;
    }
    /* Again for one that is revoked: nothing to store, but whoever asks wants
     * its connections gone. That also is why no operation id is needed. */
    if (token->revoked_us == 0)
        err = token_command_rewrite(
            t, token,
            &(struct token_change){
                .revoked_us = c->now_us != 0 ? c->now_us : t->in.now_us});
    else
        c->repeated = true;
    if (err == STORE_CORRUPT)
        return transaction_row_damaged(c);
    return err == STORE_OK ? token_command_offer_revoked(t, name) : err;
}

static enum store_err token_revoke_apply(struct transaction *t,
                                         struct command *c)
{
    const struct token_revoke *a = c->args;

    return token_command_revoke(t, c, a->token);
}

static void token_revoke_answer(const struct command *c, struct json_writer *w)
{
    const struct token_revoke *a = c->args;

    json_member_string(w, "token", a->token);
    json_member_bool(w, "revoked", true);
}

static const struct command_field fields[] = {
    {"token", FIELD_TOKEN, FIELD_REQUIRED,
     offsetof(struct token_revoke, token), 0, TOKEN_MAX,
     "token: 1 to 64 of A-Z a-z 0-9 _ - expected"},
    COMMON_NOW,
};

const struct command_type token_revoke_command = {
    .name = "token_revoke",
    .args_size = sizeof(struct token_revoke),
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .for_administrators = true,
    .apply = token_revoke_apply,
    .answer = token_revoke_answer,
};
