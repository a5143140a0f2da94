/* One streamer: a thread with a libev loop, the sockets of its streams, and
 * what feeds them. See stream_private.h for what its files share.
 *
 * Threads: streamer_start(), _tell_stop(), _join() and _free() in the owner's; the rest any,
 * and none of it blocks. */
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

/* What all streamers share; borrowed for their lives. */
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
/* Ends every stream at an event's end, within about 1.5 s. In two steps, so
 * that several streamers end at the same time: tell all, then join each. */
void streamer_tell_stop(struct streamer *st);
void streamer_join(struct streamer *st);
void streamer_free(struct streamer *st); /* joined; NULL is fine */

/* Takes `start`. false: too many are waiting; it stays the caller's. */
bool streamer_adopt(struct streamer *st, struct stream_start *start);
size_t streamer_load(
    const struct streamer *st); /* streams, waiting included */

/* Takes a reference of its own. Where there is no room the streamer is told
 * that it missed something, and its readers turn to the log. */
void streamer_post(struct streamer *st, struct frame *f);

/* The link is down: nothing arrives from now on. */
void streamer_lost(struct streamer *st);
/* Log what you hold, soon. */
void streamer_dump(struct streamer *st);
/* Tokens may have been revoked unseen: look at all of them. */
void streamer_revalidate(struct streamer *st);

#endif
