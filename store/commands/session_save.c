/* Saving some rows of a session, and ending it (store/session.h). */
#include "base/topic.h"
#include "store/commands/commands.h"
#include "store/write/account.h"
#include "store/write/session_write.h"

#define GIVEN_KEY 24
#define GIVEN_ROW 2

/* ---- saving: what shrinks ------------------------------------------------- */

static enum store_err release_inflight(struct transaction *t,
                                       struct token *who,
                                       const struct session_save *s)
{
    const MDB_dbi dbi = t->e->db.inflight;
    struct schema_key key;
    enum store_err err = STORE_OK;

    for (size_t i = 0; err == STORE_OK && i < s->forgotten_count; i++) {
        schema_inflight_key(s->number, false, s->forgotten[i], &key);
        err = session_delete_row(t, who, dbi, &key);
    }
    for (size_t i = 0; err == STORE_OK && i < s->released_count; i++) {
        schema_inflight_key(s->number, true, s->released[i], &key);
        err = session_delete_row(t, who, dbi, &key);
    }
    return err;
}

static enum store_err release_subscriptions(struct transaction *t,
                                            struct token *who,
                                            const struct session_save *s)
{
    struct schema_key key;
    enum store_err err = STORE_OK;
    bool was;

    for (size_t i = 0; err == STORE_OK && i < s->removed_count; i++) {
        schema_subscription_key(s->number, s->removed[i], &key);
        err = account_delete(t, who, ACCOUNT_SESSIONS, t->e->db.subscriptions,
                             schema_val(&key), &was);
        if (err == STORE_OK && was)
            err = group_count(t, s->identity, s->removed[i], false);
    }
    return err;
}

/* ---- saving: what may grow ------------------------------------------------- */

static uint64_t cost_of_entries(const struct session_save *s)
{
    uint64_t cost = 0;

    for (size_t i = 0; i < s->entry_count; i++)
        cost +=
            session_inflight_cost((uint32_t)s->entries[i].identifier_count);
    return cost + s->given_count * account_row_cost(GIVEN_KEY, GIVEN_ROW);
}

static uint64_t cost_of_new_subscription(const struct session_save *s,
                                         struct slice filter)
{
    uint64_t cost = account_subscription_cost(filter);

    if (filter_is_shared(filter)) /* its group */
        cost += account_subscription_cost(s->identity) +
                account_subscription_cost(filter);
    return cost;
}

/* How many bytes they add to what is stored. Computed from the stored rows: the client's
 * worker may believe in a row that was refused in the meantime. */
static uint64_t more_subscriptions(struct transaction *t,
                                   const struct session_save *s)
{
    struct schema_key key;
    uint64_t more = 0;

    for (size_t i = 0; i < s->subscription_count; i++) {
        MDB_val k, v;
        schema_subscription_key(s->number, s->subscriptions[i].filter, &key);
        k = schema_val(&key);
        if (mdb_get(t->txn, t->e->db.subscriptions, &k, &v) != 0) {
            if (s->adds)
                more +=
                    cost_of_new_subscription(s, s->subscriptions[i].filter);
            continue;
        }
        const uint64_t before = account_row_cost(k.mv_size, v.mv_size);
        buffer_clear(&t->row);
        schema_put_subscription(&t->row, &s->subscriptions[i]);
        const uint64_t after = account_row_cost(k.mv_size, t->row.len);
        more += after > before ? after - before : 0;
    }
    return more;
}

/* Subscriptions that a client asks for need room like anything else. What is in flight, and
 * notes about existing subscriptions, are saved whatever the token holds, and in a full
 * store as long as the upper half of the reserve lasts. */
static enum command_result growth_verdict(struct transaction *t,
                                          const struct token *who,
                                          const struct session_save *s)
{
    const uint64_t asked = more_subscriptions(t, s);
    const uint64_t noted = cost_of_entries(s) + (s->adds ? 0 : asked);

    if (s->adds && asked > 0) {
        const enum command_result r = account_verdict(t, who, asked);
        if (r != RESULT_OK)
            return r;
    }
    return noted > 0 ? account_upkeep_verdict(t, noted) : RESULT_OK;
}

