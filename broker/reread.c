#include "broker/reread.h"

#include "base/log.h"
#include "broker/deliver/delivery.h"
#include "broker/worker.h"

#define MESSAGES_PER_STEP 64

void reread_begin(struct worker *w, uint64_t to)
{
    log_debug("broker", "worker %u was too slow: reads %llu to %llu again",
              w->number, (unsigned long long)w->head, (unsigned long long)to);
    w->reread_to = to;
    w->recheck_tokens = true;
}

/* In place of the `revoked` events that were lost. */
static void recheck_tokens(struct worker *w, struct store_reader *r)
{
    struct connection *c, *next;
    struct token_row row;

    for (c = TAILQ_FIRST(&w->connections); c != NULL; c = next) {
        next = TAILQ_NEXT(c, all);
        if (c->state == CONNECTION_OPEN && c->role == ROLE_TOKEN &&
            store_token(r, connection_token(c), &row) == STORE_OK &&
            row.revoked_us != 0)
            connection_close(c, CLOSE_REVOKED, NULL);
    }
    w->recheck_tokens = false;
}

static bool fan_out_record(struct worker *w, const struct record *record)
{
    struct message *m = message_copy(&record->m);

    if (m == NULL)
        return false;
    delivery_fan_out(w, m);
    message_unref(m);
    if (w->encoded > WORKER_ENCODED_MAX)
        worker_flush(w);
    return true;
}

static bool step(struct worker *w, struct store_reader *r)
{
    struct record record;

    if (w->recheck_tokens)
        recheck_tokens(w, r);
    for (int i = 0; i < MESSAGES_PER_STEP && w->head < w->reread_to; i++) {
        const enum store_err err = store_next(r, w->head, &record);
        if (err == STORE_NOTFOUND ||
            (err == STORE_OK && record.m.id > w->reread_to)) {
            w->head = w->reread_to; /* retention was faster */
            return true;
        }
        if (err != STORE_OK || !fan_out_record(w, &record))
            return false;
    }
    return true;
}

bool reread_step(struct worker *w)
{
    struct store_reader *r = store_reader_acquire(w->hub->store);
    bool good = false;

    if (r == NULL)
        return false;
    if (store_reader_begin(r) == STORE_OK)
        good = step(w, r);
    store_reader_release(r);
    return good;
}
