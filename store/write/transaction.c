#include "store/write/transaction.h"

#include "base/clock.h"
#include "base/log.h"

/* What the last run knew of the clock, and when it was last heard of. */
static enum store_err read_clock(struct transaction *t, MDB_txn *txn)
{
    struct clock_steps steps = {0};
    int64_t last_us = 0, seen_us = 0;
    struct record record;
    MDB_val key = {sizeof(t->committed_head), &t->committed_head}, row;

    enum store_err err = store_clock_steps_in(t->e, txn, &steps);
    if (err == STORE_OK)
        err = store_seen_in(t->e, txn, &seen_us);
    if (err != STORE_OK)
        return err;
    if (mdb_get(txn, t->e->db.log, &key, &row) == 0 &&
        schema_get_record(row, t->committed_head, &record))
        last_us =
            clock_steps_correct(&steps, t->committed_head, record.m.at_us);
    t->steps = steps;
    wall_clock_init(&t->here.clock, t->here.config->store_clock_jump_max,
                    t->here.config->store_clock_grace, &steps,
                    last_us > seen_us ? last_us : seen_us, clock_mono_us());
    atomic_store(&t->e->has_clock_steps, steps.count > 0);
    return STORE_OK;
}

static enum store_err read_settings(struct transaction *t, MDB_txn *txn)
{
    static char name[] = META_SETTINGS;
    MDB_val key = {sizeof(name) - 1, name}, row;
    const int rc = mdb_get(txn, t->e->db.meta, &key, &row);

    if (rc != 0)
        return rc == MDB_NOTFOUND ? STORE_OK : store_from_mdb(rc);
    const struct slice bytes = slice_of(row.mv_data, row.mv_size);
    if (!settings_get(bytes, &t->settings)) { /* they are written anew */
        t->settings = (struct settings){.open = false};
        return STORE_OK;
    }
    buffer_put_slice(&t->settings_row, bytes);
    return buffer_ok(&t->settings_row) ? STORE_OK : STORE_NOMEM;
}

static enum store_err read_start(struct transaction *t)
{
    MDB_txn *txn = NULL;
    MDB_stat stat;

    int rc = mdb_txn_begin(t->e->env, NULL, MDB_RDONLY, &txn);
    if (rc != 0)
        return store_from_mdb(rc);
    enum store_err err = store_head_in(t->e, txn, &t->committed_head);
    if (err == STORE_OK)
        err = read_clock(t, txn);
    if (err == STORE_OK)
        err = read_settings(t, txn);
    if (err == STORE_OK) {
        rc = mdb_stat(txn, t->e->db.trims, &stat);
        err = store_from_mdb(rc);
        t->trims_waiting = rc == 0 && stat.ms_entries > 0;
    }
    mdb_txn_abort(txn);
    return err;
}

enum store_err transaction_init(struct transaction *t, struct store *st,
                                const struct config *config)
{
    memset(t, 0, sizeof(*t));
    t->e = store_env(st);
    t->here.config = config;
    thing_cache_init(&t->things);
    token_cache_init(&t->tokens, &t->settings);
    space_init(&t->here.space, t->e);
    return read_start(t);
}

void transaction_release(struct transaction *t)
{
    thing_cache_release(&t->things);
    token_cache_release(&t->tokens);
    buffer_release(&t->settings_row);
    buffer_release(&t->row);
}

static void begin_here(struct here *h, size_t messages, int64_t now_us,
                       int64_t mono_us, uint64_t head)
{
    h->now_us = now_us;
    h->mono_us = mono_us;
    wall_clock_look(&h->clock, now_us, mono_us, head);
    h->decay_us = wall_clock_decay_us(&h->clock);
    h->deletions = TRANSACTION_DELETIONS + 2 * (unsigned)messages;
    space_begin(&h->space);
}

