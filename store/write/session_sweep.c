#include <stdlib.h>

#include "base/topic.h"
#include "store/write/retention.h"
#include "store/write/session_write.h"

#define STEP_ROWS 256
#define RECOVER_STEP 512
#define SECOND_US INT64_C(1000000)

/* Sets `at` to the next key after k. */
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

/* The identity is copied, because the command's changes move the bytes of the row. */
static enum store_err propose_for_session(struct transaction *t,
                                          enum command_kind kind,
                                          const struct session_row *row,
                                          bool *ret_more)
{
    char *identity = malloc(row->identity.len + 1);

    if (identity == NULL)
        return STORE_NOMEM;
    memcpy(identity, row->identity.data, row->identity.len);
    struct session_mark which = {
        .number = row->number,
        .identity = slice_of(identity, row->identity.len),
    };
    struct command c = {.kind = kind, .args = &which};
    const enum store_err err = transaction_propose(t, &c);
    free(identity);
    *ret_more = c.more;
    return err;
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
    return session_is_over(row,
                           wall_clock_age_us(&t->here.clock, row->ended_us) -
                               SESSION_GRACE_US) ||
           is_revoked(t, row->identity);
}

enum store_err session_sweep_step(struct session_sweep *s,
                                  struct transaction *t)
{
    struct here *h = &t->here;

    if (space_deletions(&h->space, SESSION_ROWS_DELETED, h->mono_us) == 0) {
        s->walking = false; /* a reader pins the pages that would be freed */
        s->next_us = h->now_us + SECOND_US;
        return STORE_OK;
    }
    if (!s->walking) {
        s->walking = true;
        s->next_us = h->now_us + SWEEP_EVERY_US;
        s->at.len = 0;
    }
    bool more = false;
    for (unsigned i = 0; i < STEP_ROWS && !more; i++) {
        struct session_row row;
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
        const enum store_err err =
            propose_for_session(t, COMMAND_SESSION_EXPIRE, &row, &more);
        if (err != STORE_OK)
            return err;
        if (more)
            s->at = before; /* rows of it are left */
    }
    return STORE_OK;
}

/* ---- at start ------------------------------------------------------------ */

enum store_err session_recover_step(struct transaction *t,
                                    struct schema_key *at, bool *ret_done)
{
    enum store_err err = STORE_OK;
    bool more;

    *ret_done = false;
    for (unsigned i = 0; err == STORE_OK && i < RECOVER_STEP; i++) {
        struct session_row row;
        MDB_val k, v;
        const int rc = row_from(t, at, &k, &v);
        *ret_done = rc == MDB_NOTFOUND;
        if (rc != 0)
            return *ret_done ? STORE_OK : store_from_mdb(rc);
        step_over(at, k);
        if (schema_get_session(k, v, &row) && row.ended_us == 0)
            err = propose_for_session(t, COMMAND_SESSION_LOST, &row, &more);
    }
    return err;
}
