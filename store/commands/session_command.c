/* Commands that change stored sessions (store/session.h). */
#include <limits.h>

#include "base/topic.h"
#include "store/write/account.h"
#include "store/write/session_write.h"

#define INFLIGHT_KEY 11
#define INFLIGHT_ROW 32 /* without identifiers */
#define GIVEN_KEY 24
#define GIVEN_ROW 2

/* ---- rows ---------------------------------------------------------------- */

static enum store_err find(struct transaction *t, struct slice identity,
                           struct session_row *ret_row)
{
    struct schema_key key;
    MDB_val k, v;

    schema_name_key(identity, &key);
    k = schema_val(&key);
    const int rc = mdb_get(t->txn, t->e->db.sessions, &k, &v);
    if (rc != 0)
        return store_from_mdb(rc);
    if (!schema_get_session(k, v, ret_row))
        return STORE_CORRUPT;
    ret_row->identity = identity;
    return STORE_OK;
}

enum store_err session_put(struct transaction *t, struct token *who,
                           const struct session_row *s)
{
    struct schema_key key;

    schema_name_key(s->identity, &key);
    buffer_clear(&t->row);
    schema_put_session(&t->row, s);
    return account_put(t, who, ACCOUNT_SESSIONS, t->e->db.sessions,
                       schema_val(&key));
}

static enum store_err delete_row(struct transaction *t, struct token *who,
                                 MDB_dbi dbi, const struct schema_key *key)
{
    return account_delete(t, who, ACCOUNT_SESSIONS, dbi, schema_val(key),
                          NULL);
}

/* The first row of `dbi` that belongs to session `number`. */
static int first_part(struct transaction *t, MDB_dbi dbi, uint64_t number,
                      MDB_val *ret_key, MDB_val *ret_row)
{
    struct schema_key first;
    MDB_cursor *cursor;

    schema_part_key(number, &first);
    *ret_key = schema_val(&first);
    int rc = mdb_cursor_open(t->txn, dbi, &cursor);
    if (rc != 0)
        return rc;
    rc = mdb_cursor_get(cursor, ret_key, ret_row, MDB_SET_RANGE);
    mdb_cursor_close(cursor);
    if (rc == 0 && (ret_key->mv_size < first.len ||
                    memcmp(ret_key->mv_data, first.bytes, first.len) != 0))
        return MDB_NOTFOUND;
    return rc;
}

/* Leaves the group of a subscription whose row is about to be deleted. */
static enum store_err leave_group(struct transaction *t, struct slice identity,
                                  MDB_val k, MDB_val v)
{
    struct session_subscription sub;

    return schema_get_subscription(k, v, &sub)
               ? group_count(t, identity, sub.filter, false)
               : STORE_OK;
}

/* At most *left rows of `dbi`, which it counts down. */
static enum store_err delete_parts(struct transaction *t, struct token *who,
                                   MDB_dbi dbi, const struct session_row *s,
                                   unsigned *left)
{
    struct schema_key at;
    enum store_err err = STORE_OK;
    MDB_val k, v;

    for (; err == STORE_OK && *left > 0; --*left) {
        const int rc = first_part(t, dbi, s->number, &k, &v);
        if (rc != 0)
            return rc == MDB_NOTFOUND ? STORE_OK : store_from_mdb(rc);
        /* Copied: writes move what the key points to. */
        memcpy(at.bytes, k.mv_data, k.mv_size);
        at.len = k.mv_size;
        if (dbi == t->e->db.subscriptions)
            err = leave_group(t, s->identity, k, v);
        if (err == STORE_OK)
            err = delete_row(t, who, dbi, &at);
    }
    return err;
}

static enum store_err put_will(struct transaction *t, struct token *who,
                               uint64_t number, const struct message *will)
{
    struct schema_key key;

    schema_part_key(number, &key);
    if (will == NULL)
        return delete_row(t, who, t->e->db.wills, &key);
    buffer_clear(&t->row);
    schema_put_record(&t->row, will);
    return account_put(t, who, ACCOUNT_SESSIONS, t->e->db.wills,
                       schema_val(&key));
}

