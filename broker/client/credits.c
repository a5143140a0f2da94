#include "broker/client/credits.h"

#include "broker/client/shard.h"

void credits_give_back(struct worker *w, struct connection *c,
                       struct credit *credit)
{
    w->credits.commands--;
    w->credits.bytes -= credit->bytes;
    held_give_credits(w, credit->holder, credit->bytes);
    credit->holder = NULL;
    if (c == NULL)
        return;
    c->commands--;
    c->messages -= credit->is_message;
    c->command_bytes -= credit->bytes;
}

bool credits_are_short(const struct connection *c)
{
    return !credits_left(&c->worker->credits) || !held_has_credits(c);
}

void credits_await(struct connection *c)
{
    if (c->starving)
        return;
    c->starving = true;
    TAILQ_INSERT_TAIL(&c->worker->starving, c, starve);
}

void credits_forget(struct connection *c)
{
    if (!c->starving)
        return;
    c->starving = false;
    TAILQ_REMOVE(&c->worker->starving, c, starve);
}

void credits_resume_waiting(struct worker *w)
{
    struct connection *c, *last = TAILQ_LAST(&w->starving, connection_list);

    while ((c = TAILQ_FIRST(&w->starving)) != NULL &&
           credits_left(&w->credits)) {
        credits_forget(c);
        c->events->resume(c); /* may put it back, at the end */
        if (c == last)
            return;
    }
}
