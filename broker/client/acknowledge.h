/* PUBACK, PUBREC, PUBREL and PUBCOMP without properties. */
#ifndef CONFAB_BROKER_CLIENT_ACKNOWLEDGE_H
#define CONFAB_BROKER_CLIENT_ACKNOWLEDGE_H

#include "broker/client/connection.h"

/* Queues one of the four packets for the end of the turn. May close the
 * connection. reason: enum reason. */
void acknowledge_send(struct connection *c, enum packet_type type,
                      uint16_t packet_id, uint8_t reason);
/* Queues a PUBREL with reason Success. */
void acknowledge_release(struct connection *c, uint16_t packet_id);

#endif
