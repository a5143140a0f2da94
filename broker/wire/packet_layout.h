/* Computes the layout of the packets of packet_encode.h so that they fit.
 * Internal to packet*.c. */
#ifndef CONFAB_BROKER_WIRE_PACKET_LAYOUT_H
#define CONFAB_BROKER_WIRE_PACKET_LAYOUT_H

#include "broker/wire/packet_encode.h"
#include "broker/wire/packet_wire.h"

/* User properties. */
size_t packet_pairs_size(const struct packet_pair *pairs, size_t count);
uint8_t *packet_put_pairs(uint8_t *to, const struct packet_pair *pairs,
                          size_t count);

/* A packet without its detail. */
struct packet_form {
    size_t fixed;      /* bytes of the body other than properties */
    size_t properties; /* bytes of the properties */
    bool may_end;  /* without properties it may end before their length … */
    size_t ending; /* … and then has this many bytes instead of `fixed` */
};

struct packet_layout {
    size_t body;       /* remaining length */
    size_t properties; /* of these, the properties without their length */
    struct packet_detail detail; /* the detail that fits */
};

/* Largest size of the packet: the smaller of `cap` and what the client
 * accepts. */
size_t packet_limit(const struct packet_terms *terms, size_t cap);

/* Returns `detail`, or NULL if MQTT-3.1.2-29 forbids it. Not for CONNACK and
 * DISCONNECT. */
const struct packet_detail *packet_wanted(const struct packet_terms *terms,
                                          const struct packet_detail *detail);

/* detail  may be NULL
 * false: the packet does not fit even without any. */
bool packet_lay_out(const struct packet_terms *terms,
                    const struct packet_form *form,
                    const struct packet_detail *detail, size_t cap,
                    struct packet_layout *ret_layout);

/* Size of a packet with that body. */
static inline size_t packet_frame_size(size_t body)
{
    return 1 + wire_varint_size(body) + body;
}

uint8_t *packet_put_header(uint8_t *to, enum packet_type type, size_t body);
uint8_t *packet_put_detail(uint8_t *to, const struct packet_detail *detail);

/* Returns the length written, and asserts that it is the computed one. */
static inline size_t packet_written(const uint8_t *start, const uint8_t *end,
                                    size_t body)
{
    const size_t size = (size_t)(end - start);

    assert(size == packet_frame_size(body));
    return size;
}

#endif
