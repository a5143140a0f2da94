/* Acknowledgements, both ways: what PUBACK, PUBREC, PUBREL and PUBCOMP of a
 * client mean (MQTT 5 §4.3), and sending again what an earlier connection of the
 * session left in flight (§4.4). */
#ifndef CONFAB_BROKER_CLIENT_FLOW_H
#define CONFAB_BROKER_CLIENT_FLOW_H

#include "broker/client/connection.h"
#include "store/store.h"

/* type: of the four. May close the connection. */
void flow_acknowledged(struct connection *c, enum packet_type type,
                       const struct packet_ack *ack);

void flow_send_pubrel(struct connection *c, uint16_t packet_id);

/* Sends again some of what c->resend counts, as far as the client has room and
 * its Receive Maximum allows. r inside begin/end. false: the store failed, try
 * again later. */
bool flow_resend_step(struct connection *c, struct store_reader *r);
bool flow_may_resend(const struct connection *c);

#endif
