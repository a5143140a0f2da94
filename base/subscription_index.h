/* Finds the subscriptions that match a topic. It is a tree with a node per
 * filter level, with separate places for `+` and `#`, and a vector of
 * subscribers at each node.
 *
 * Matching costs one look-up per visited node: one per level of the topic and
 * per `+` branch on its way, whatever else is subscribed. Filters such as
 * `+/a/+/a` and `a/+/a/+` could make that 2^levels for one topic. But which of
 * the levels before a visited node are `+` identifies it, so at each level
 * there are at most as many as the filters have different shapes, and shapes
 * are limited. A topic of n levels visits at most 2 * n * (1 +
 * FILTER_SHAPES_MAX) nodes (filter_shape.h; twice, because `+` as the first
 * level is an owner, too), whatever the number of filters and their owners.
 * Levels are hashed with a random key, so that clients cannot choose names
 * that collide. Not thread safe: each worker and each streamer has its own. */
#ifndef CONFAB_BASE_SUBSCRIPTION_INDEX_H
#define CONFAB_BASE_SUBSCRIPTION_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* What fan-out needs to know about a subscription; stored by value in an
 * array. */
struct subscriber {
    void *who;           /* the connection; opaque here */
    uint64_t since_id;   /* only entries with a greater id */
    uint32_t identifier; /* Subscription Identifier; 0: none */
    uint8_t qos;         /* granted */
    bool no_local;
    bool retain_as_published;
    bool changed; /* older messages are handled differently (subscribe.h) */
    struct subscription *subscription;
};

struct filter_shape;
struct index_node;

/* The position of a subscription in the index; embedded in a struct of the
 * caller. */
struct subscription {
    struct index_node *node; /* NULL: not in the index */
    struct filter_shape *shape;
    uint32_t slot;
    bool multi;  /* the filter ends in `#` */
    bool dollar; /* it begins with `$` */
};

struct subscription_index;

struct subscription_index *subscription_index_new(
    void); /* NULL: out of memory */
void subscription_index_free(struct subscription_index *ix); /* NULL is fine */

/* false: `filter` (valid) would be one shape too many (filter_shape.h); it may
 * be added after others were removed. */
bool subscription_index_takes(const struct subscription_index *ix,
                              struct slice filter);
/* `filter` is valid (base/topic.h). Sets `s->subscription` to `where`, which
 * must stay at its address until it is removed. The caller must add a `who`
 * only once per filter. false: out of memory, or one shape too many; nothing
 * changed. */
bool subscription_index_add(struct subscription_index *ix, struct slice filter,
                            const struct subscriber *s,
                            struct subscription *where);
/* The entry itself, to read it or to change any member but `who` and
 * `subscription`; valid until the next add or remove. */
struct subscriber *subscription_index_entry(const struct subscription *where);
void subscription_index_remove(struct subscription_index *ix,
                               struct subscription *where);

size_t subscription_index_count(const struct subscription_index *ix);
/* false: only topics that begin with `$` can match. */
bool subscription_index_has_plain(const struct subscription_index *ix);

/* A filter that matches, and all its subscribers. */
struct index_match {
    const struct subscriber *subscribers;
    size_t count;
};

/* All filters that match `topic` (valid; MQTT §4.7: a leading wildcard does
 * not match `$` topics). A `who` occurs once per match, so at most once per
 * filter. Never fails. The array belongs to the index and is valid until the
 * next call of any of its functions. */
size_t subscription_index_match(struct subscription_index *ix,
                                struct slice topic,
                                const struct index_match **ret_matches);

/* The number of nodes that the last match visited: its cost. */
size_t subscription_index_visited(const struct subscription_index *ix);

#endif
