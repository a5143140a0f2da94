/* Reading a stored session back into its connection: what is in flight, and its
 * subscriptions. There may be 10,000 of these, so a worker reads a bounded number of
 * rows per turn, of all such sessions together, and serves others in between.
 * Filters leave the index in such steps, too, when their connection has ended.
 *
 * Meanwhile the connection is CONNECTION_NEW and `opening`: it is not read from,
 * and what fan-out finds for it is read from the log later.
 * Threads: one worker's. */
#ifndef CONFAB_BROKER_SESSION_SESSION_RESTORE_H
#define CONFAB_BROKER_SESSION_SESSION_RESTORE_H

#include <stdbool.h>
#include <stdint.h>

struct connection;
struct session_restore;
struct worker;

/* Rows read, and filters taken out, in a turn. */
#define SESSION_ROWS_PER_TURN 256

/* c->stored has the session's number. done() is called once in a later step, unless
 * the connection ends before: good, or the store cannot be read or memory is
 * short. false: out of memory, done() is not called. */
bool session_restore_begin(struct connection *c,
                           void (*done)(struct connection *c, bool good,
                                        const void *arg),
                           const void *arg);
/* The connection ends. */
void session_restore_forget(struct connection *c);

/* A turn's steps; true: there are more. */
bool session_restore_turn(struct worker *w);

#endif
