#include "test/unit/store/writing.h"
#include "store/read/reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "store/read/reader.h"
#include "store/write/command_type.h"
#include "test/unit/store/recount.h"

/* ---- clock ------------------------------------------------------------ */

static atomic_llong now_us = TEST_EPOCH;

void clock_set(int64_t us)
{
    atomic_store(&now_us, us);
}

void clock_advance(int64_t us)
{
    atomic_fetch_add(&now_us, us);
}

int64_t clock_now(void)
{
    return atomic_load(&now_us);
}

/* ---- store and writer ------------------------------------------------- */

static void keep(struct writing *w, const struct message *m)
{
    if (w->offered_count == w->offered_room) {
        w->offered_room = 2 * w->offered_room + 64;
        w->offered =
            realloc(w->offered, w->offered_room * sizeof(w->offered[0]));
        if (w->offered == NULL)
            abort();
    }
    struct offered *o = &w->offered[w->offered_count++];
    *o = (struct offered){m->id, m->seq, m->at_us, m->kind, "", w->batches};
    const size_t len =
        m->topic.len < sizeof(o->topic) ? m->topic.len : sizeof(o->topic) - 1;
    memcpy(o->topic, m->topic.data, len);
}

static void on_batch(void *arg, struct batch *b)
{
    struct writing *w = arg;

    pthread_mutex_lock(&w->mutex);
    w->batches++;
    w->head = b->head;
    for (size_t i = 0; i < b->count; i++)
        keep(w, b->messages[i]);
    pthread_mutex_unlock(&w->mutex);
}

void writing_start(struct writing *w)
{
    const struct store_opts opts = {.map_size = w->map_size};
    const struct writer_opts writer_opts = {
        .config = &w->config,
        .commands = command_types,
        .on_batch = on_batch,
        .on_entry = w->on_entry,
        .arg = w,
        .now_us = clock_now,
        .queue_bound = w->queue_bound,
    };
    assert_int_equal(store_open(w->dir, &opts, &w->store, NULL), STORE_OK);
    assert_int_equal(writer_start(w->store, &writer_opts, &w->writer),
                     STORE_OK);
}

