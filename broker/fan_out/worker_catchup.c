#include "broker/fan_out/worker_catchup.h"

#include "base/log.h"
#include "broker/client/key_end.h"
#include "broker/client/shard.h"
#include "broker/fan_out/fan_out_message.h"
#include "store/directory.h"

#define MESSAGES_PER_STEP 64

void worker_catchup_begin(struct worker *w, uint64_t to)
{
    log_debug("broker",
              "worker %u was too slow: reading ids %llu to %llu from the log",
              w->number, (unsigned long long)w->head, (unsigned long long)to);
    w->catchup_to = to;
    w->recheck_tokens = true;
}

/* The key may be gone, or have got an end. */
static void recheck_key(struct connection *c, struct store_reader *r)
{
    unsigned char begin[KEY_ID_HASH_BYTES];
    struct key_row row;

    if (!key_id_parse(c->caller->key, begin))
        return;
    switch (store_key_by_id(r, c->caller->tenant, c->caller->key, &row)) {
    case STORE_OK:
        if (row.expires_us != 0)
            key_end_by(c, row.expires_us);
        break;
    case STORE_NOTFOUND: connection_close(c, CLOSE_KEY_REVOKED, NULL); break;
    default: break;
    }
}

/* Replaces the `revoked` and `key_revoked` events that were lost. */
static void recheck_tokens(struct worker *w, struct store_reader *r)
{
    struct connection *c, *next;
    struct token_row row;

    for (c = TAILQ_FIRST(&w->connections); c != NULL; c = next) {
        next = TAILQ_NEXT(c, all);
        if (c->caller == NULL || c->role != ROLE_TOKEN ||
            c->state > CONNECTION_OPEN)
            continue;
        if (store_token(r, connection_token(c), &row) == STORE_OK &&
            token_row_is_closed(&row))
            connection_close(c, CLOSE_REVOKED, NULL);
        else
            recheck_key(c, r);
    }
    w->recheck_tokens = false;
}

static bool fan_out_record(struct worker *w, const struct record *record)
{
    struct message *m = message_copy(&record->m);

    if (m == NULL)
        return false;
    fan_out_message(w, m);
    message_unref(m);
    if (w->encoded > WORKER_ENCODED_MAX)
        connection_flush_touched(w);
    return true;
}

static bool worker_catchup_read(struct worker *w, struct store_reader *r)
{
    struct record record;

    if (w->recheck_tokens)
        recheck_tokens(w, r);
    for (int i = 0; i < MESSAGES_PER_STEP && w->head < w->catchup_to; i++) {
        const enum store_err err = store_next(r, w->head, &record);
        if (err == STORE_NOTFOUND ||
            (err == STORE_OK && record.m.id > w->catchup_to)) {
            w->head = w->catchup_to; /* retention has removed the rest */
            return true;
        }
        if (err != STORE_OK || !fan_out_record(w, &record))
            return false;
    }
    return true;
}

bool worker_catchup_step(struct worker *w)
{
    struct store_reader *r;

    if (store_snapshot(w->hub->store, &r) != STORE_OK)
        return false;
    const bool good = worker_catchup_read(w, r);
    store_reader_release(r);
    return good;
}
