#include "base/vocabulary.h"
#include "store/command/webhook.h"
#include "store/commands/commands.h"
#include "store/commands/key_command.h"
#include "store/write/offer_event.h"
#include "store/write/webhook_write.h"

static enum store_err mark_all(struct transaction *t, struct token *who,
                               struct webhook_retry *a)
{
    uint64_t id = 0;
    enum store_err err;

    while ((err = webhook_next_dead(t, a->tenant, id, &id)) == STORE_OK) {
        err = webhook_mark_dead(t, who, a->tenant, id);
        if (err != STORE_OK && err != STORE_NOTFOUND)
            return err;
        a->marked += err == STORE_OK;
    }
    return err == STORE_NOTFOUND ? STORE_OK : err;
}

static enum store_err mark_some(struct transaction *t, struct token *who,
                                struct webhook_retry *a)
{
    for (size_t i = 0; i < a->id_count; i++) {
        const enum store_err err =
            webhook_mark_dead(t, who, a->tenant, a->ids[i]);
        if (err != STORE_OK && err != STORE_NOTFOUND)
            return err;
        a->marked += err == STORE_OK;
    }
    return STORE_OK;
}

static enum store_err webhook_retry_apply(struct transaction *t,
                                          struct command *c)
{
    struct webhook_retry *a = c->args;
    struct token *who;

    a->marked = 0;
    enum store_err err = key_command_tenant(t, c, a->tenant, &who);
    if (err != STORE_OK || who == NULL)
        return err;
    err = a->all ? mark_all(t, who, a) : mark_some(t, who, a);
    if (err != STORE_OK)
        return err;
    if (a->marked > 0)
        return offer_event(t, a->tenant, EVENT_CHANGED, slice_of("", 0));
    c->result = RESULT_NOT_FOUND;
    return STORE_OK;
}

static void webhook_retry_answer(const struct command *c,
                                 struct json_writer *w)
{
    const struct webhook_retry *a = c->args;

    json_member_string(w, "tenant", a->tenant);
    json_member_u64(w, "marked", a->marked);
}

static const struct command_field fields[] = {
    {"tenant", FIELD_TOKEN, FIELD_REQUIRED,
     offsetof(struct webhook_retry, tenant), 0, TOKEN_MAX,
     "tenant: 1 to 64 of A-Z a-z 0-9 _ - expected"},
    {"ids", FIELD_IDS, FIELD_OPTIONAL, offsetof(struct webhook_retry, ids),
     offsetof(struct webhook_retry, id_count), WEBHOOK_DEAD_MAX,
     "ids: up to 1,000 numbers"},
    {"all", FIELD_YES, FIELD_OPTIONAL, offsetof(struct webhook_retry, all), 0,
     1, "all: 1"},
};

const struct command_type webhook_retry_command = {
    .name = "webhook_retry",
    .args_size = sizeof(struct webhook_retry),
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .for_administrators = true,
    .apply = webhook_retry_apply,
    .answer = webhook_retry_answer,
};
