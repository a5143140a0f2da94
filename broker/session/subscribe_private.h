/* Shared by subscribe.c (the meaning of a SUBSCRIBE), subscribe_store.c
 * (writes it to disk before it is acknowledged) and subscribe_answer.c. */
#ifndef CONFAB_BROKER_SESSION_SUBSCRIBE_PRIVATE_H
#define CONFAB_BROKER_SESSION_SUBSCRIBE_PRIVATE_H

#include "broker/client/connection.h"
#include "store/session.h"

/* Queues SUBACK or UNSUBACK; may close the connection. `quota`: the limit
 * that 0x97 refers to; NULL: filters per client. */
void subscribe_answer(struct connection *c, enum packet_type type,
                      uint16_t packet_id, const uint8_t *reasons, size_t count,
                      const char *quota);

/* The filters of `s` are already in the index, or out of it. Answers when
 * that is on disk; until then they are `storing`. If a SUBSCRIBE cannot be
 * stored, they are restored to what they were `before`. The arrays have
 * s->count elements and are borrowed for the call. */
void subscribe_store(struct connection *c, const struct packet_subscribe *s,
                     const uint8_t *reasons,
                     const struct session_subscription *before);
void unsubscribe_store(struct connection *c, const struct packet_subscribe *s,
                       const uint8_t *reasons);

#endif
