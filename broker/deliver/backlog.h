/* What clients have to be given besides the live stream: retained messages of
 * new subscriptions, and the log for those who could not keep up. Worked off
 * round robin, at most a millisecond per turn of the worker. */
#ifndef CONFAB_BROKER_DELIVER_BACKLOG_H
#define CONFAB_BROKER_DELIVER_BACKLOG_H

#include <stdbool.h>

struct connection;
struct worker;

/* The connection has a backlog, or has room for it again. */
void backlog_wake(struct connection *c);
void backlog_forget(struct connection *c);

/* The worker's turn; true: there is more to do at once. */
bool backlog_turn(struct worker *w);

#endif
