/* Reads a stored session back into its connection: messages in flight and
 * subscriptions. There may be 10,000 subscriptions, so a worker reads a
 * bounded number of rows per turn for all such sessions together, and serves
 * others in between. When a connection with many filters has ended, they
 * leave the index in such steps, too.
 *
 * Meanwhile the connection is CONNECTION_NEW and `opening`: it is not read
 * from, and messages that fan-out finds for it are read from the log later.
 * Threads: one worker's. */
#ifndef CONFAB_BROKER_SESSION_SESSION_RESTORE_H
#define CONFAB_BROKER_SESSION_SESSION_RESTORE_H

#include <stdbool.h>
#include <stdint.h>

struct connection;
struct session_restore;
struct worker;

/* Rows read, and filters removed, per turn. */
#define SESSION_ROWS_PER_TURN 256

/* c->stored has the session's number. Calls done() once in a later step,
 * unless the connection ends first; good is false if the store cannot be
 * read or memory is short. Returns false if memory is short; then done() is
 * not called. */
bool session_restore_begin(struct connection *c,
                           void (*done)(struct connection *c, bool good,
                                        const void *arg),
                           const void *arg);
/* The connection ends. */
void session_restore_forget(struct connection *c);

/* A part of the worker's turn. true: there is more to do. */
bool session_restore_turn(struct worker *w);

#endif
