#include "base/vocabulary.h"
#include "store/command/tenant.h"
#include "store/commands/commands.h"
#include "store/commands/token_command.h"
#include "store/write/offer_event.h"

static enum store_err change(struct transaction *t, struct command *c,
                             struct token *token)
{
    const struct tenant_suspend *a = c->args;
    const struct token_change change = {
        .suspended_us = a->lift ? -1 : t->in.now_us,
    };

    if ((token->suspended_us == 0) == a->lift) {
        c->repeated = true;
        return STORE_OK;
    }
    return token_command_rewrite(t, token, &change);
}

static enum store_err tenant_suspend_apply(struct transaction *t,
                                           struct command *c)
{
    const struct tenant_suspend *a = c->args;
    struct token *token;

    enum store_err err = token_command_look_up(t, c, a->tenant, &token);
    if (err != STORE_OK || token == NULL)
        return err;
    c->result = !token->exists           ? RESULT_NOT_FOUND
                : token->revoked_us != 0 ? RESULT_REVOKED
                                         : RESULT_OK;
    if (c->result != RESULT_OK)
        return STORE_OK;
    err = change(t, c, token);
    if (err == STORE_CORRUPT)
        return transaction_row_damaged(c);
    if (err != STORE_OK)
        return err;
    /* Again for one that is suspended: its connections are to go. */
    return a->lift ? offer_event(t, a->tenant, EVENT_CHANGED, slice_of("", 0))
                   : token_command_offer_revoked(t, a->tenant);
}

static void tenant_suspend_answer(const struct command *c,
                                  struct json_writer *w)
{
    const struct tenant_suspend *a = c->args;

    json_member_string(w, "tenant", a->tenant);
    json_member_bool(w, "suspended", !a->lift);
}

static const struct command_field fields[] = {
    {"tenant", FIELD_TOKEN, FIELD_REQUIRED,
     offsetof(struct tenant_suspend, tenant), 0, TOKEN_MAX,
     "tenant: 1 to 64 of A-Z a-z 0-9 _ - expected"},
    {"lift", FIELD_YES, FIELD_OPTIONAL, offsetof(struct tenant_suspend, lift),
     0, 1, "lift: 1"},
};

const struct command_type tenant_suspend_command = {
    .name = "tenant_suspend",
    .args_size = sizeof(struct tenant_suspend),
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .for_administrators = true,
    .apply = tenant_suspend_apply,
    .answer = tenant_suspend_answer,
};
