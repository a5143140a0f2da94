/* Groups that stored sessions are in, on disk (store/session.h): so that what
 * comes while all of them are away is given to the first who is back.
 *
 * What is saved is not the position, but up to where nothing would be lost: what
 * was given is settled, or on disk as in flight at its member, as the members'
 * reports tell. Where one of them holds that back for long, the position two ticks
 * ago is taken: by then sessions were saved. That is done each tick, and sooner
 * when many messages were given: what a crash takes back is given again, but for
 * QoS 2 that a session has taken (store/session.h, `given`).
 * Threads: the owner worker's. */
#ifndef CONFAB_BROKER_SHARE_SHARE_SAVE_H
#define CONFAB_BROKER_SHARE_SHARE_SAVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct share_group;
struct worker;

/* A group begins: goes on from its row, if it has one. false: out of memory or
 * the store cannot be read. */
bool share_load(struct worker *w, struct share_group *g);

/* Messages a group may give before it is saved, one save at a time. */
#define SHARE_SAVE_EVERY 1024

/* Saves it at the end of the turn, or when the save in progress has its result. */
void share_save_soon(struct worker *w, struct share_group *g);
void share_save_forget(struct worker *w, struct share_group *g);
/* The end of a turn. */
void share_save_moving(struct worker *w);

/* A tick of the worker: saves what has changed; `exact`: as it is now, because
 * the group or the server ends. */
void share_save_all(struct worker *w, bool exact);
void share_save(struct worker *w, struct share_group *g, bool exact);
/* Came back to a group that has ended meanwhile. */
void share_save_late(struct worker *w, struct slice name, const uint64_t *ids,
                     size_t count);

#endif
