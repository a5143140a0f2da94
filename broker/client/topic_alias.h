/* Topic Aliases of one connection, both ways (MQTT 5 §3.3.2.3.4): those a client
 * has set for us, and those we have set for it. Never kept beyond the connection
 * (MQTT-3.3.2-7).
 *
 * Memory: none before the first one; what the tables hold is bounded by
 * TOPIC_ALIAS_MAX topics each, ours of at most TOPIC_ALIAS_OUT_LEN bytes, theirs
 * by who sets them (held.h).
 * Threads: one worker's. */
#ifndef CONFAB_BROKER_CLIENT_TOPIC_ALIAS_H
#define CONFAB_BROKER_CLIENT_TOPIC_ALIAS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* Announced as Topic Alias Maximum, and as many as we set of those a client
 * allows. */
#define TOPIC_ALIAS_MAX 16
/* Longer topics get no alias of ours: few send many messages to them. */
#define TOPIC_ALIAS_OUT_LEN 1024
/* An alias takes three bytes, and one more where it makes the length of the
 * properties longer: a packet must not grow beyond what its client takes. */
#define TOPIC_ALIAS_OUT_MIN 4

struct topic_aliases;

void topic_aliases_free(struct topic_aliases *t); /* NULL is fine */

/* The client sets one; alias 1…TOPIC_ALIAS_MAX. *ret_more: bytes it takes more
 * than before (may be negative). false: out of memory. */
bool topic_alias_set(struct topic_aliases **t, uint16_t alias,
                     struct slice topic, int64_t *ret_more);
/* It stands for a topic that is good for nothing, and of which only this is kept:
 * `mark`, not 0. Else as above. */
bool topic_alias_mark(struct topic_aliases **t, uint16_t alias, uint8_t mark,
                      int64_t *ret_less);
/* 0: it has none, but a topic, or is not set. */
uint8_t topic_alias_marked(const struct topic_aliases *t, uint16_t alias);
/* data NULL: it is not set, or marked. Valid until it is set again. */
struct slice topic_alias_get(const struct topic_aliases *t, uint16_t alias);
/* Bytes all topics take. */
int64_t topic_aliases_bytes(const struct topic_aliases *t);

/* Ours for a topic: 0 when it has none (yet). */
uint16_t topic_alias_find(const struct topic_aliases *t, struct slice topic);
/* A new one among the first `max`; 0: there is none left, or it is not worth
 * it. It counts from when topic_alias_set() says so. */
uint16_t topic_alias_offer(const struct topic_aliases *t, struct slice topic,
                           uint16_t max);

#endif
