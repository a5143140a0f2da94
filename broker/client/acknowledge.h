/* PUBACK, PUBREC, PUBREL and PUBCOMP without properties. */
#ifndef CONFAB_BROKER_CLIENT_ACKNOWLEDGE_H
#define CONFAB_BROKER_CLIENT_ACKNOWLEDGE_H

#include "broker/client/connection.h"

/* Queues it, to be sent at the end of the turn; may close the connection. type: one
 * of the four; reason: enum reason. */
void acknowledge_send(struct connection *c, enum packet_type type,
                      uint16_t packet_id, uint8_t reason);
/* PUBREL, with success. */
void acknowledge_release(struct connection *c, uint16_t packet_id);

#endif
