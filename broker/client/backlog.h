/* A connection has a backlog while it must be sent more than live messages.
 * In this order: messages in flight from an earlier connection of its
 * session, retained messages for new subscriptions, and messages from the
 * log if it could not keep up. deliver/backlog_turn.h sends them.
 * Threads: the worker's. */
#ifndef CONFAB_BROKER_CLIENT_BACKLOG_H
#define CONFAB_BROKER_CLIENT_BACKLOG_H

struct connection;

/* Call it when a connection gets a backlog, or has room in its queue again:
 * queues the connection for its worker's turns, and wakes the shared groups
 * that wait for room in it. */
void backlog_wake(struct connection *c);
/* Does nothing if it is not queued. */
void backlog_forget(struct connection *c);
/* Wakes only the groups. */
void backlog_wake_groups(struct connection *c);

#endif