enum store_err transaction_begin(struct transaction *t, size_t messages,
                                 int64_t now_us, int64_t mono_us)
{
    t->batch = batch_new(messages);
    if (t->batch == NULL)
        return STORE_NOMEM;
    t->txn = NULL;
    t->log_end = NULL;
    t->head = t->committed_head;
    begin_here(&t->here, messages, now_us, mono_us, t->head);
    memset(t->remembered, 0, sizeof(t->remembered));
    t->put = t->deleted = false;
    t->appended = t->events = t->trimmed = t->sessions_expired = 0;
    admission_begin(t);
    return STORE_OK;
}

enum store_err transaction_open(struct transaction *t)
{
    if (t->txn != NULL)
        return STORE_OK;
    return store_from_mdb(mdb_txn_begin(t->e->env, NULL, 0, &t->txn));
}

enum store_err transaction_put(struct transaction *t, MDB_dbi dbi, MDB_val key,
                               MDB_val value, unsigned flags)
{
    t->put = true;
    return store_from_mdb(mdb_put(t->txn, dbi, &key, &value, flags));
}

enum store_err transaction_put_row(struct transaction *t, MDB_dbi dbi,
                                   MDB_val key, unsigned flags)
{
    if (!buffer_ok(&t->row))
        return STORE_NOMEM;
    return transaction_put(t, dbi, key, (MDB_val){t->row.len, t->row.data},
                           flags);
}

/* One cursor for all appends of a transaction: after the first one it stands at
 * the end, and LMDB only looks whether the pages it holds, from the root down, may
 * be written. mdb_put() sets up a cursor of its own and searches the tree with it
 * each time: a third of what an append cost there. */
enum store_err transaction_append_row(struct transaction *t, uint64_t id)
{
    MDB_val key = {sizeof(id), &id};
    MDB_val value = {t->row.len, t->row.data};

    if (!buffer_ok(&t->row))
        return STORE_NOMEM;
    t->put = true;
    int rc = 0;
    if (t->log_end == NULL)
        rc = mdb_cursor_open(t->txn, t->e->db.log, &t->log_end);
    if (rc == 0)
        rc = mdb_cursor_put(t->log_end, &key, &value, MDB_APPEND);
    return store_from_mdb(rc);
}

void transaction_log_changes(struct transaction *t)
{
    if (t->log_end != NULL)
        mdb_cursor_close(t->log_end);
    t->log_end = NULL;
}

bool transaction_changed(const struct transaction *t)
{
    return t->put || !STAILQ_EMPTY(&t->things.changed) ||
           !STAILQ_EMPTY(&t->tokens.changed);
}

enum store_err transaction_put_settings(struct transaction *t,
                                        struct slice row)
{
    static char name[] = META_SETTINGS;

    if (!t->settings_changed)
        t->settings_before = t->settings;
    if (!settings_get(row, &t->settings)) {
        t->settings = t->settings_before;
        return STORE_INVALID;
    }
    t->settings_changed = true;
    token_cache_settings_changed(&t->tokens);
    buffer_clear(&t->settings_row);
    buffer_put_slice(&t->settings_row, row);
    if (!buffer_ok(&t->settings_row))
        return STORE_NOMEM;
    return transaction_put(t, t->e->db.meta, (MDB_val){sizeof(name) - 1, name},
                           (MDB_val){row.len, (void *)row.data}, 0);
}

enum store_err transaction_put_clock_steps(struct transaction *t,
                                           const struct clock_steps *s)
{
    static char name[] = META_CLOCK_STEPS;

    if (!t->steps_changed)
        t->steps_before = t->steps;
    t->steps_changed = true;
    t->steps = *s;
    /* Before any reader can see them. */
    atomic_store(&t->e->has_clock_steps, true);
    return transaction_put(
        t, t->e->db.meta, (MDB_val){sizeof(name) - 1, name},
        (MDB_val){s->count * sizeof(s->step[0]), (void *)s->step}, 0);
}

static void take_back_settings(struct transaction *t)
{
    if (t->settings_changed) {
        t->settings = t->settings_before;
        buffer_clear(&t->settings_row); /* proposed again */
        token_cache_settings_changed(&t->tokens);
    }
    if (t->steps_changed)
        t->steps = t->steps_before;
    t->settings_changed = t->steps_changed = false;
}

