/* Credits bound the commands, and their bytes, that are with the writer at
 * once: per connection, per token (all its connections together) and per
 * worker. Whoever has used up their credits is not read from until results
 * return. So what waits for the disk is bounded, and no token makes others
 * wait.
 *
 * A credit is taken when a command is submitted, and returned with its
 * result. This module counts; connection_input.c stalls and resumes
 * connections.
 * Threads: the worker's. */
#ifndef CONFAB_BROKER_CLIENT_CREDITS_H
#define CONFAB_BROKER_CLIENT_CREDITS_H

#include "broker/client/connection.h"
#include "broker/client/held.h"

/* For all connections of a worker together. */
#define WORKER_COMMANDS_MAX 32768
#define WORKER_BYTES_MAX (64U * 1024 * 1024)

/* A worker's commands that are with the writer. */
struct credits {
    uint32_t commands; /* with the writer, or about to be */
    uint64_t bytes;    /* memory they hold */
    /* Commands that wait because the worker's credits are used up. */
    uint32_t waiting;
};

/* The credit of one command, kept with it. */
struct credit {
    size_t bytes;
    struct holder *holder; /* whose share it counts in; NULL: nobody's */
    bool is_message;       /* a message: fan-out follows */
};

/* Takes the credit of the connection and of its token. */
static inline void credits_take(struct connection *c, struct credit *credit)
{
    c->commands++;
    c->messages += credit->is_message;
    c->command_bytes += credit->bytes;
    credit->holder = held_take_credits(c, credit->bytes);
}

/* Takes the worker's credit. false: none is left, nothing changed. */
static inline bool credits_take_workers(struct credits *k,
                                        const struct credit *credit)
{
    if (k->commands >= WORKER_COMMANDS_MAX)
        return false;
    k->commands++;
    k->bytes += credit->bytes;
    return true;
}

/* Returns the credits of connection, token and worker. c: NULL if the
 * command belongs to no connection. */
void credits_give_back(struct worker *w, struct connection *c,
                       struct credit *credit);

/* Whether the worker can take another command and no earlier one waits. */
static inline bool credits_left(const struct credits *k)
{
    return k->commands < WORKER_COMMANDS_MAX && k->bytes < WORKER_BYTES_MAX &&
           k->waiting == 0;
}

/* No command of the worker is with the writer or waits for it. */
static inline bool credits_all_back(const struct credits *k)
{
    return k->commands == 0 && k->waiting == 0;
}

/* The credits of its worker or its token are used up. Then commands of other
 * connections must return before it can be read from again. */
bool credits_are_short(const struct connection *c);
/* Its own credits, and the answers queued for it, allow another packet. */
static inline bool credits_allow_reading(const struct connection *c)
{
    return c->commands < CONNECTION_COMMANDS_MAX &&
           c->unacked_count < CONNECTION_COMMANDS_MAX &&
           c->command_bytes < CONNECTION_BYTES_MAX &&
           c->out.bytes < CONNECTION_ANSWERS_MAX;
}

/* At least half of its own credits have returned, so that a busy client is
 * not stopped at each packet. */
static inline bool credits_half_back(const struct connection *c)
{
    return c->commands <= CONNECTION_COMMANDS_MAX / 2 &&
           c->unacked_count <= CONNECTION_COMMANDS_MAX / 2 &&
           c->command_bytes <= CONNECTION_BYTES_MAX / 2 &&
           c->out.bytes <= CONNECTION_ANSWERS_MAX / 2;
}

/* Connections that wait for credits of their worker or token, in order. */
void credits_await(struct connection *c); /* again is fine */
/* Does nothing if it does not wait. */
void credits_forget(struct connection *c);
/* A part of the worker's turn: resumes waiting connections
 * (connection_events.resume) as far as credits allow. One that runs short
 * again goes to the end of the queue. */
void credits_resume_waiting(struct worker *w);

#endif
