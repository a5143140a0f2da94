/* The session of a CONNECT: resumed or created (store/session.h). */
#include "store/commands/commands.h"
#include "store/write/account.h"
#include "store/write/session_write.h"

/* How many bytes its will adds, if it replaces a stored will of `stored` bytes. */
static uint64_t more_will(const struct session_open *o, uint64_t stored)
{
    const uint64_t cost = o->will == NULL ? 0 : account_message_cost(o->will);

    return cost > stored ? cost - stored : 0;
}

static enum command_result creation_verdict(struct transaction *t,
                                            const struct token *who,
                                            const struct session_open *o)
{
    if (who != NULL && !account_is_nobody(who) &&
        who->plan->sessions_max != 0 &&
        who->usage.sessions >= who->plan->sessions_max)
        return RESULT_SESSIONS;
    return account_verdict(
        t, who, account_session_cost(o->identity) + more_will(o, 0));
}

static enum store_err put_opened(struct transaction *t, struct token *who,
                                 const struct session_open *o,
                                 struct session_row *row)
{
    row->expiry_s = o->expiry_s;
    row->ended_us = 0;
    row->has_will = o->will != NULL;
    row->will_delay_s = o->will_delay_s;
    row->will_due_us = 0;
    const enum store_err err = session_put(t, who, row);
    return err == STORE_OK ? session_put_will(t, who, row->number, o->will)
                           : err;
}

static enum store_err create_session(struct transaction *t, struct token *who,
                                     struct command *c)
{
    struct session_open *o = c->args;
    struct session_row row = {
        .identity = o->identity,
        .number = o->fresh_number,
        .position = t->head,
        .created_us = t->in.now_us,
    };

    c->result = creation_verdict(t, who, o);
    if (c->result != RESULT_OK)
        return STORE_OK;
    session_count(t, who, true);
    o->number = row.number;
    o->position = row.position;
    return put_opened(t, who, o, &row);
}

/* Resuming adds nothing, so it works in a full store; but a will that is larger than the
 * stored one needs room like anything else. */
static enum store_err resume_session(struct transaction *t, struct token *who,
                                     struct command *c,
                                     struct session_row *row)
{
    struct session_open *o = c->args;
    const uint64_t more = more_will(o, session_will_cost(t, row->number));

    if (more > 0)
        c->result = account_verdict(t, who, more);
    if (c->result != RESULT_OK)
        return STORE_OK;
    o->present = true;
    o->number = row->number;
    o->position = row->position;
    return put_opened(t, who, o, row);
}

static enum store_err session_open_apply(struct transaction *t,
                                         struct command *c)
{
    struct session_open *o = c->args;
    struct session_row row;
    struct token *who;

    o->present = false;
    o->number = o->position = 0;
    enum store_err err = session_find(t, o->identity, &row);
    if (err == STORE_CORRUPT)
        return transaction_row_damaged(c);
    if (err != STORE_OK && err != STORE_NOTFOUND)
        return err;
    bool found = err == STORE_OK;
    err = account_of(t, session_token(o->identity), &who);
    if (err != STORE_OK)
        return err;
    if (found && (o->clean ||
                  session_is_over(&row, admission_age_us(t, row.ended_us)))) {
        err = session_delete(t, &row);
        if (err != STORE_OK)
            return err;
        found = false;
    }
    if (found)
        return resume_session(t, who, c, &row);
    return o->expiry_s == 0 ? STORE_OK : create_session(t, who, c);
}

/* Measures for the worst case: only the rows know which will is replaced. */
static void session_open_decide(struct transaction *t, const struct command *c)
{
    const struct session_open *o = c->args;
    const uint64_t more = account_session_cost(o->identity) + more_will(o, 0);

    admission_measure_room(t, more + more / 2);
}

static const struct command_field fields[] = {
    {"identity", FIELD_TEXT, FIELD_REQUIRED,
     offsetof(struct session_open, identity), 0, UINT64_MAX,
     "identity: token, NUL, client id"},
    {"clean", FIELD_YES, FIELD_OPTIONAL, offsetof(struct session_open, clean),
     0, 1, "clean: 1"},
    {"expiry", FIELD_U32, FIELD_OPTIONAL,
     offsetof(struct session_open, expiry_s), 0, UINT32_MAX,
     "expiry: seconds"},
    {"number", FIELD_U64, FIELD_REQUIRED,
     offsetof(struct session_open, fresh_number), 0, UINT64_MAX,
     "number: of a new session"},
    {"will", FIELD_MESSAGE, FIELD_OPTIONAL,
     offsetof(struct session_open, will), 0, UINT64_MAX, "will: a record"},
    {"will_delay", FIELD_U32, FIELD_OPTIONAL,
     offsetof(struct session_open, will_delay_s), 0, UINT32_MAX,
     "will_delay: seconds"},
};

const struct command_type session_open_command = {
    .name = "session_open",
    .args_size = sizeof(struct session_open),
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .decide = session_open_decide,
    .apply = session_open_apply,
};
