/* Sends clients their backlog (client/backlog.h), round robin, for at most a
 * millisecond per turn of the worker. */
#ifndef CONFAB_BROKER_DELIVER_BACKLOG_TURN_H
#define CONFAB_BROKER_DELIVER_BACKLOG_TURN_H

#include <stdbool.h>

struct worker;

/* A part of the worker's turn. true: there is more to do at once. */
bool backlog_turn(struct worker *w);

#endif
