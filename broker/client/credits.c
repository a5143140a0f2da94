#include "broker/client/credits.h"

#include "broker/client/shard.h"

void credits_take(struct connection *c, struct credit *credit)
{
    c->commands++;
    c->messages += credit->is_message;
    c->command_bytes += credit->bytes;
    credit->holder = held_take_credits(c, credit->bytes);
}

bool credits_take_workers(struct worker *w, const struct credit *credit)
{
    if (w->credits.commands >= WORKER_COMMANDS_MAX)
        return false;
    w->credits.commands++;
    w->credits.bytes += credit->bytes;
    return true;
}

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

bool credits_left(const struct worker *w)
{
    return w->credits.commands < WORKER_COMMANDS_MAX &&
           w->credits.bytes < WORKER_BYTES_MAX && w->credits.waiting == 0;
}

bool credits_all_back(const struct worker *w)
{
    return w->credits.commands == 0 && w->credits.waiting == 0;
}

bool credits_are_short(const struct connection *c)
{
    return !credits_left(c->worker) || !held_has_credits(c);
}

bool credits_allow_reading(const struct connection *c)
{
    return c->commands < CONNECTION_COMMANDS_MAX &&
           c->unacked_count < CONNECTION_COMMANDS_MAX &&
           c->command_bytes < CONNECTION_BYTES_MAX &&
           c->out.bytes < CONNECTION_ANSWERS_MAX;
}

bool credits_half_back(const struct connection *c)
{
    return c->commands <= CONNECTION_COMMANDS_MAX / 2 &&
           c->unacked_count <= CONNECTION_COMMANDS_MAX / 2 &&
           c->command_bytes <= CONNECTION_BYTES_MAX / 2 &&
           c->out.bytes <= CONNECTION_ANSWERS_MAX / 2;
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

    while ((c = TAILQ_FIRST(&w->starving)) != NULL && credits_left(w)) {
        credits_forget(c);
        c->events->resume(c); /* may put it back, at the end */
        if (c == last)
            return;
    }
}