enum store_err transaction_commit(struct transaction *t)
{
    if (!transaction_changed(t)) {
        mdb_txn_abort(t->txn);
        t->txn = NULL;
        t->log_end = NULL;
        t->batch->head = t->committed_head;
        take_back_settings(t);
        /* Refusals, too, bring entries into memory: keep to the bounds. */
        thing_cache_committed(&t->things);
        token_cache_committed(&t->tokens);
        return STORE_OK;
    }
    enum store_err err = store_put_format(t->e, t->txn);
    if (err == STORE_OK)
        err = thing_cache_flush(&t->things, t->e, t->txn, &t->row);
    if (err == STORE_OK)
        err = token_cache_flush(&t->tokens, t->e, t->txn, &t->row);
    if (err == STORE_OK) {
        err = store_commit(t->e, t->txn);
        t->txn = NULL; /* gone even when it failed */
        t->log_end = NULL;
    }
    if (err != STORE_OK) {
        transaction_abort(t);
        return err;
    }
    thing_cache_committed(&t->things);
    token_cache_committed(&t->tokens);
    t->settings_changed = t->steps_changed = false;
    t->committed_head = t->batch->head = t->head;
    t->e->format = SCHEMA_FORMAT;
    if (t->deleted)
        space_freed(&t->here.space);
    return STORE_OK;
}

void transaction_abort(struct transaction *t)
{
    mdb_txn_abort(t->txn); /* no-op on NULL */
    t->txn = NULL;
    t->log_end = NULL;
    thing_cache_aborted(&t->things);
    token_cache_aborted(&t->tokens);
    take_back_settings(t);
    batch_unref(t->batch);
    t->batch = NULL;
}

enum store_err transaction_end_step(struct transaction *t, enum store_err err)
{
    if (err == STORE_OK && transaction_changed(t)) {
        err = token_cache_flush(&t->tokens, t->e, t->txn, &t->row);
        if (err == STORE_OK) {
            err = store_commit(t->e, t->txn);
            t->txn = NULL; /* gone even when it failed */
        }
    }
    mdb_txn_abort(t->txn); /* no-op on NULL */
    t->txn = NULL;
    t->put = t->deleted = false;
    if (err == STORE_OK)
        token_cache_committed(&t->tokens);
    else
        token_cache_aborted(&t->tokens);
    return err;
}

enum store_err transaction_thing(struct transaction *t, struct slice topic,
                                 struct thing **ret_thing)
{
    return thing_cache_get(&t->things, t->e, t->txn, topic, ret_thing);
}

enum store_err transaction_token(struct transaction *t, struct slice name,
                                 struct token **ret_token)
{
    return token_cache_get(&t->tokens, t->e, t->txn, name, ret_token);
}

enum store_err transaction_token_of(struct transaction *t, struct thing *thing,
                                    struct token **ret_token)
{
    if (thing->token_generation == t->tokens.generation) {
        token_cache_used(&t->tokens, thing->token);
        *ret_token = thing->token;
        return STORE_OK;
    }
    const enum store_err err =
        transaction_token(t, thing_token(thing), ret_token);
    if (err == STORE_OK) {
        thing->token = *ret_token;
        thing->token_generation = t->tokens.generation;
    }
    return err;
}

enum store_err transaction_touch(struct transaction *t)
{
    static char key[] = META_PING;

    buffer_clear(&t->row);
    schema_put_number(&t->row, (uint64_t)t->here.now_us);
    return transaction_put_row(t, t->e->db.meta,
                               (MDB_val){sizeof(key) - 1, key}, 0);
}

enum store_err transaction_propose(struct transaction *t, struct command *c)
{
    return t->here.propose(t->here.propose_arg, c);
}

enum store_err transaction_row_damaged(struct command *c)
{
    log_error("store",
              "a row that %s needs is damaged: refused (confab check --data "
              "names it)",
              command_kind_name(c->kind));
    c->result = RESULT_IO;
    return STORE_OK;
}