/* What the will that is stored counts. */
static uint64_t will_cost(struct transaction *t, uint64_t number)
{
    struct schema_key key;
    MDB_val k, v;

    schema_part_key(number, &key);
    k = schema_val(&key);
    return mdb_get(t->txn, t->e->db.wills, &k, &v) == 0
               ? account_row_cost(k.mv_size, v.mv_size)
               : 0;
}

static void count(struct transaction *t, struct token *who, bool more)
{
    if (who == NULL)
        return;
    token_changed(&t->tokens, who);
    if (more)
        who->usage.sessions++;
    else if (who->usage.sessions > 0)
        who->usage.sessions--;
}

/* Some rows are left: nobody is to go on with what is left of it. */
static enum store_err note_over(struct transaction *t, struct token *who,
                                const struct session_row *s)
{
    struct session_row over = *s;

    over.has_will = false;
    over.expiry_s = 0;
    if (over.ended_us == 0)
        over.ended_us = t->now_us;
    return session_put(t, who, &over);
}

enum store_err session_delete_some(struct transaction *t,
                                   const struct session_row *s, unsigned *left)
{
    struct schema_key key;
    struct token *who;

    enum store_err err = account_of(t, session_token(s->identity), &who);
    if (err == STORE_OK)
        err = put_will(t, who, s->number, NULL);
    if (err == STORE_OK)
        err = delete_parts(t, who, t->e->db.subscriptions, s, left);
    if (err == STORE_OK)
        err = delete_parts(t, who, t->e->db.inflight, s, left);
    if (err != STORE_OK)
        return err;
    if (*left == 0)
        return note_over(t, who, s);
    --*left;
    count(t, who, false);
    schema_name_key(s->identity, &key);
    return delete_row(t, who, t->e->db.sessions, &key);
}

enum store_err session_delete(struct transaction *t,
                              const struct session_row *s)
{
    unsigned all = UINT_MAX;

    return session_delete_some(t, s, &all);
}

/* ---- opening ------------------------------------------------------------- */

/* What its will adds, when it takes the place of one that is stored. */
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
    return err == STORE_OK ? put_will(t, who, row->number, o->will) : err;
}

static enum store_err create(struct transaction *t, struct token *who,
                             struct command *c)
{
    struct session_open *o = c->open;
    struct session_row row = {
        .identity = o->identity,
        .number = o->fresh_number,
        .position = t->head,
        .created_us = t->now_us,
    };

    c->result = creation_verdict(t, who, o);
    if (c->result != RESULT_OK)
        return STORE_OK;
    count(t, who, true);
    o->number = row.number;
    o->position = row.position;
    return put_opened(t, who, o, &row);
}

/* Going on with a session adds nothing, so it goes on in a full store; a will that
 * is larger than the one before must have room like anything else. */
static enum store_err resume(struct transaction *t, struct token *who,
                             struct command *c, struct session_row *row)
{
    struct session_open *o = c->open;
    const uint64_t more = more_will(o, will_cost(t, row->number));

    if (more > 0)
        c->result = account_verdict(t, who, more);
    if (c->result != RESULT_OK)
        return STORE_OK;
    o->present = true;
    o->number = row->number;
    o->position = row->position;
    return put_opened(t, who, o, row);
}

enum store_err session_open_apply(struct transaction *t, struct command *c)
{
    struct session_open *o = c->open;
    struct session_row row;
    struct token *who;

    o->present = false;
    o->number = o->position = 0;
    enum store_err err = find(t, o->identity, &row);
    if (err == STORE_CORRUPT) {
        c->result = RESULT_IO;
        return STORE_OK;
    }
    if (err != STORE_OK && err != STORE_NOTFOUND)
        return err;
    bool found = err == STORE_OK;
    err = account_of(t, session_token(o->identity), &who);
    if (err != STORE_OK)
        return err;
    if (found &&
        (o->clean ||
         session_is_over(&row, wall_clock_age_us(&t->clock, row.ended_us)))) {
        err = session_delete(t, &row);
        if (err != STORE_OK)
            return err;
        found = false;
    }
    if (found)
        return resume(t, who, c, &row);
    return o->expiry_s == 0 ? STORE_OK : create(t, who, c);
}

/* ---- saving: what becomes less --------------------------------------------- */

