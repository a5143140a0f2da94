#include "broker/client/acknowledge.h"

#include "broker/wire/packet_encode.h"
#include "broker/wire/reason.h"

void acknowledge_send(struct connection *c, enum packet_type type,
                      uint16_t packet_id, uint8_t reason)
{
    uint8_t packet[8];

    connection_say(c, packet,
                   packet_encode_ack(&c->terms, type, packet_id, reason, NULL,
                                     packet, sizeof(packet)));
}

void acknowledge_release(struct connection *c, uint16_t packet_id)
{
    acknowledge_send(c, PACKET_PUBREL, packet_id, REASON_SUCCESS);
}