static enum store_err save_inflight(struct transaction *t, struct token *who,
                                    const struct session_save *s)
{
    struct schema_key key;
    enum store_err err = STORE_OK;

    for (size_t i = 0; err == STORE_OK && i < s->entry_count; i++) {
        schema_inflight_key(s->number, false, s->entries[i].packet_id, &key);
        buffer_clear(&t->row);
        schema_put_inflight(&t->row, &s->entries[i]);
        err = account_put(t, who, ACCOUNT_SESSIONS, t->e->db.inflight,
                          schema_val(&key));
    }
    return err;
}

static enum store_err save_given(struct transaction *t,
                                 const struct session_save *s)
{
    enum store_err err = STORE_OK;

    for (size_t i = 0; err == STORE_OK && i < s->given_count; i++)
        err = group_given(t, s->identity, &s->given[i]);
    return err;
}

static bool has_row(struct transaction *t, MDB_dbi dbi,
                    const struct schema_key *key)
{
    MDB_val k = schema_val(key), v;

    return mdb_get(t->txn, dbi, &k, &v) == 0;
}

static enum store_err save_subscriptions(struct transaction *t,
                                         struct token *who,
                                         const struct session_save *s)
{
    const MDB_dbi dbi = t->e->db.subscriptions;
    struct schema_key key;
    enum store_err err = STORE_OK;

    for (size_t i = 0; err == STORE_OK && i < s->subscription_count; i++) {
        const struct slice filter = s->subscriptions[i].filter;
        schema_subscription_key(s->number, filter, &key);
        if (!has_row(t, dbi, &key)) {
            if (!s->adds)
                continue;
            err = group_count(t, s->identity, filter, true);
        }
        if (err != STORE_OK)
            break;
        buffer_clear(&t->row);
        schema_put_subscription(&t->row, &s->subscriptions[i]);
        err = account_put(t, who, ACCOUNT_SESSIONS, dbi, schema_val(&key));
    }
    return err;
}

/* `kept`: what is in flight was saved, so the position, which belongs to it, is, too. */
static enum store_err save_row(struct transaction *t, struct token *who,
                               const struct session_save *s, bool kept,
                               struct session_row *row)
{
    enum store_err err = STORE_OK;
    const bool moves = s->has_position && kept;

    if (!s->ends && !moves)
        return STORE_OK;
    if (moves)
        row->position = s->position;
    if (s->ends) {
        row->expiry_s = s->expiry_s;
        row->ended_us = s->ended_us;
        row->will_due_us = s->will_due_us;
        if (s->drops_will && row->has_will) {
            row->has_will = false;
            err = session_put_will(t, who, row->number, NULL);
        }
    }
    return err == STORE_OK ? session_put(t, who, row) : err;
}

/* Ending the session and releasing rows always succeed. If the rest is refused, the rows saved
 * last stay, and those messages are delivered again. */
static enum store_err save_session(struct transaction *t, struct command *c,
                                   struct session_row *row)
{
    const struct session_save *s = c->args;
    struct token *who;

    enum store_err err = account_of(t, session_token(s->identity), &who);
    if (err == STORE_OK)
        err = release_inflight(t, who, s);
    if (err == STORE_OK)
        err = release_subscriptions(t, who, s);
    if (err != STORE_OK)
        return err;
    c->result = growth_verdict(t, who, s);
    const bool kept = c->result == RESULT_OK;
    if (kept)
        err = save_inflight(t, who, s);
    if (err == STORE_OK && kept)
        err = save_given(t, s);
    if (err == STORE_OK && kept)
        err = save_subscriptions(t, who, s);
    return err == STORE_OK ? save_row(t, who, s, kept, row) : err;
}

static enum store_err session_save_apply(struct transaction *t,
                                         struct command *c)
{
    const struct session_save *s = c->args;
    struct session_row row;