static enum store_err release_inflight(struct transaction *t,
                                       struct token *who,
                                       const struct session_save *s)
{
    const MDB_dbi dbi = t->e->db.inflight;
    struct schema_key key;
    enum store_err err = STORE_OK;

    for (size_t i = 0; err == STORE_OK && i < s->forgotten_count; i++) {
        schema_inflight_key(s->number, false, s->forgotten[i], &key);
        err = delete_row(t, who, dbi, &key);
    }
    for (size_t i = 0; err == STORE_OK && i < s->released_count; i++) {
        schema_inflight_key(s->number, true, s->released[i], &key);
        err = delete_row(t, who, dbi, &key);
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

/* ---- saving: what may become more ------------------------------------------ */

uint64_t session_inflight_cost(uint32_t identifier_count)
{
    return account_row_cost(INFLIGHT_KEY,
                            INFLIGHT_ROW + 5 * (size_t)identifier_count);
}

uint64_t session_inflight_max(const struct plan *plan)
{
    if (plan == NULL || plan->session_bytes_max == 0)
        return UINT64_MAX;
    const uint64_t parts =
        plan->sessions_max != 0 ? plan->sessions_max : SESSION_INFLIGHT_PARTS;
    const uint64_t part = plan->session_bytes_max / 2 / parts;
    return part > SESSION_INFLIGHT_MIN ? part : SESSION_INFLIGHT_MIN;
}

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

/* What they add to what is stored. The rows that are there decide: the client's
 * worker may count on one that was refused meanwhile. */
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

/* Subscriptions that a client asks for must have room like anything else. What is
 * in flight, and what is noted about subscriptions there are, goes on whatever its
 * token holds, and in a store that is full, but not for ever. */
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

/* `kept`: position and what is in flight belong together, and both are saved. */
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
            err = put_will(t, who, row->number, NULL);
        }
    }
    return err == STORE_OK ? session_put(t, who, row) : err;
}

/* Whatever comes of the rest: an end is an end, and what is given up is gone. What
 * was saved last then holds for the rest: it is delivered again. */
static enum store_err save(struct transaction *t, struct command *c,
                           struct session_row *row)
{
    const struct session_save *s = c->save;
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

enum store_err session_save_apply(struct transaction *t, struct command *c)
{
    const struct session_save *s = c->save;
    struct session_row row;

    enum store_err err = find(t, s->identity, &row);
    if (err == STORE_NOTFOUND ||
        (err == STORE_OK && row.number != s->number)) {
        c->result = RESULT_NOT_FOUND;
        return STORE_OK;
    }
    if (err == STORE_CORRUPT) {
        c->result = RESULT_IO;
        return STORE_OK;
    }
    if (err != STORE_OK)
        return err;
    if (s->ends && s->expiry_s == 0)
        return session_delete(t, &row);
    return save(t, c, &row);
}

/* ---- with a message ------------------------------------------------------ */

#define MARK_COST account_row_cost(INFLIGHT_KEY, 2)

enum command_result session_mark_verdict(struct transaction *t,
                                         const struct command *c)
{
    const struct session_mark *m = &c->mark;
    struct token *who;

    if (m->number == 0 || m->packet_id == 0)
        return RESULT_OK;
    return account_of(t, session_token(m->identity), &who) == STORE_OK
               ? account_verdict(t, who, MARK_COST)
               : RESULT_IO;
}

static enum store_err mark_inbound(struct transaction *t, struct token *who,
                                   const struct session_mark *m)
{
    const struct session_inflight i = {.inbound = true};
    struct schema_key key;

    schema_inflight_key(m->number, true, m->packet_id, &key);
    buffer_clear(&t->row);
    schema_put_inflight(&t->row, &i);
    return account_put(t, who, ACCOUNT_SESSIONS, t->e->db.inflight,
                       schema_val(&key));
}

enum store_err session_mark_apply(struct transaction *t,
                                  const struct command *c)
{
    const struct session_mark *m = &c->mark;
    struct session_row row;
    struct token *who;

    if (m->number == 0)
        return STORE_OK;
    enum store_err err = account_of(t, session_token(m->identity), &who);
    if (err != STORE_OK)
        return err;
    if (m->packet_id == 0)
        return put_will(t, who, m->number, NULL);
    err = find(t, m->identity, &row);
    if (err != STORE_OK || row.number != m->number)
        return err == STORE_NOTFOUND || err == STORE_CORRUPT ? STORE_OK : err;
    return mark_inbound(t, who, m);
}
