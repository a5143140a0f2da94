/* Encodes the packets that a server sends (packet.h decodes).
 *
 * Pure: no allocation, no state; any thread. Inputs are borrowed for the
 * call. Strings must be UTF-8 of at most 65,535 bytes; only their length is
 * asserted. A slice with data NULL is left out, an empty one with data is
 * sent empty, as in packet.h. */
#ifndef CONFAB_BROKER_WIRE_PACKET_ENCODE_H
#define CONFAB_BROKER_WIRE_PACKET_ENCODE_H

#include "broker/wire/packet.h"

struct packet_pair {
    struct slice name;
    struct slice value;
};

/* ---- PUBLISH (MQTT 5 §3.3) ----------------------------------------------- */

/* One PUBLISH in memory. Receivers with the same image share it; if only the
 * packet identifier differs, it can be patched. */
struct publish_image {
    uint8_t version; /* before PACKET_V5 no property is written */
    uint8_t qos;     /* 0 writes no packet_id */
    bool dup;
    bool retain;
    uint16_t packet_id;
    struct slice topic;
    struct slice stamp; /* bytes before all else of the payload… */
    struct slice
        enclosed; /* …and a string (base/envelope.h); data NULL: none */
    struct slice payload;
    /* Written in this order; user properties keep theirs (MQTT-3.3.2-18):
     * first `user`, then `extra`. */
    struct packet_message_properties properties;
    uint16_t topic_alias;             /* 0: none */
    const uint32_t *subscription_ids; /* 1-268435455 each */
    size_t subscription_id_count;
    struct slice user; /* encoded, 0x26 …; copied unchanged (MQTT-3.3.2-17) */
    const struct packet_pair *extra;
    size_t extra_count;
};

/* Size of the image in bytes; 0: more than MQTT allows. Compare it with the
 * receiver's Maximum Packet Size before anything is sent (MQTT-3.1.2-24). */
size_t publish_image_size(const struct publish_image *image);

/* Writes publish_image_size() bytes, which must not be 0, and returns their
 * number.
 * ret_packet_id_at  offset of the two bytes of the packet identifier,
 *                   highest first; 0 with QoS 0. May be NULL. */
size_t publish_image_write(const struct publish_image *image, uint8_t *to,
                           size_t *ret_packet_id_at);

/* ---- all others ---------------------------------------------------------- */
/* These functions write at most `cap` bytes at `to` and return their number.
 * They write nothing and return 0 if the packet
 *  - does not fit in `cap`, or exceeds what the client accepts
 *    (terms->maximum_packet_size), even without its detail, or
 *  - does not exist in the client's version. */

/* Reason string and user properties. Left out as far as needed for the
 * packet to fit (MQTT-3.2.2-19, MQTT-3.2.2-20 and the like for every
 * packet): first the reason string, else the user properties, else both.
 * Also left out if the client did not ask for problem information, where
 * MQTT-3.1.2-29 says so (not in CONNACK and DISCONNECT), and before MQTT 5. */
struct packet_detail {
    struct slice reason_string;
    const struct packet_pair *user;
    size_t user_count;
};

/* Zero means "absent" in every field, so set only what is needed. */
struct packet_connack {
    /* Enum reason; if not 0, session_present is not sent (MQTT-3.2.2-6). */
    uint8_t reason;
    bool session_present;
    bool has_session_expiry;
    bool has_maximum_qos;
    bool has_server_keep_alive;
    bool retain_unavailable;
    bool wildcards_unavailable;
    bool subscription_ids_unavailable;
    bool shared_unavailable;
    uint8_t maximum_qos; /* 0 or 1 */
    uint16_t receive_maximum;
    uint16_t topic_alias_maximum;
    uint16_t server_keep_alive_s;
    uint32_t session_expiry_s;
    uint32_t maximum_packet_size;
    struct slice assigned_client_id;
    struct slice response_information;
    struct slice server_reference;
    struct slice auth_method;
    struct slice auth_data;
    struct packet_detail detail;
};

/* Before MQTT 5 the reason is mapped to a return code (3.1.1 §3.2.2.3): 0x84
 * to 1, 0x85 to 2, 0x88 0x89 0x97 0x9F to 3, 0x86 to 4, 0x87 0x8A 0x8C to 5.
 * Other reasons have none: nothing is written; close the connection. */
size_t packet_encode_connack(const struct packet_terms *terms,
                             const struct packet_connack *connack, uint8_t *to,
                             size_t cap);

/* type: PUBACK, PUBREC, PUBREL or PUBCOMP. Before MQTT 5 these carry no
 * reason, so a refusal looks like success. `detail` may be NULL here and
 * below. */
size_t packet_encode_ack(const struct packet_terms *terms,
                         enum packet_type type, uint16_t packet_id,
                         uint8_t reason, const struct packet_detail *detail,
                         uint8_t *to, size_t cap);

/* Room that always suffices for a SUBACK or UNSUBACK with `count` reasons
 * and no detail. */
#define PACKET_SUBACK_SIZE_MAX(count) ((size_t)(count) + 8)

/* One reason per filter, in the order of the SUBSCRIBE (MQTT-3.9.3-1). Before
 * MQTT 5 every failure is 0x80 (3.1.1 §3.9.3). */
size_t packet_encode_suback(const struct packet_terms *terms,
                            uint16_t packet_id, const uint8_t *reasons,
                            size_t count, const struct packet_detail *detail,
                            uint8_t *to, size_t cap);

/* The same for UNSUBACK (MQTT-3.11.3-1). Before MQTT 5 it carries no
 * reasons. */
size_t packet_encode_unsuback(const struct packet_terms *terms,
                              uint16_t packet_id, const uint8_t *reasons,
                              size_t count, const struct packet_detail *detail,
                              uint8_t *to, size_t cap);

size_t packet_encode_pingresp(uint8_t *to, size_t cap);

/* MQTT 5 only. server_reference is for 0x9C and 0x9D. */
size_t packet_encode_disconnect(const struct packet_terms *terms,
                                uint8_t reason, struct slice server_reference,
                                const struct packet_detail *detail,
                                uint8_t *to, size_t cap);

/* MQTT 5 only. method must have data (MQTT-4.12.0-5). */
size_t packet_encode_auth(const struct packet_terms *terms, uint8_t reason,
                          struct slice method, struct slice data,
                          const struct packet_detail *detail, uint8_t *to,
                          size_t cap);

#endif
