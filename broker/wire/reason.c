#include "broker/wire/reason.h"

#include "broker/wire/packet.h"

/* Packets that may carry a code: one bit per packet type. */
enum {
    IN_CONNACK = 1 << PACKET_CONNACK,
    IN_PUBACK = 1 << PACKET_PUBACK,
    IN_PUBREC = 1 << PACKET_PUBREC,
    IN_PUBREL = 1 << PACKET_PUBREL,
    IN_PUBCOMP = 1 << PACKET_PUBCOMP,
    IN_SUBACK = 1 << PACKET_SUBACK,
    IN_UNSUBACK = 1 << PACKET_UNSUBACK,
    IN_DISCONNECT = 1 << PACKET_DISCONNECT,
    IN_AUTH = 1 << PACKET_AUTH,
    /* frequent combinations */
    IN_ANSWERS = IN_PUBACK | IN_PUBREC | IN_SUBACK,
    IN_CLOSING = IN_CONNACK | IN_DISCONNECT
};

static const struct {
    const char *name;
    const char *text;
    uint16_t packets;
} reasons[256] = {
#define X(code_name, value, in, about)                                        \
    [value] = {.name = #code_name, .text = about, .packets = in},
    REASONS(X)
#undef X
};

const char *reason_text(uint8_t reason)
{
    const char *text = reasons[reason].text;
    return text ? text : "unknown reason code";
}

const char *reason_name(uint8_t reason)
{
    const char *name = reasons[reason].name;
    return name ? name : "UNKNOWN";
}

bool reason_allowed(uint8_t reason, uint8_t packet_type)
{
    return packet_type < 16 && (reasons[reason].packets >> packet_type & 1);
}
