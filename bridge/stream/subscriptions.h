/* Which filters the bridge keeps subscribed on its link, for all streamers together.
 *
 * A filter is subscribed when its first reader comes. It is unsubscribed
 * SUBSCRIPTION_LINGER_US after the last reader has left; if it has `+`, soon after that;
 * and the oldest at once if more of a token, or of all, would linger than
 * SUBSCRIPTIONS_LINGERING_…. A filter whose last reader leaves before it was subscribed
 * never is. After a reconnect all filters with readers are subscribed again.
 *
 * Threads: any; one mutex, held for look-ups. The link may be called with it held (the
 * link only queues). */
#ifndef CONFAB_BRIDGE_STREAM_SUBSCRIPTIONS_H
#define CONFAB_BRIDGE_STREAM_SUBSCRIPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define SUBSCRIPTIONS_STREAMERS_MAX 64 /* a set of them is a uint64_t */
#define SUBSCRIPTION_LINGER_US 30000000
#define SUBSCRIPTIONS_LINGERING_OF_TOKEN 256
#define SUBSCRIPTIONS_LINGERING_MAX 4096
#define SUBSCRIPTION_RETRY_US 5000000 /* after a refusal of the broker … */
#define SUBSCRIPTION_RETRY_MOST_US                                            \
    300000000 /* … doubled with each, up to this */

struct link;
struct subscriptions;
struct link_subscription;

struct subscriptions *subscriptions_new(unsigned streamers); /* NULL: memory */
void subscriptions_free(struct subscriptions *ss);           /* NULL is fine */

/* Adds a reader of `filter` on that streamer, and subscribes the filter if necessary. NULL:
 * out of memory. streamer == SUBSCRIPTIONS_NOBODY: the filter is kept for its own sake,
 * and subscriptions_streamers() does not name it. */
#define SUBSCRIPTIONS_NOBODY SUBSCRIPTIONS_STREAMERS_MAX
struct link_subscription *subscriptions_hold(struct subscriptions *ss,
                                             struct slice filter,
                                             unsigned streamer);
void subscriptions_release(struct subscriptions *ss,
                           struct link_subscription *sub, unsigned streamer,
                           int64_t now_us);

/* Whether a store snapshot taken after subscriptions_moment() returned `moment` contains
 * everything that this subscription does not bring. True if its SUBACK had come by then
 * and the connection has not been lost since. */
uint64_t subscriptions_moment(struct subscriptions *ss);
bool subscription_stands(struct subscriptions *ss,
                         const struct link_subscription *sub, uint64_t moment);

/* Bit n: streamer n has a reader whose filter matches. base/subscription_index.h says what
 * it costs. */
uint64_t subscriptions_streamers(struct subscriptions *ss, struct slice topic);

/* Call it about every second: unsubscribes filters that have lingered, subscribes again
 * those that could not be. */
void subscriptions_tend(struct subscriptions *ss, int64_t now_us);

/* ---- the link's side ----------------------------------------------------- */

void subscriptions_set_link(struct subscriptions *ss, struct link *l);
void subscriptions_up(struct subscriptions *ss);
void subscriptions_down(struct subscriptions *ss);
/* A SUBACK came. Returns the streamers with a reader of that filter, which must be told. */
uint64_t subscriptions_answered(struct subscriptions *ss, struct slice filter,
                                bool ok, int64_t now_us);

#endif
