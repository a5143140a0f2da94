/* Credits towards the writer: how many commands, and how many bytes of them, may
 * be with it at once, of a connection, of a token's connections together, and of
 * a worker. Whoever has used them up is not read from until results return, so
 * that what waits for the disk is bounded and no token makes others wait.
 *
 * Taken when a command is submitted, given back with its result. This module
 * counts; connections are stalled and resumed by connection_input.c.
 * Threads: the worker's. */
#ifndef CONFAB_BROKER_CLIENT_CREDITS_H
#define CONFAB_BROKER_CLIENT_CREDITS_H

#include "broker/client/connection.h"
#include "broker/client/held.h"

/* Of all connections of a worker together. */
#define WORKER_COMMANDS_MAX 32768
#define WORKER_BYTES_MAX (64U * 1024 * 1024)

/* What a worker has with the writer. */
struct credits {
    uint32_t commands; /* with the writer, or about to be handed to it */
    uint64_t bytes;    /* what these keep in memory */
    uint32_t waiting;  /* commands that found the worker's credits used up */
};

/* One command's, kept with it. */
struct credit {
    size_t bytes;
    struct holder *holder; /* whose connections' share; NULL: nobody's */
    bool is_message;       /* it was published: fan-out follows */
};

/* A connection's and its token's part. */
static inline void credits_take(struct connection *c, struct credit *credit)
{
    c->commands++;
    c->messages += credit->is_message;
    c->command_bytes += credit->bytes;
    credit->holder = held_take_credits(c, credit->bytes);
}

/* The worker's. false: it has none left, nothing happened. */
static inline bool credits_take_workers(struct credits *k,
                                        const struct credit *credit)
{
    if (k->commands >= WORKER_COMMANDS_MAX)
        return false;
    k->commands++;
    k->bytes += credit->bytes;
    return true;
}

/* All of it. c: NULL for a command that is no connection's. */
void credits_give_back(struct worker *w, struct connection *c,
                       struct credit *credit);

/* Whether the worker has room for another command that nobody waits before. */
static inline bool credits_left(const struct credits *k)
{
    return k->commands < WORKER_COMMANDS_MAX && k->bytes < WORKER_BYTES_MAX &&
           k->waiting == 0;
}

/* Nothing of the worker is with the writer or waits for it. */
static inline bool credits_all_back(const struct credits *k)
{
    return k->commands == 0 && k->waiting == 0;
}

/* Its worker's credits, or its token's, are used up: nothing of its own has to
 * come back for it to be read from again. */
bool credits_are_short(const struct connection *c);
/* Its own credits, and the answers it has not taken yet, allow another packet. */
static inline bool credits_allow_reading(const struct connection *c)
{
    return c->commands < CONNECTION_COMMANDS_MAX &&
           c->unacked_count < CONNECTION_COMMANDS_MAX &&
           c->command_bytes < CONNECTION_BYTES_MAX &&
           c->out.bytes < CONNECTION_ANSWERS_MAX;
}

/* Half of its own are back: a busy client is not stopped at each packet. */
static inline bool credits_half_back(const struct connection *c)
{
    return c->commands <= CONNECTION_COMMANDS_MAX / 2 &&
           c->unacked_count <= CONNECTION_COMMANDS_MAX / 2 &&
           c->command_bytes <= CONNECTION_BYTES_MAX / 2 &&
           c->out.bytes <= CONNECTION_ANSWERS_MAX / 2;
}

/* Connections that wait for their worker's or token's credits, in their order. */
void credits_await(struct connection *c);  /* again is fine */
void credits_forget(struct connection *c); /* when it does not wait, too */
/* A part of the worker's turn: resumes (connection_events.resume) those that
 * wait, as far as there are credits. One that is short of them again waits behind
 * the others. */
void credits_resume_waiting(struct worker *w);

#endif
