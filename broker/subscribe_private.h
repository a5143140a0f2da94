/* Between subscribe.c, what a SUBSCRIBE means, and subscribe_store.c, which has
 * it on disk before it is acknowledged. */
#ifndef CONFAB_BROKER_SUBSCRIBE_PRIVATE_H
#define CONFAB_BROKER_SUBSCRIBE_PRIVATE_H

#include "broker/subscribe.h"

/* NULL: no such filter of this client. */
struct session_filter *subscribe_find(struct connection *c,
                                      struct slice filter);
/* A SUBSCRIBE that made it new cannot be on disk. */
void subscribe_take_back(struct connection *c, struct slice filter);

/* Queues SUBACK or UNSUBACK; may close the connection. `quota`: what 0x97 is about,
 * NULL: the client's filters. */
void subscribe_answer(struct connection *c, enum packet_type type,
                      uint16_t packet_id, const uint8_t *reasons, size_t count,
                      const char *quota);

/* The filters of `s` are in the index already, or out of it; answers when that is
 * on disk. Where it cannot be, those `added` are taken out again. The arrays have
 * s->count elements and are borrowed for the call. */
void subscribe_store(struct connection *c, const struct packet_subscribe *s,
                     const uint8_t *reasons, const bool *added);
void unsubscribe_store(struct connection *c, const struct packet_subscribe *s,
                       const uint8_t *reasons);

#endif
