/* How groups of shared subscriptions read the log: returned messages first,
 * then everything after their position. Groups take turns as members have
 * credit, for at most a millisecond per turn of the worker. */
#ifndef CONFAB_BROKER_SHARE_SHARE_CATCHUP_H
#define CONFAB_BROKER_SHARE_SHARE_CATCHUP_H

#include <stdbool.h>
#include <stdint.h>

struct share_group;
struct worker;

/* From now on the group reads the log, from `position`. false: out of
 * memory. */
bool share_catchup_begin(struct worker *w, struct share_group *g,
                         uint64_t position);
/* The group may have messages to give, or a member with credit again. */
void share_catchup_wake(struct worker *w, struct share_group *g);
void share_catchup_forget(struct worker *w, struct share_group *g);

/* A part of the worker's turn. true: there is more to do at once. */
bool share_catchup_turn(struct worker *w);

#endif
