/* One streamer: a thread with a libev loop, the sockets of its streams, and the mailboxes
 * that feed them. stream_private.h says what its files share.
 *
 * Threads: streamer_start(), _tell_stop(), _join() and _free() in the owner's; all others
 * in any thread, without blocking. */
#ifndef CONFAB_BRIDGE_STREAM_STREAMER_H
#define CONFAB_BRIDGE_STREAM_STREAMER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/config.h"
#include "bridge/stream/frame.h"
#include "bridge/stream/stream_quota.h"
#include "bridge/stream/stream_shapes.h"
#include "bridge/stream/subscriptions.h"
#include "store/store.h"

struct streamer;
struct stream_start;
struct stream_visit;

/* What all streamers share; borrowed while they live. */
struct streamer_env {
    const struct config *config;
    struct store *store;
    struct stream_quota *quota;
    struct stream_shapes *shapes;
    struct subscriptions *subscriptions;
};

/* NULL: out of memory, threads or store readers. */
struct streamer *streamer_start(const struct streamer_env *env,
                                unsigned number);
/* Ends all streams between two events, within about 1.5 s. In two steps, so that several
 * streamers end at the same time: tell all, then join each. */
void streamer_tell_stop(struct streamer *st);
void streamer_join(struct streamer *st);
void streamer_free(struct streamer *st); /* joined; NULL is fine */

/* Takes `start`. false: too many are waiting; `start` stays the caller's. */
bool streamer_adopt(struct streamer *st, struct stream_start *start);
/* Runs it in the streamer's thread (stream_client.h). false: too many are waiting. */
bool streamer_visit(struct streamer *st, struct stream_visit *v);
size_t streamer_load(
    const struct streamer *st); /* streams, waiting included */

/* Takes a reference of its own. If the mailbox is full, the streamer is told that it missed
 * something, and its streams read the log. */
void streamer_post(struct streamer *st, struct frame *f);

/* The link is down: nothing arrives from now on. */
void streamer_lost(struct streamer *st);
/* Asks it to log what it holds, soon. */
void streamer_dump(struct streamer *st);
/* Revocations may have been missed: checks the tokens of all streams. */
void streamer_revalidate(struct streamer *st);

#endif