void writing_open(struct writing *w, uint64_t map_size)
{
    struct config_error error;

    *w = (struct writing){.map_size = map_size};
    snprintf(w->dir, sizeof(w->dir), "/tmp/confab-writing-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    config_defaults(&w->config);
    w->config.store_clock_jump_max = 0; /* tests jump as far as they like */
    assert_true(config_finish(&w->config, &error));
    w->config.tokens_access = ACCESS_OPEN;
    w->config.limits_token_share = 100; /* few tests have more than one */
    pthread_mutex_init(&w->mutex, NULL);
    clock_set(TEST_EPOCH);
    writing_start(w);
}

void writing_stop(struct writing *w)
{
    if (w->writer == NULL)
        return;
    writer_stop(w->writer);
    writer_free(w->writer);
    store_close(w->store);
    w->writer = NULL;
    w->store = NULL;
}

void writing_restart(struct writing *w)
{
    writing_stop(w);
    writing_start(w);
}

void writing_close(struct writing *w)
{
    static const char *const names[] = {"data.mdb", "lock.mdb", "confab.lock"};
    char path[128];

    writing_stop(w);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", w->dir, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(w->dir), 0);
    pthread_mutex_destroy(&w->mutex);
    free(w->offered);
}

struct plan *writing_plan(struct writing *w, const char *name)
{
    for (size_t i = 0; i < w->config.plan_count; i++)
        if (strcmp(w->config.plans[i].name, name) == 0)
            return &w->config.plans[i];
    fail_msg("no plan %s", name);
    return NULL;
}

/* ---- commands --------------------------------------------------------- */

static void on_done(struct command **c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sem_post(&((struct sent *)c[i]->owner)->done);
}

struct sent *new_command(enum command_kind kind)
{
    struct sent *s = calloc(1, sizeof(*s));

    assert_non_null(s);
    sem_init(&s->done, 0, 0);
    s->c.kind = kind;
    if (command_types[kind]->args_size > 0) {
        s->args = calloc(1, command_types[kind]->args_size);
        assert_non_null(s->args);
        s->c.args = s->args;
    }
    s->c.done = on_done;
    s->c.owner = s;
    s->c.now_us = clock_now();
    return s;
}

struct sent *new_append_bytes(const char *topic, const void *payload,
                              size_t len, bool retain)
{
    const struct message from = {
        .kind = MESSAGE_MESSAGE,
        .payload_class = PAYLOAD_TEXT,
        .qos = 1,
        .retain = retain,
        .topic = slice_str(topic),
        .payload = slice_of(payload, len),
    };
    struct sent *s = new_command(COMMAND_APPEND);
    s->c.message = message_new(&from);
    assert_non_null(s->c.message);
    return s;
}

struct sent *new_append(const char *topic, const char *payload)
{
    return new_append_bytes(topic, payload, strlen(payload), false);
}

struct sent *new_change(enum message_kind kind, const char *topic, uint64_t id,
                        const char *payload)
{
    const struct message from = {
        .kind = (uint8_t)kind,
        .payload_class = PAYLOAD_TEXT,
        .topic = slice_str(topic),
        .payload = slice_str(payload),
        .about = id,
        .changed_by = slice_str("ann"),
    };
    struct sent *s =
        new_command(kind == MESSAGE_EDIT ? COMMAND_EDIT : COMMAND_DELETE);
    s->c.message = message_new(&from);
    assert_non_null(s->c.message);
    return s;
}

struct sent *new_purge(const char *topic, uint64_t before)
{
    struct sent *s = new_command(COMMAND_THING_PURGE);

    *ARGS(s, thing_purge) =
        (struct thing_purge){.topic = slice_str(topic),
                             .tell = true,
                             .before = before,
                             .changed_by = slice_str("ann")};
    return s;
}

void set_sender(struct sent *append, const char *user)
{
    struct message *old = append->c.message;
    struct message m = *old;

    m.sender = slice_str(user);
    append->c.message = message_new(&m);
    assert_non_null(append->c.message);
    message_unref(old);
}

struct sent *new_event(const char *topic)
{
    const struct message from = {.kind = MESSAGE_EVENT,
                                 .topic = slice_str(topic)};
    struct sent *s = new_command(COMMAND_EVENT);

    s->c.message = message_new(&from);
    assert_non_null(s->c.message);
    return s;
}

void sent_free(struct sent *s)
{
    message_unref(s->c.message);
    sem_destroy(&s->done);
    free(s->args);
    free(s);
}

void submit(struct writing *w, struct sent *s)
{
    assert_true(writer_submit(w->writer, &s->c));
}

void wait_for(struct sent *s)
{
    while (sem_wait(&s->done) != 0)
        ;
}

struct command run(struct writing *w, struct sent *s)
{
    submit(w, s);
    wait_for(s);
    const struct command c = s->c;
    sent_free(s);
    return c;
}

struct command append(struct writing *w, const char *topic,
                      const char *payload)
{
    return run(w, new_append(topic, payload));
}

struct command append_retained(struct writing *w, const char *topic,
                               const char *payload)
{
    return run(w, new_append_bytes(topic, payload, strlen(payload), true));
}

struct command create_token(struct writing *w, const char *token,
                            const char *plan)
{
    struct sent *s = new_command(COMMAND_TOKEN_CREATE);

    *ARGS(s, token_create) =
        (struct token_create){slice_str(token), slice_str(plan)};
    return run(w, s);
}

struct command revoke_token(struct writing *w, const char *token)
{
    struct sent *s = new_command(COMMAND_TOKEN_REVOKE);

    ARGS(s, token_revoke)->token = slice_str(token);
    return run(w, s);
}

struct command trim(struct writing *w, const char *topic, uint64_t through)
{
    struct sent *s = new_command(COMMAND_TRIM);

    *ARGS(s, thing_trim) = (struct thing_trim){slice_str(topic), through};
    return run(w, s);
}

struct command ping(struct writing *w)
{
    return run(w, new_command(COMMAND_PING));
}

struct command tell_usage(struct writing *w, const char *token,
                          int64_t start_us, uint64_t reads)
{
    struct sent *s = new_command(COMMAND_USAGE);

    *ARGS(s, token_reads) =
        (struct token_reads){slice_str(token), start_us, reads};
    return run(w, s);
}

static void on_hold(struct command **c, size_t n)
{
    struct hold *h = (*c)->owner;

    assert_int_equal(n, 1);
    sem_post(&h->reached);
    while (sem_wait(&h->over) != 0)
        ;
}

void writer_hold(struct writing *w, struct hold *h)
{
    h->command = new_event("$events/hold/held/");
    sem_init(&h->reached, 0, 0);
    sem_init(&h->over, 0, 0);
    h->command->c.done = on_hold;
    h->command->c.owner = h;
    submit(w, h->command);
    while (sem_wait(&h->reached) != 0)
        ;
}

void writer_let_go(struct hold *h)
{
    sem_post(&h->over);
}

void hold_release(struct hold *h)
{
    sent_free(h->command);
    sem_destroy(&h->reached);
    sem_destroy(&h->over);
}

void run_together(struct writing *w, struct sent *const *all, size_t n)
{
    struct hold h;

    writer_hold(w, &h);
    for (size_t i = 0; i < n; i++)
        submit(w, all[i]);
    writer_let_go(&h);
    for (size_t i = 0; i < n; i++)
        wait_for(all[i]);
    hold_release(&h);
}

const char *result_name(enum command_result r)
{
    switch (r) {
#define X(name, status, text)                                                 \
    case RESULT_##name: return #name;
        COMMAND_RESULTS(X)
#undef X
    }
    return "?";
}

/* ---- looking ---------------------------------------------------------- */

struct writer_stats stats_of(struct writing *w)
{
    struct writer_stats s;

    writer_stats(w->writer, &s);
    return s;
}

static struct store_reader *begin(struct writing *w)
{
    struct store_reader *r = store_reader_acquire(w->store);

    assert_non_null(r);
    assert_int_equal(store_reader_begin(r), STORE_OK);
    return r;
}

struct usage_row usage_of(struct writing *w, const char *token)
{
    struct store_reader *r = begin(w);
    struct usage_row u = {0};

    const enum store_err err = store_usage(r, slice_str(token), &u);
    assert_true(err == STORE_OK || err == STORE_NOTFOUND);
    store_reader_release(r);
    return u;
}

bool thing_of(struct writing *w, const char *topic, struct thing_row *ret_row)
{
    struct store_reader *r = begin(w);
    const enum store_err err = store_thing(r, slice_str(topic), ret_row);

    assert_true(err == STORE_OK || err == STORE_NOTFOUND);
    store_reader_release(r);
    return err == STORE_OK;
}

uint64_t rows_in(struct writing *w, size_t offset_in_schema)
{
    struct store_env *e = store_env(w->store);
    MDB_txn *txn;
    MDB_stat stat;
    MDB_dbi dbi;

    memcpy(&dbi, (const char *)&e->db + offset_in_schema, sizeof(dbi));
    assert_int_equal(mdb_txn_begin(e->env, NULL, MDB_RDONLY, &txn), 0);
    assert_int_equal(mdb_stat(txn, dbi, &stat), 0);
    mdb_txn_abort(txn);
    return stat.ms_entries;
}

void wait_for_leftovers(struct writing *w)
{
    const int64_t until_us = clock_mono_us() + 10 * SECOND;

    while (ROWS_IN(w, trims) > 0) {
        if (clock_mono_us() > until_us)
            fail_msg("hidden entries are still there after 10 s");
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
}

/* ---- checking the whole store ----------------------------------------- */

static void check_thing(struct store_reader *r, const struct thing_row *row)
{
    struct history h = {.topic = row->topic, .ascending = true};
    uint64_t seq = row->first_seq, last_id = row->trimmed_id, bytes = 0;
    int64_t last_at_us = 0;
    struct record record;
    enum store_err err;

    if (row->count > 0)
        assert_int_equal(row->count, row->last_seq - row->first_seq + 1);
    else
        assert_int_equal(row->first_seq, row->last_seq + 1);
    while ((err = store_history_next(r, &h, &record)) == STORE_OK) {
        assert_int_equal(record.m.seq, seq);
        assert_true(record.m.id > last_id);
        assert_true(record.m.at_us >= last_at_us);
        if (seq++ == row->first_seq)
            assert_int_equal(record.m.id, row->first_id);
        last_id = record.m.id;
        last_at_us = record.m.at_us;
        bytes += record.m.payload.len;
    }
    assert_int_equal(err, STORE_NOTFOUND);
    assert_int_equal(seq, row->last_seq + 1);
    assert_int_equal(bytes, row->bytes);
    if (row->count > 0)
        assert_int_equal(last_id, row->last_id);
}

/* What the visible ids of a chunk say themselves. */
static void check_chunk(struct store_reader *r, const struct thing_row *row,
                        const struct chunk_row *chunk)
{
    uint64_t bytes = 0;
    struct record record;

    for (unsigned i = 0; i < chunk->count; i++) {
        if (chunk->ids[i] < row->first_id)
            continue;
        assert_int_equal(reader_entry(r, chunk->ids[i], &record), STORE_OK);
        assert_int_equal(record.m.seq, chunk->first_seq + i);
        bytes += record.m.payload.len;
        if (i == 0)
            assert_int_equal(record.m.at_us,
                             reader_corrected(r, record.m.id,
                                              chunk->first_at_us));
    }
    if (chunk->ids[0] >= row->first_id)
        assert_int_equal(bytes, chunk->bytes);
}

static void check_chunks(struct writing *w, struct store_reader *r,
                         const struct thing_row *row)
{
    struct store_env *e = store_env(w->store);
    struct thing_state thing;
    struct schema_key key;
    MDB_cursor *cursor;
    MDB_txn *txn;
    MDB_val v;

    assert_int_equal(mdb_txn_begin(e->env, NULL, MDB_RDONLY, &txn), 0);
    assert_int_equal(store_thing_in(e, txn, row->topic, &thing), STORE_OK);
    if (thing.open.count > 0)
        check_chunk(r, row, &thing.open);
    schema_chunk_key(row->topic, 0, &key);
    const size_t prefix = key.len - 8;
    MDB_val k = schema_val(&key);
    assert_int_equal(mdb_cursor_open(txn, e->db.chunks, &cursor), 0);
    for (int rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
         rc == 0 && k.mv_size == prefix + 8 &&
         memcmp(k.mv_data, key.bytes, prefix) == 0;
         rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) {
        struct chunk_row chunk;
        assert_true(schema_get_chunk(v, &chunk));
        assert_int_equal(chunk.count, CHUNK_IDS);
        if (row->count > 0 && chunk.ids[CHUNK_IDS - 1] >= row->first_id)
            check_chunk(r, row, &chunk);
        else /* hidden: somebody is to delete it */
            assert_true(ROWS_IN(w, trims) > 0);
    }
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
}

static void check_tokens(struct store_reader *r)
{
    struct slice after = slice_of("", 0), topic;
    struct token_row token;

    while (store_token_next(r, after, &token) == STORE_OK) {
        char prefix[TOKEN_MAX + 1];
        struct thing_row row;
        struct usage_row usage = {0};
        uint64_t things = 0;

        after = token.token;
        memcpy(prefix, token.token.data, token.token.len);
        prefix[token.token.len] = '/';
        topic = slice_of("", 0);
        while (store_thing_next(r, slice_of(prefix, token.token.len + 1),
                                topic, &row) == STORE_OK) {
            struct slice name, thing;
            topic = row.topic;
            if (!topic_split(topic, &name, &thing))
                continue;
            things++;
        }
        const enum store_err err = store_usage(r, token.token, &usage);
        assert_true(err == STORE_OK || err == STORE_NOTFOUND);
        assert_int_equal(usage.things, things);
    }
}

/* Without the entries of changes. */
static uint64_t messages_in_log(struct writing *w)
{
    struct store_reader *r = begin(w);
    struct record record;
    uint64_t count = 0;

    for (uint64_t id = 0; reader_entry_after(r, id, &record) == STORE_OK;
         id = record.m.id)
        count += record.m.kind == MESSAGE_MESSAGE;
    store_reader_release(r);
    return count;
}

uint64_t check_store(struct writing *w)
{
    struct store_reader *r = begin(w);
    struct slice after = slice_of("", 0);
    struct thing_row row;
    uint64_t messages = 0;
    enum store_err err;

    while ((err = store_thing_next(r, slice_of("", 0), after, &row)) ==
           STORE_OK) {
        check_thing(r, &row);
        check_chunks(w, r, &row);
        messages += row.count;
        after = row.topic;
    }
    assert_int_equal(err, STORE_NOTFOUND);
    check_tokens(r);
    check_accounts(w->store);
    store_reader_release(r);
    if (ROWS_IN(w, trims) == 0)
        assert_int_equal(messages_in_log(w), messages);
    return messages;
}
