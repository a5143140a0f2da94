#include "store/write/account.h"

/* LMDB's page: deleting a row above this size frees pages. */
#define PAGE 4096u
/* How much a row may grow when parts of fixed size change. */
#define GROWTH_ALWAYS 64u

uint64_t account_stored_cost(const struct transaction *t,
                             const struct message *m)
{
    const uint64_t cost = m->id <= t->plain_through
                              ? account_plain_cost(m->topic, 1, m->payload.len)
                              : account_message_cost(m);

    return m->change_id == 0
               ? cost
               : cost + account_change_cost(topic_first_level(m->topic), m);
}

uint64_t account_chunk_cost(const struct chunk_row *c, struct slice topic)
{
    return c->stored != 0 ? c->stored
                          : account_plain_cost(topic, c->count, c->bytes);
}

/* ---- who pays ------------------------------------------------------------ */

bool account_is_nobody(const struct token *who)
{
    return who->name_len == 1 && who->name[0] == '\0';
}

enum store_err account_of(struct transaction *t, struct slice name,
                          struct token **ret_who)
{
    const enum store_err err =
        transaction_token(t, token_valid(name) ? name : ACCOUNT_NOBODY,
                          ret_who);

    if (err != STORE_CORRUPT)
        return err;
    *ret_who = NULL;
    return STORE_OK;
}

enum store_err account_of_thing(struct transaction *t, struct thing *thing,
                                struct token **ret_who)
{
    return account_of(t, thing_token(thing), ret_who);
}

static bool exceeds_share(const struct transaction *t, const struct token *who,
                          uint64_t more)
{
    const uint64_t most = t->in.share_max;
    const uint64_t held = who->usage.bytes + who->usage.session_bytes;

    return held > most || more > most - held;
}

static bool exceeds_plan(const struct token *who, uint64_t more)
{
    const uint64_t most = who->plan->session_bytes_max;
    const uint64_t held = who->usage.session_bytes;

    return !account_is_nobody(who) && most != 0 &&
           (held > most || more > most - held);
}

enum command_result account_message_verdict(struct transaction *t,
                                            const struct token *who,
                                            uint64_t cost, uint64_t space)
{
    if (who != NULL && exceeds_share(t, who, cost))
        return RESULT_SHARE;
    if (t->in.room == 0 || space > t->in.room)
        return RESULT_FULL;
    return (enum command_result)t->in.paused;
}

enum command_result account_verdict(struct transaction *t,
                                    const struct token *who, uint64_t more)
{
    if (who != NULL && exceeds_plan(who, more))
        return RESULT_SESSION_BYTES;
    return account_message_verdict(t, who, more, more + more / 2);
}

enum command_result account_upkeep_verdict(struct transaction *t,
                                           uint64_t more)
{
    return more > t->in.room && more > t->in.upkeep ? RESULT_FULL : RESULT_OK;
}

/* ---- counting ------------------------------------------------------------ */

static uint64_t *field_of(struct token *who, enum account_part part)
{
    return part == ACCOUNT_MESSAGES ? &who->usage.bytes
                                    : &who->usage.session_bytes;
}

void account_add(struct transaction *t, struct token *who,
                 enum account_part part, uint64_t bytes)
{
    if (who == NULL)
        return;
    token_changed(&t->tokens, who);
    *field_of(who, part) += bytes;
}

void account_subtract(struct transaction *t, struct token *who,
                      enum account_part part, uint64_t bytes)
{
    if (who == NULL)
        return;
    uint64_t *field = field_of(who, part);
    token_changed(&t->tokens, who);
    *field -= bytes < *field ? bytes : *field;
}

/* Rows of sessions have random keys, so their pages are about two thirds full. */
static uint64_t space_for(uint64_t bytes)
{
    return bytes + bytes / 2;
}

static void change_cost(struct transaction *t, struct token *who,
                        enum account_part part, uint64_t before,
                        uint64_t after)
{
    if (after >= before) {
        account_add(t, who, part, after - before);
        space_take(&t->here.space, space_for(after - before));
    } else {
        account_subtract(t, who, part, before - after);
    }
}

/* The last guard of the reserve, whatever a verdict overlooked. In its lower half only
 * writes that free space are allowed, and growth of an existing row by fixed parts (a
 * position, the time of an end), since ends are written in any store. Rows of messages are
 * not checked: trims copy retained ones. */
static bool may_put(struct transaction *t, MDB_dbi dbi, MDB_val key,
                    uint64_t cost)
{
    MDB_val old;

    if (space_has_upkeep(&t->here.space, space_for(cost), t->here.mono_us))
        return true;
    return mdb_get(t->txn, dbi, &key, &old) == 0 &&
           cost <= account_row_cost(key.mv_size, old.mv_size) + GROWTH_ALWAYS;
}

enum store_err account_put(struct transaction *t, struct token *who,
                           enum account_part part, MDB_dbi dbi, MDB_val key)
{
    const size_t len = t->row.len;
    const uint64_t after = account_row_cost(key.mv_size, len);
    MDB_val v = {len, t->row.data};
    uint64_t before = 0;

    if (!buffer_ok(&t->row))
        return STORE_NOMEM;
    if (part == ACCOUNT_SESSIONS && !may_put(t, dbi, key, after))
        return STORE_FULL;
    t->put = true;
    /* Most rows are new; if not, this returns the old row's length. */
    int rc = mdb_put(t->txn, dbi, &key, &v, MDB_NOOVERWRITE);
    if (rc == MDB_KEYEXIST) {
        before = account_row_cost(key.mv_size, v.mv_size);
        v = (MDB_val){len, t->row.data};
        rc = mdb_put(t->txn, dbi, &key, &v, 0);
    }
    if (rc == 0)
        change_cost(t, who, part, before, after);
    return store_from_mdb(rc);
}

enum store_err account_delete(struct transaction *t, struct token *who,
                              enum account_part part, MDB_dbi dbi, MDB_val key,
                              bool *ret_was)
{
    MDB_val v;
    int rc = mdb_get(t->txn, dbi, &key, &v);

    if (ret_was != NULL)
        *ret_was = rc == 0;
    if (rc == MDB_NOTFOUND)
        return STORE_OK;
    if (rc != 0)
        return store_from_mdb(rc);
    const uint64_t before = account_row_cost(key.mv_size, v.mv_size);
    t->put = true;
    t->deleted |= before > PAGE; /* small rows are many, and free no page */
    rc = mdb_del(t->txn, dbi, &key, NULL);
    if (rc == 0)
        change_cost(t, who, part, before, 0);
    return store_from_mdb(rc);
}

enum store_err account_delete_all(struct transaction *t, struct token *who,
                                  enum account_part part, MDB_dbi dbi,
                                  MDB_val prefix)
{
    MDB_cursor *cursor = NULL;
    uint64_t before = 0;

    int rc = mdb_cursor_open(t->txn, dbi, &cursor);
    while (rc == 0) {
        MDB_val k = prefix, v;
        rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
        if (rc != 0 || k.mv_size < prefix.mv_size ||
            memcmp(k.mv_data, prefix.mv_data, prefix.mv_size) != 0)
            break;
        before += account_row_cost(k.mv_size, v.mv_size);
        rc = mdb_cursor_del(cursor, 0);
        t->put = t->deleted = true;
    }
    if (cursor != NULL) /* opening it may have failed */
        mdb_cursor_close(cursor);
    if (before > 0)
        change_cost(t, who, part, before, 0);
    return rc == MDB_NOTFOUND ? STORE_OK : store_from_mdb(rc);
}
