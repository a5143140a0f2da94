/* Handles PUBACK, PUBREC, PUBREL and PUBCOMP from a client (MQTT 5 §4.3). */
#ifndef CONFAB_BROKER_SESSION_FLOW_H
#define CONFAB_BROKER_SESSION_FLOW_H

#include "broker/client/connection.h"

/* type: one of the four. May close the connection. */
void flow_acknowledged(struct connection *c, enum packet_type type,
                       const struct packet_ack *ack);

#endif
