/* What SUBSCRIBE and UNSUBSCRIBE mean. */
#ifndef CONFAB_BROKER_SESSION_SUBSCRIBE_H
#define CONFAB_BROKER_SESSION_SUBSCRIBE_H

#include "broker/client/connection.h"

/* Queue SUBACK or UNSUBACK; may close the connection. Where a SUBSCRIBE joins
 * groups (share_member.h), it is not done yet: the connection is `joining`, and
 * when the groups have answered, the same packet is received again. So it is, with
 * the connection `behind_store`, where a packet names a filter whose SUBSCRIBE is
 * not on disk yet: what becomes of that one decides what this one means. */
void subscribe_received(struct connection *c,
                        const struct packet_subscribe *s);
void unsubscribe_received(struct connection *c,
                          const struct packet_subscribe *s);
#endif
