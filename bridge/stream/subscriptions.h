/* Which filters the bridge holds subscribed on its link, for all streamers
 * together: a filter is asked for when the first reader of it arrives and given
 * up SUBSCRIPTION_LINGER_US after the last one left, one with `+` soon after it,
 * and the oldest at once where more of a token, or of all, would linger than
 * SUBSCRIPTIONS_LINGERING_…. What was not asked for yet when its last reader left
 * never is. After a new connection everything that is read is asked for again.
 *
 * Threads: any; one mutex, held for look-ups. The link may be called under it
 * (it only queues). */
#ifndef CONFAB_BRIDGE_STREAM_SUBSCRIPTIONS_H
#define CONFAB_BRIDGE_STREAM_SUBSCRIPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define SUBSCRIPTIONS_STREAMERS_MAX 64 /* a set of them is a uint64_t */
#define SUBSCRIPTION_LINGER_US 30000000
#define SUBSCRIPTIONS_LINGERING_OF_TOKEN 256
#define SUBSCRIPTIONS_LINGERING_MAX 4096
#define SUBSCRIPTION_RETRY_US 5000000        /* after the broker refused… */
#define SUBSCRIPTION_RETRY_MOST_US 300000000 /* …again and again: doubled */

struct link;
struct subscriptions;
struct link_subscription;

struct subscriptions *subscriptions_new(unsigned streamers); /* NULL: memory */
void subscriptions_free(struct subscriptions *ss);           /* NULL is fine */

/* One more reader of `filter` on that streamer; asks for it if need be.
 * NULL: out of memory. streamer == SUBSCRIPTIONS_NOBODY: held for its own sake,
 * subscriptions_streamers() does not name it. */
#define SUBSCRIPTIONS_NOBODY SUBSCRIPTIONS_STREAMERS_MAX
struct link_subscription *subscriptions_hold(struct subscriptions *ss,
                                             struct slice filter,
                                             unsigned streamer);
void subscriptions_release(struct subscriptions *ss,
                           struct link_subscription *sub, unsigned streamer,
                           int64_t now_us);

/* Does a store snapshot taken after subscriptions_moment() returned `moment`
 * hold everything that this subscription does not bring? True when its SUBACK
 * had come by then and the connection has not been lost since. */
uint64_t subscriptions_moment(struct subscriptions *ss);
bool subscription_stands(struct subscriptions *ss,
                         const struct link_subscription *sub, uint64_t moment);

/* Bit n: streamer n has a reader whose filter matches. What it costs:
 * base/subscription_index.h. */
uint64_t subscriptions_streamers(struct subscriptions *ss, struct slice topic);

/* Every second or so: gives up what lingered, asks again for what could not be
 * asked for. */
void subscriptions_tend(struct subscriptions *ss, int64_t now_us);

/* ---- the link's side ----------------------------------------------------- */

void subscriptions_set_link(struct subscriptions *ss, struct link *l);
void subscriptions_up(struct subscriptions *ss);
void subscriptions_down(struct subscriptions *ss);
/* SUBACK. The streamers with a reader of that filter, to be told. */
uint64_t subscriptions_answered(struct subscriptions *ss, struct slice filter,
                                bool ok, int64_t now_us);

#endif
