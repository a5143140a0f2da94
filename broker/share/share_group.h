/* The owner's side of shared subscriptions: groups, their members' places,
 * and whose turn it is. See share.h.
 *
 * A group is live while it gives messages as they are fanned out, to the
 * member with credit that waited longest. When no member has credit, or a
 * receiving worker has no room for letters, the group remembers its position
 * and reads the log (share_catchup.h) as credit returns, until it has
 * reached the worker's head: it has no queue of messages. Returned messages
 * are given first. Order across several members is not guaranteed.
 *
 * Life:     a group begins with its first member and ends with its last.
 * Threads:  the owner's, except for making and freeing places. */
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

/* Makes a member's place in the group with these names; all are copied.
 * `since`: where the group begins if this is its first member. stored: the
 * member's session is, so the group is kept on disk, too. NULL: out of
 * memory. */
struct share_place *share_place_new(struct slice token, struct slice group,
                                    struct slice filter, uint64_t handle,
                                    uint32_t credit, uint64_t since,
                                    bool stored);
/* Frees a place that is in no group; NULL is fine. */
void share_place_free(struct share_place *p);
/* Number of the worker that owns its group; never the admin worker. */
unsigned share_place_owner(const struct hub *hub, const struct share_place *p);

/* ---- groups */

/* Gives a committed message or an event to one member of each matching
 * group. Called in order, as a part of fan-out. */
void share_group_offer(struct worker *w, struct message *m);

/* For stored sessions. NULL: the group has no members. `name` is token, NUL,
 * group, NUL, filter. */
struct share_group *share_group_find(struct worker *w, struct slice name);
/* Every message up to this id was given to a member, except for returned
 * ones. */
uint64_t share_group_position(const struct worker *w,
                              const struct share_group *g);
const struct share_returned *share_group_returned(const struct share_group *g);
/* The group must give everything after `position`, and before that `ids`
 * (sorted in place). Call it before it gives anything. false: out of memory. */
bool share_group_resume(struct worker *w, struct share_group *g,
                        uint64_t position, uint64_t *ids, size_t count);

/* ---- for share.c: letters */

void share_group_join(struct worker *w, struct share_place *p);
void share_group_reported(struct worker *w, const struct share_letter *report);
/* False: some letters found no room. */
bool share_group_write(struct worker *w);
void share_group_release(struct worker *w);

#endif
