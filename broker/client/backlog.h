/* Whether a connection has a backlog: what it is to be given besides live
 * messages. That is, in this order: what is in flight from an earlier connection of
 * its session, retained messages of new subscriptions, and the log for one that
 * could not keep up. deliver/backlog_turn.h gives it.
 * Threads: the worker's. */
#ifndef CONFAB_BROKER_CLIENT_BACKLOG_H
#define CONFAB_BROKER_CLIENT_BACKLOG_H

struct connection;

/* The connection has a backlog, or has room for it again: it stands in line for
 * its worker's turns. Tells the groups that wait for it to have room, too. */
void backlog_wake(struct connection *c);
void backlog_forget(struct connection *c); /* when it stands in no line, too */
/* Only the groups. */
void backlog_wake_groups(struct connection *c);

#endif
