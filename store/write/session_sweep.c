#include <stdlib.h>

#include "base/topic.h"
#include "store/write/account.h"
#include "store/write/retention.h"
#include "store/write/session_write.h"

#define STEP_ROWS 256
#define RECOVER_STEP 512
#define SECOND_US INT64_C(1000000)

/* Key of the row the walk goes on with. */
static void step_over(struct schema_key *at, MDB_val k)
{
    memcpy(at->bytes, k.mv_data, k.mv_size);
    at->bytes[k.mv_size] = '\0'; /* the least key above it */
    at->len = k.mv_size + 1;
}

static int row_from(struct transaction *t, const struct schema_key *at,
                    MDB_val *ret_key, MDB_val *ret_row)
{
    MDB_cursor *cursor;

    *ret_key = schema_val(at);
    int rc = mdb_cursor_open(t->txn, t->e->db.sessions, &cursor);
    if (rc != 0)
        return rc;
    rc = mdb_cursor_get(cursor, ret_key, ret_row,
                        at->len == 0 ? MDB_FIRST : MDB_SET_RANGE);
    mdb_cursor_close(cursor);
    return rc;
}

/* ---- the walk ------------------------------------------------------------ */

bool session_sweep_due(const struct session_sweep *s, int64_t now_us)
{
    return s->walking || now_us >= s->next_us ||
           now_us < s->next_us - SWEEP_EVERY_US;
}

static bool is_revoked(struct transaction *t, struct slice identity)
{
    const struct slice name = session_token(identity);
    struct token *token;

    return token_valid(name) &&
           transaction_token(t, name, &token) == STORE_OK &&
           token->revoked_us != 0;
}

static bool is_garbage(struct transaction *t, const struct session_row *row)
{
    if (row->ended_us == 0)
        return false;
    return session_is_over(row, wall_clock_age_us(&t->clock, row->ended_us) -
                                    SESSION_GRACE_US) ||
           is_revoked(t, row->identity);
}

enum store_err session_sweep_step(struct session_sweep *s,
                                  struct transaction *t)
{
    unsigned left =
        space_deletions(&t->space, SESSION_ROWS_DELETED, t->mono_us);

    if (left == 0) { /* a reader pins what would come back */
        s->walking = false;
        s->next_us = t->now_us + SECOND_US;
        return STORE_OK;
    }
    if (!s->walking) {
        s->walking = true;
        s->next_us = t->now_us + SWEEP_EVERY_US;
        s->at.len = 0;
    }
    for (unsigned i = 0; i < STEP_ROWS && left > 0; i++) {
        struct session_row row;
        char identity[SCHEMA_KEY_MAX + 24];
        MDB_val k, v;
        const int rc = row_from(t, &s->at, &k, &v);
        if (rc == MDB_NOTFOUND) {
            s->walking = false;
            return STORE_OK;
        }
        if (rc != 0)
            return store_from_mdb(rc);
        const struct schema_key before = s->at;
        const bool good = schema_get_session(k, v, &row);
        step_over(&s->at, k);
        if (!good || !is_garbage(t, &row))
            continue;
        /* Copied: deleting moves what the row borrows from. Long ones stay
         * where they are until their rows are deleted, the last of all. */
        char *copy = row.identity.len <= sizeof(identity)
                         ? identity
                         : malloc(row.identity.len);
        if (copy == NULL)
            return STORE_NOMEM;
        memcpy(copy, row.identity.data, row.identity.len);
        row.identity = slice_of(copy, row.identity.len);
        const enum store_err err = session_delete_some(t, &row, &left);
        if (copy != identity)
            free(copy);
        if (err != STORE_OK)
            return err;
        if (left == 0)
            s->at = before; /* some of it may be left */
        else
            t->sessions_expired++;
    }
    return STORE_OK;
}

/* ---- at start ------------------------------------------------------------ */

static void end_now(struct session_row *row, int64_t now_us)
{
    const uint32_t wait_s =
        row->will_delay_s < row->expiry_s ? row->will_delay_s : row->expiry_s;

    row->ended_us = now_us;
    row->will_due_us = row->has_will ? now_us + wait_s * SECOND_US : 0;
}

static enum store_err recover_step(struct transaction *t,
                                   struct schema_key *at, int64_t now_us,
                                   bool *ret_done)
{
    enum store_err err = STORE_OK;

    for (unsigned i = 0; err == STORE_OK && i < RECOVER_STEP; i++) {
        struct session_row row;
        struct token *who;
        MDB_val k, v;
        const int rc = row_from(t, at, &k, &v);
        *ret_done = rc == MDB_NOTFOUND;
        if (rc != 0)
            return *ret_done ? STORE_OK : store_from_mdb(rc);
        step_over(at, k);
        if (!schema_get_session(k, v, &row) || row.ended_us != 0)
            continue;
        end_now(&row, now_us);
        err = account_of(t, session_token(row.identity), &who);
        if (err != STORE_OK)
            break;
        buffer_clear(&t->row);
        schema_put_session(&t->row, &row);
        /* The key of a long identity is a hash: take the one it has. */
        at->len--;
        err = account_put(t, who, ACCOUNT_SESSIONS, t->e->db.sessions,
                          schema_val(at));
        at->len++;
    }
    return err;
}

enum store_err session_recover(struct transaction *t, int64_t now_us)
{
    struct schema_key at = {.len = 0};
    enum store_err err = STORE_OK;
    bool done = false;

    while (err == STORE_OK && !done) {
        err = transaction_open(t);
        if (err != STORE_OK)
            break;
        err = recover_step(t, &at, now_us, &done);
        err = transaction_end_step(t, err);
    }
    return err;
}
