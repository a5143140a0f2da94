/* Handles SUBSCRIBE and UNSUBSCRIBE. */
#ifndef CONFAB_BROKER_SESSION_SUBSCRIBE_H
#define CONFAB_BROKER_SESSION_SUBSCRIBE_H

#include "broker/client/connection.h"

/* Queues SUBACK or UNSUBACK; may close the connection. Two cases take
 * longer. If a SUBSCRIBE joins groups (share_member.h), the connection is
 * `joining`, and the same packet is handled again when the groups have
 * answered. If a packet names a filter whose earlier SUBSCRIBE is not on
 * disk yet, the connection is `behind_store` and the packet is handled again
 * later, because the outcome of the earlier one decides what it means. */
void subscribe_received(struct connection *c,
                        const struct packet_subscribe *s);
void unsubscribe_received(struct connection *c,
                          const struct packet_subscribe *s);
#endif
