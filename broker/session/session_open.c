#include "broker/session/session_open.h"

#include <sodium.h>
#include <stdlib.h>

#include "broker/client/shard.h"
#include "broker/deliver/client_catchup.h"
#include "broker/publish/publish.h"
#include "broker/session/save_command.h"
#include "broker/session/session_restore.h"
#include "broker/wire/reason.h"

/* publish.memory of an opening. It is in worker.openings until it is
 * finished. Several may have the same identity: a look-up tells that there
 * is one. */
struct opening {
    UT_hash_handle hh;
    struct session_open open;
    const struct session_open_calls *calls;
    uint32_t expiry_s;
    char identity[];
};

/* ---- opening --------------------------------------------------------------- */

/* The client did not wait: the session just opened must end. */
static void end_unwanted(struct worker *w, struct publish *opened)
{
    const struct opening *o = opened->memory;
    struct publish *q = publish_new(w, NULL);
    struct session_save *save;

    if (q == NULL)
        return; /* it will end at the next start */
    save = save_command_make_of(q, o->open.identity, o->open.number);
    if (save == NULL) {
        publish_free(w, q);
        return;
    }
    save->ends = save->drops_will = true;
    save->expiry_s = o->expiry_s;
    save->ended_us = w->real_us;
    q->finished = publish_free;
    publish_submit(w, q);
}

static void open_refuse(struct connection *c,
                        const struct session_open_calls *calls,
                        enum command_result result)
{
    if (result == RESULT_SESSIONS || result == RESULT_SESSION_BYTES ||
        result == RESULT_SHARE || result == RESULT_FULL)
        calls->refuse(c, REASON_QUOTA_EXCEEDED, command_text(result));
    else
        calls->refuse(c, REASON_SERVER_UNAVAILABLE,
                      "session cannot be stored: retry later");
}

static void open_restored(struct connection *c, bool good, const void *arg)
{
    const struct session_open_calls *calls = arg;

    c->opening = false;
    if (good)
        calls->ready(c, true);
    else
        calls->refuse(c, REASON_SERVER_UNAVAILABLE,
                      "session cannot be read: retry later");
    connection_resume(c);
}

/* The session now belongs to this connection. It is ready at once, or when
 * its rows have been read. */
static void open_adopt(struct connection *c, const struct opening *o)
{
    const struct session_open *open = &o->open;

    c->resume_at = open->position;
    c->stored = stored_session_new(c, open->number);
    if (c->stored == NULL) {
        open_restored(c, false, o->calls);
        return;
    }
    c->stored->saved_position = open->position;
    c->stored->offline_head = c->worker->head;
    c->stored->placed = !open->present;
    if (!open->present) {
        o->calls->ready(c, false);
        connection_resume(c);
        return;
    }
    c->opening = true;
    if (!session_restore_begin(c, open_restored, o->calls))
        open_restored(c, false, o->calls);
}

/* Another connection has the session by now, or has requested it after this
 * one: it must not be ended. */
static bool is_back(const struct connection *c)
{
    struct connection *now;

    HASH_FIND(session, c->worker->sessions, c->identity, c->identity_len, now);
    return now != NULL;
}

static void open_finished(struct worker *w, struct publish *q)
{
    struct opening *o = q->memory;
    struct connection *c = q->connection;

    HASH_DEL(w->openings, o);
    c->opening = false;
    if (c->state != CONNECTION_NEW) {
        if (q->command.result == RESULT_OK && o->open.number != 0 &&
            !is_back(c))
            end_unwanted(w, q);
    } else if (q->command.result != RESULT_OK) {
        open_refuse(c, o->calls, q->command.result);
    } else if (o->open.number != 0) {
        open_adopt(c, o);
    } else {
        c->resume_at = o->open.position;
        o->calls->ready(c, o->open.present);
        connection_resume(c);
    }
    publish_free(w, q);
}

static struct opening *opening_of(struct connection *c, struct publish *q,
                                  bool clean)
{
    struct opening *o = malloc(sizeof(*o) + c->identity_len);

    if (o == NULL)
        return NULL;
    memset(&o->hh, 0, sizeof(o->hh));
    memcpy(o->identity, c->identity, c->identity_len);
    o->expiry_s = c->session_expiry_s;
    o->open = (struct session_open){
        .identity = slice_of(o->identity, c->identity_len),
        .clean = clean,
        .expiry_s = c->session_expiry_s,
        .will = c->will,
        .will_delay_s = c->will_delay_s,
    };
    do
        randombytes_buf(&o->open.fresh_number, sizeof(o->open.fresh_number));
    while (o->open.fresh_number == 0);
    q->memory = o;
    q->memory_size = sizeof(*o) + c->identity_len;
    q->command.kind = COMMAND_SESSION_OPEN;
    q->command.args = &o->open;
    if (c->will != NULL) /* the connection may drop it meanwhile */
        q->command.message = message_ref(c->will);
    return o;
}

/* Whether the writer must be asked, and its commit waited for: most sessions
 * begin and end with their connection and are never stored. Whatever the
 * writer may still do to this identity's row was submitted by this worker:
 * an end leaves the row visible until it is committed, and sessions being
 * opened are in w->openings. */
static enum store_err is_stored(struct connection *c, bool *ret_stored)
{
    struct opening *under_way;
    struct session_row row;

    HASH_FIND(hh, c->worker->openings, c->identity, c->identity_len,
              under_way);
    *ret_stored = under_way != NULL;
    if (under_way != NULL)
        return STORE_OK;
    struct store_reader *r;
    enum store_err err = store_snapshot(c->worker->hub->store, &r);
    if (err == STORE_OK) {
        err = store_session(r, slice_of(c->identity, c->identity_len), &row);
        store_reader_release(r);
    }
    *ret_stored = err != STORE_NOTFOUND;
    return err == STORE_NOTFOUND ? STORE_OK : err;
}

void session_open(struct connection *c, bool clean, bool had_stored,
                  const struct session_open_calls *calls)
{
    struct worker *w = c->worker;
    bool stored = c->session_expiry_s != 0 || had_stored;

    if (c->role == ROLE_ADMIN) {
        calls->ready(c, false);
        return;
    }
    if (!stored && is_stored(c, &stored) != STORE_OK) {
        calls->refuse(c, REASON_SERVER_UNAVAILABLE,
                      "store cannot be read: retry later");
        return;
    }
    if (!stored) {
        calls->ready(c, false);
        return;
    }
    struct publish *q = publish_new(w, c);
    struct opening *o = q == NULL ? NULL : opening_of(c, q, clean);
    if (o != NULL)
        HASH_ADD_KEYPTR(hh, w->openings, o->identity, c->identity_len, o);
    if (o == NULL || o->hh.tbl == NULL) {
        if (q != NULL)
            publish_free(w, q);
        calls->refuse(c, REASON_SERVER_BUSY, "out of memory: retry later");
        return;
    }
    o->calls = calls;
    c->opening = true;
    q->finished = open_finished;
    publish_submit(w, q);
}

void session_resume(struct connection *c)
{
    counter_add(&c->worker->counters.sessions_resumed, 1);
    client_catchup_begin(c, c->resume_at);
    if (c->stored != NULL)
        c->stored->placed = true;
}