    enum store_err err = session_find(t, s->identity, &row);
    if (err == STORE_NOTFOUND ||
        (err == STORE_OK && row.number != s->number)) {
        c->result = RESULT_NOT_FOUND;
        return STORE_OK;
    }
    if (err == STORE_CORRUPT)
        return transaction_row_damaged(c);
    if (err != STORE_OK)
        return err;
    if (s->ends && s->expiry_s == 0)
        return session_delete(t, &row);
    return save_session(t, c, &row);
}

/* Measures for the worst case: only the rows know which subscriptions exist. */
static void session_save_decide(struct transaction *t, const struct command *c)
{
    const struct session_save *s = c->args;
    uint64_t more = cost_of_entries(s);

    for (size_t i = 0; i < s->subscription_count; i++)
        more += cost_of_new_subscription(s, s->subscriptions[i].filter);
    if (more > 0)
        admission_measure_upkeep(t, more + more / 2);
}

static const struct command_field fields[] = {
    {"identity", FIELD_TEXT, FIELD_REQUIRED,
     offsetof(struct session_save, identity), 0, UINT64_MAX,
     "identity: token, NUL, client id"},
    {"number", FIELD_U64, FIELD_REQUIRED,
     offsetof(struct session_save, number), 0, UINT64_MAX,
     "number: of the session"},
    {"moves", FIELD_YES, FIELD_OPTIONAL,
     offsetof(struct session_save, has_position), 0, 1, "moves: 1"},
    {"position", FIELD_U64, FIELD_OPTIONAL,
     offsetof(struct session_save, position), 0, UINT64_MAX,
     "position: an id"},
    {"forgotten", FIELD_PACKETS, FIELD_OPTIONAL,
     offsetof(struct session_save, forgotten),
     offsetof(struct session_save, forgotten_count), UINT32_MAX,
     "forgotten: a list"},
    {"entries", FIELD_INFLIGHT, FIELD_OPTIONAL,
     offsetof(struct session_save, entries),
     offsetof(struct session_save, entry_count), UINT32_MAX,
     "entries: a list"},
    {"given", FIELD_GIVEN, FIELD_OPTIONAL,
     offsetof(struct session_save, given),
     offsetof(struct session_save, given_count), UINT32_MAX, "given: a list"},
    {"released", FIELD_PACKETS, FIELD_OPTIONAL,
     offsetof(struct session_save, released),
     offsetof(struct session_save, released_count), UINT32_MAX,
     "released: a list"},
    {"removed", FIELD_FILTERS, FIELD_OPTIONAL,
     offsetof(struct session_save, removed),
     offsetof(struct session_save, removed_count), UINT32_MAX,
     "removed: a list"},
    {"subscriptions", FIELD_SUBSCRIPTIONS, FIELD_OPTIONAL,
     offsetof(struct session_save, subscriptions),
     offsetof(struct session_save, subscription_count), UINT32_MAX,
     "subscriptions: a list"},
    {"adds", FIELD_YES, FIELD_OPTIONAL, offsetof(struct session_save, adds), 0,
     1, "adds: 1"},
    {"ends", FIELD_YES, FIELD_OPTIONAL, offsetof(struct session_save, ends), 0,
     1, "ends: 1"},
    {"drops_will", FIELD_YES, FIELD_OPTIONAL,
     offsetof(struct session_save, drops_will), 0, 1, "drops_will: 1"},
    {"expiry", FIELD_U32, FIELD_OPTIONAL,
     offsetof(struct session_save, expiry_s), 0, UINT32_MAX,
     "expiry: seconds"},
    {"ended", FIELD_TIME, FIELD_OPTIONAL,
     offsetof(struct session_save, ended_us), 0, INT64_MAX,
     "ended: microseconds since 1970"},
    {"will_due", FIELD_TIME, FIELD_OPTIONAL,
     offsetof(struct session_save, will_due_us), 0, INT64_MAX,
     "will_due: microseconds since 1970"},
};

const struct command_type session_save_command = {
    .name = "session_save",
    .args_size = sizeof(struct session_save),
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .decide = session_save_decide,
    .apply = session_save_apply,
};
