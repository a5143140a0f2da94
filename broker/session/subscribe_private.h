/* Between subscribe.c, what a SUBSCRIBE means, subscribe_store.c, which has it on
 * disk before it is acknowledged, and subscribe_answer.c. */
#ifndef CONFAB_BROKER_SESSION_SUBSCRIBE_PRIVATE_H
#define CONFAB_BROKER_SESSION_SUBSCRIBE_PRIVATE_H

#include "broker/client/connection.h"
#include "store/session.h"

/* Queues SUBACK or UNSUBACK; may close the connection. `quota`: what 0x97 is about,
 * NULL: the client's filters. */
void subscribe_answer(struct connection *c, enum packet_type type,
                      uint16_t packet_id, const uint8_t *reasons, size_t count,
                      const char *quota);

/* The filters of `s` are in the index already, or out of it; answers when that is
 * on disk. Where a SUBSCRIBE cannot be, they are taken back to what they were
 * `before`; until it is known they are `storing`. The arrays have s->count elements
 * and are borrowed for the call. */
void subscribe_store(struct connection *c, const struct packet_subscribe *s,
                     const uint8_t *reasons,
                     const struct session_subscription *before);
void unsubscribe_store(struct connection *c, const struct packet_subscribe *s,
                       const uint8_t *reasons);

#endif
