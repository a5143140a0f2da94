#include "broker/client/backlog.h"

#include "broker/client/shard.h"

static bool has_backlog(const struct connection *c)
{
    return c->resend > 0 || c->catchup != NULL || !TAILQ_EMPTY(&c->scans);
}

void backlog_wake_groups(struct connection *c)
{
    if (!LIST_EMPTY(&c->shares_paused))
        c->events->writable(c);
}

void backlog_wake(struct connection *c)
{
    backlog_wake_groups(c);
    if (c->in_backlog || c->state != CONNECTION_OPEN || !has_backlog(c))
        return;
    c->in_backlog = true;
    turn_backlog_add(c);
}

void backlog_forget(struct connection *c)
{
    if (!c->in_backlog)
        return;
    c->in_backlog = false;
    turn_backlog_remove(c);
}
