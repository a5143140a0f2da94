/* The owner's side of shared subscriptions: groups, the places of their members
 * in them, and whose turn it is. See share.h.
 *
 * A group is live: its messages are given as they are fanned out, to the member
 * that waited longest among those with credit. When nobody has credit, or a
 * receiving worker has no room for letters, it remembers its position and reads
 * the log (share_catchup.h) as credit comes back, until it is level with the
 * worker's head: there is no queue of messages. What members gave back is given
 * first. Over several members there is no order of messages to keep.
 *
 * Life:     a group begins with its first member and ends with its last.
 * Threads:  the owner worker's, but for making and freeing places. */
#ifndef CONFAB_BROKER_SHARE_SHARE_GROUP_H
#define CONFAB_BROKER_SHARE_SHARE_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "broker/share/share.h"
#include "broker/share/share_returned.h"

struct catchup;
struct hub;
struct message;

/* ---- places: made where the member is, then they travel in its JOIN */

/* A member's place in the group of these names, all copied. `since`: where the
 * group begins if this is its first member; stored: its session is, so the group
 * is kept on disk. NULL: out of memory. */
struct share_place *share_place_new(struct slice token, struct slice group,
                                    struct slice filter, uint64_t handle,
                                    uint32_t credit, uint64_t since,
                                    bool stored);
/* Of one that is in no group; NULL is fine. */
void share_place_free(struct share_place *p);
/* The number of the worker that owns its group; never the admin worker. */
unsigned share_place_owner(const struct hub *hub, const struct share_place *p);

/* ---- groups */

/* A committed message or an event, in order: to one member of each group whose
 * filter matches. Part of fan-out. */
void share_group_offer(struct worker *w, struct message *m);

/* For stored sessions: NULL if nobody is in that group. `name` is token, NUL,
 * group, NUL, filter. */
struct share_group *share_group_find(struct worker *w, struct slice name);
/* Everything up to this id was given to somebody, but for what came back. */
uint64_t share_group_position(const struct worker *w,
                              const struct share_group *g);
const struct share_returned *share_group_returned(const struct share_group *g);
/* The group owes everything after `position`, and `ids` (sorted in place) before
 * that. Only before it has given anything. false: out of memory. */
bool share_group_resume(struct worker *w, struct share_group *g,
                        uint64_t position, uint64_t *ids, size_t count);

/* ---- for share.c: letters */

void share_group_join(struct worker *w, struct share_place *p);
void share_group_reported(struct worker *w, const struct share_letter *report);
bool share_group_write(struct worker *w); /* false: not all found room */
void share_group_release(struct worker *w);

#endif
