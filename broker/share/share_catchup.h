/* What groups of shared subscriptions owe, from the log: what came back, then
 * everything since their position. Worked off round robin as members have
 * credit, at most a millisecond per turn of the worker. */
#ifndef CONFAB_BROKER_SHARE_SHARE_CATCHUP_H
#define CONFAB_BROKER_SHARE_SHARE_CATCHUP_H

#include <stdbool.h>
#include <stdint.h>

struct share_group;
struct worker;

/* From now on the group reads the log, from `position`. false: no memory. */
bool share_catchup_begin(struct worker *w, struct share_group *g,
                         uint64_t position);
/* It may owe something, or somebody may have credit again. */
void share_catchup_wake(struct worker *w, struct share_group *g);
void share_catchup_forget(struct worker *w, struct share_group *g);

/* The worker's turn; true: there is more to do at once. */
bool share_catchup_turn(struct worker *w);

#endif
