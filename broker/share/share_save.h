/* Saves groups with stored sessions to disk (store/session.h), so that
 * messages that arrive while all members are offline go to the first one
 * that returns.
 *
 * What is saved is not the position but the last id before which nothing can
 * be lost: every message given up to it is settled, or on disk as in flight
 * at its member; the members' reports say so. If one of them holds this back
 * for long, the position of two ticks ago is used, because sessions have
 * been saved since then. Groups are saved at each tick, and earlier after
 * many messages. A message whose save a crash lost is given again, unless it
 * is a QoS 2 message that a session has accepted (store/session.h, `given`).
 * Threads: the owner's. */
#ifndef CONFAB_BROKER_SHARE_SHARE_SAVE_H
#define CONFAB_BROKER_SHARE_SHARE_SAVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct share_group;
struct worker;

/* A group begins: continues from its row, if it has one. false: out of
 * memory, or the store cannot be read. */
bool share_load(struct worker *w, struct share_group *g);

/* Messages that a group may give between two saves; one save at a time. */
#define SHARE_SAVE_EVERY 1024

/* Saves it at the end of the turn, or when the save in progress is done. */
void share_save_soon(struct worker *w, struct share_group *g);
void share_save_forget(struct worker *w, struct share_group *g);
/* Call it at the end of a turn. */
void share_save_moving(struct worker *w);

/* Call it at each tick: saves what changed. exact: with the current
 * position, because the group or the server ends. */
void share_save_all(struct worker *w, bool exact);
void share_save(struct worker *w, struct share_group *g, bool exact);
/* Messages were returned to a group that has ended meanwhile. */
void share_save_late(struct worker *w, struct slice name, const uint64_t *ids,
                     size_t count);

#endif
