/* Groups that stored sessions are in, on disk (store/session.h): so that what
 * comes while all of them are away is given to the first who is back.
 *
 * The position is saved lazily, and as it was two ticks ago: what was given since
 * may not be on disk as in flight at its member yet, and must not be lost with
 * both. What a crash takes back is given again.
 * Threads: the owner worker's. */
#ifndef CONFAB_BROKER_SHARE_SAVE_H
#define CONFAB_BROKER_SHARE_SAVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct share_group;
struct worker;

/* A group begins: goes on from its row, if it has one. false: out of memory or
 * the store cannot be read. */
bool share_load(struct worker *w, struct share_group *g);

/* A tick of the worker: saves what has changed; `exact`: as it is now, because
 * the group or the server ends. */
void share_save_all(struct worker *w, bool exact);
void share_save(struct worker *w, struct share_group *g, bool exact);
/* Came back to a group that has ended meanwhile. */
void share_save_late(struct worker *w, struct slice name, const uint64_t *ids,
                     size_t count);

#endif
