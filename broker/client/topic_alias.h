/* Topic Aliases of one connection in both directions (MQTT 5 §3.3.2.3.4):
 * those the client set, and those the server set. Never kept beyond the
 * connection (MQTT-3.3.2-7).
 *
 * Memory: none before the first alias. Each table holds at most
 * TOPIC_ALIAS_MAX topics; the server's are at most TOPIC_ALIAS_OUT_LEN bytes
 * long, and the client's count in its memory share (held.h).
 * Threads: one worker's. */
#ifndef CONFAB_BROKER_CLIENT_TOPIC_ALIAS_H
#define CONFAB_BROKER_CLIENT_TOPIC_ALIAS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* Announced as Topic Alias Maximum; also the most aliases the server sets. */
#define TOPIC_ALIAS_MAX 16
/* The server sets no alias for longer topics: few are used often. */
#define TOPIC_ALIAS_OUT_LEN 1024
/* An alias takes three bytes, and a fourth if it makes the property length
 * one byte longer. The packet must not exceed the client's maximum. */
#define TOPIC_ALIAS_OUT_MIN 4

struct topic_aliases;

void topic_aliases_free(struct topic_aliases *t); /* NULL is fine */

/* The client sets an alias, 1…TOPIC_ALIAS_MAX. *ret_more: additional bytes
 * it takes (may be negative). false: out of memory. */
bool topic_alias_set(struct topic_aliases **t, uint16_t alias,
                     struct slice topic, int64_t *ret_more);
/* It stands for a topic that is good for nothing, and of which only this is kept:
 * `mark`, not 0. Else as above. */
bool topic_alias_mark(struct topic_aliases **t, uint16_t alias, uint8_t mark,
                      int64_t *ret_less);
/* 0: it has a topic, or is not set. */
uint8_t topic_alias_marked(const struct topic_aliases *t, uint16_t alias);
/* data NULL: not set, or marked. Valid until it is set again. */
struct slice topic_alias_get(const struct topic_aliases *t, uint16_t alias);
/* Bytes of all topics. */
int64_t topic_aliases_bytes(const struct topic_aliases *t);

/* The server's alias for a topic; 0: none yet. */
uint16_t topic_alias_find(const struct topic_aliases *t, struct slice topic);
/* Picks a new alias among the first `max`; 0: none is free, or the topic is
 * not worth one. Valid once topic_alias_set() was called for it. */
uint16_t topic_alias_offer(const struct topic_aliases *t, struct slice topic,
                           uint16_t max);

#endif
