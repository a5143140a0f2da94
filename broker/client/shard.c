#include "broker/client/shard.h"

#define RETRY_S 0.05 /* the store failed */

void worker_wake(struct worker *w)
{
    ev_async_send(w->loop, &w->wake);
}

void worker_again(struct worker *w)
{
    ev_idle_start(w->loop, &w->again);
}

void worker_try_later(struct worker *w)
{
    if (ev_is_active(&w->tick))
        return;
    ev_timer_set(&w->tick, RETRY_S, 0.);
    ev_timer_start(w->loop, &w->tick);
}

bool worker_move(struct worker *to, struct connection *c)
{
    return mailbox_send(to->moves, c);
}

bool worker_read_log_head(const struct worker *w, uint64_t *ret_head)
{
    struct store_reader *r = store_reader_acquire(w->hub->store);
    bool good = false;

    if (r == NULL)
        return false;
    if (store_reader_begin(r) == STORE_OK) {
        *ret_head = store_head(r);
        good = true;
    }
    store_reader_release(r);
    return good;
}
