/* Which subscriptions match a topic: a tree with a node per
 * filter level, `+` and `#` apart, a vector of subscribers at each node.
 *
 * Matching costs what it visits: one look-up per level of the topic and per
 * `+` branch on its way, whatever else is subscribed. Filters such as `+/a/+/a`
 * and `a/+/a/+` could make that 2^levels for one topic. But a node on the way is
 * known by which of the levels before it are `+`, so there are never more of
 * them at a level than filters differ in that, and that is bounded: a topic of n
 * levels visits at most 2 * n * (1 + FILTER_SHAPES_MAX) nodes (filter_shape.h;
 * twice, because `+` as the first level is an owner, too), however many filters
 * there are and whoever made them. Levels are hashed with a random key, so that
 * clients cannot choose names that collide.
 * Not thread safe: each worker and each streamer has its own. */
#ifndef CONFAB_BASE_SUBSCRIPTION_INDEX_H
#define CONFAB_BASE_SUBSCRIPTION_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* What fan-out needs to know of a subscription, by value, side by side. */
struct subscriber {
    void *who;           /* the connection; opaque here */
    uint64_t since_id;   /* only entries with a greater id */
    uint32_t identifier; /* Subscription Identifier; 0: none */
    uint8_t qos;         /* granted */
    bool no_local;
    bool retain_as_published;
    bool changed; /* older messages are another matter (subscribe.h) */
    struct subscription *subscription;
};

struct filter_shape;
struct index_node;

/* Where a subscription stands in the index; embedded in the caller's. */
struct subscription {
    struct index_node *node; /* NULL: not in the index */
    struct filter_shape *shape;
    uint32_t slot;
    bool multi;  /* the filter ends in `#` */
    bool dollar; /* it begins with `$` */
};

struct subscription_index;

struct subscription_index *subscription_index_new(void);     /* NULL: memory */
void subscription_index_free(struct subscription_index *ix); /* NULL is fine */

/* false: `filter` (valid) has one shape too many (filter_shape.h); it may be
 * added when others were removed. */
bool subscription_index_takes(const struct subscription_index *ix,
                              struct slice filter);
/* `filter` is valid (base/topic.h). `s->subscription` is set here to `where`,
 * which stays at its address until removed. The caller makes sure that one
 * `who` is added once per filter. false: out of memory, or not taken; nothing
 * changed. */
bool subscription_index_add(struct subscription_index *ix, struct slice filter,
                            const struct subscriber *s,
                            struct subscription *where);
/* The entry itself, to read it or to change all but `who` and `subscription`;
 * valid until the next add or remove. */
struct subscriber *subscription_index_entry(const struct subscription *where);
void subscription_index_remove(struct subscription_index *ix,
                               struct subscription *where);

size_t subscription_index_count(const struct subscription_index *ix);
/* false: no topic but one that begins with `$` can match. */
bool subscription_index_has_plain(const struct subscription_index *ix);

/* One filter that matches, and everybody who subscribed to it. */
struct index_match {
    const struct subscriber *subscribers;
    size_t count;
};

/* Every filter that matches `topic` (valid; MQTT §4.7, `$` topics not by a
 * leading wildcard). A `who` occurs once per match, so at most once per filter.
 * Never fails; the array is the index's, until its next call of any kind. */
size_t subscription_index_match(struct subscription_index *ix,
                                struct slice topic,
                                const struct index_match **ret_matches);

/* Nodes that the last match visited: what it cost. */
size_t subscription_index_visited(const struct subscription_index *ix);

#endif
