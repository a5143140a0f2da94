/* Decodes MQTT packets on the server's side: bytes in, struct or error out
 * (packet_encode.h encodes). MQTT 5.0, 3.1.1 and 3.1.
 *
 * Pure: no sockets, no clock, no allocation, no state. Any thread.
 * Borrowed: every slice in a result points into the buffer given to
 * packet_frame(), and is valid as long as those bytes stay in place.
 * Absent: a field that the packet does not carry has data NULL; one that was
 * sent empty has data and len 0. Absent numbers have MQTT's default.
 * Errors: false and *ret_error; *ret_packet is then unspecified. In MQTT 5
 * the reason goes into a DISCONNECT (before CONNACK: into the CONNACK) and
 * the connection is closed; in 3.1.1 and 3.1 it is just closed
 * (MQTT-4.13.1-1, MQTT-4.8.0-1 of 3.1.1).
 *
 * Form is checked completely, by the numbered rules named in the .c files,
 * so nothing needs a second check. The session checks what needs state or
 * policy: that CONNECT comes first and once, packet identifiers in use,
 * Receive Maximum, whether an alias is known, a session expiry that
 * DISCONNECT may not raise, wildcards in filters and the parts of `$share/…`
 * (base/topic.h; answered per filter in SUBACK). */
#ifndef CONFAB_BROKER_WIRE_PACKET_H
#define CONFAB_BROKER_WIRE_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum packet_version { PACKET_V31 = 3, PACKET_V311 = 4, PACKET_V5 = 5 };

enum packet_type {
    PACKET_CONNECT = 1,
    PACKET_CONNACK = 2,
    PACKET_PUBLISH = 3,
    PACKET_PUBACK = 4,
    PACKET_PUBREC = 5,
    PACKET_PUBREL = 6,
    PACKET_PUBCOMP = 7,
    PACKET_SUBSCRIBE = 8,
    PACKET_SUBACK = 9,
    PACKET_UNSUBSCRIBE = 10,
    PACKET_UNSUBACK = 11,
    PACKET_PINGREQ = 12,
    PACKET_PINGRESP = 13,
    PACKET_DISCONNECT = 14,
    PACKET_AUTH = 15
};

/* Longest packet that MQTT allows: one byte, a length of four bytes, a body. */
#define PACKET_SIZE_MAX (5 + 268435455U)

struct packet_error {
    uint8_t reason;   /* enum reason, 0x80 or above */
    const char *text; /* static; for the log and a Reason String */
};

/* What both ends agreed on in CONNECT and CONNACK, as far as the form of
 * later packets depends on it. */
struct packet_terms {
    uint8_t version;     /* enum packet_version */
    uint8_t maximum_qos; /* ours: the highest QoS a client may publish with */
    uint16_t topic_alias_maximum; /* ours: 0 allows none */
    uint32_t maximum_packet_size; /* the client's; UINT32_MAX: no limit */
    bool problem_information;     /* the client's: it accepts reason strings */
    /* A 3.x client that is another broker: its subscriptions get No Local
     * and Retain As Published, which 3.x cannot express. */
    bool bridge;
};

/* ---- framing (MQTT 5 §2.1) ----------------------------------------------- */

enum packet_framing {
    PACKET_MORE,  /* the packet is not complete yet: read more */
    PACKET_WHOLE, /* *ret_frame holds it */
    PACKET_BROKEN /* *ret_error: close, no packet can follow */
};

struct packet_frame {
    uint8_t type;  /* enum packet_type, one that clients send */
    uint8_t flags; /* the low four bits of the first byte */
    bool padded;   /* remaining length has more bytes than needed */
    size_t size;   /* of the whole packet: the next one begins there */
    struct slice body;
};

/* Finds one packet at the start of `buf`. After PACKET_MORE call it again
 * with the same start and more bytes; ret_frame->size is then the size of
 * the whole packet, or 0 while that is unknown.
 * max_size  largest packet, as announced in CONNACK; larger ones are refused
 *           as soon as their length is read, with PACKET_TOO_LARGE
 * Input whose first byte is not the type of a client's packet is refused at
 * once. */
enum packet_framing packet_frame(const void *buf, size_t len, size_t max_size,
                                 struct packet_frame *ret_frame,
                                 struct packet_error *ret_error);

/* ---- properties (MQTT 5 §2.2.2) ------------------------------------------ */

/* X(name, identifier, text): properties that a client may send. */
#define PACKET_PROPERTIES(X)                                                  \
    X(PAYLOAD_FORMAT, 0x01, "Payload Format Indicator")                       \
    X(MESSAGE_EXPIRY, 0x02, "Message Expiry Interval")                        \
    X(CONTENT_TYPE, 0x03, "Content Type")                                     \
    X(RESPONSE_TOPIC, 0x08, "Response Topic")                                 \
    X(CORRELATION, 0x09, "Correlation Data")                                  \
    X(SUBSCRIPTION_ID, 0x0b, "Subscription Identifier")                       \
    X(SESSION_EXPIRY, 0x11, "Session Expiry Interval")                        \
    X(AUTH_METHOD, 0x15, "Authentication Method")                             \
    X(AUTH_DATA, 0x16, "Authentication Data")                                 \
    X(REQUEST_PROBLEM, 0x17, "Request Problem Information")                   \
    X(WILL_DELAY, 0x18, "Will Delay Interval")                                \
    X(REQUEST_RESPONSE, 0x19, "Request Response Information")                 \
    X(SERVER_REFERENCE, 0x1c, "Server Reference")                             \
    X(REASON_STRING, 0x1f, "Reason String")                                   \
    X(RECEIVE_MAXIMUM, 0x21, "Receive Maximum")                               \
    X(TOPIC_ALIAS_MAXIMUM, 0x22, "Topic Alias Maximum")                       \
    X(TOPIC_ALIAS, 0x23, "Topic Alias")                                       \
    X(USER, 0x26, "User Property")                                            \
    X(MAXIMUM_PACKET_SIZE, 0x27, "Maximum Packet Size")

enum packet_property {
#define X(name, identifier, text) PROPERTY_##name = identifier,
    PACKET_PROPERTIES(X)
#undef X
};

/* User properties as they were sent. Other properties may stand between
 * them, so `span` runs from the first to the end of the last; if span.len ==
 * size there is nothing else in between, and the span can be copied as it
 * is. */
struct packet_user_block {
    struct slice span; /* data NULL: none */
    size_t size;       /* bytes of the user properties alone */
};

/* Properties of PUBLISH and of a will, except user properties. */
struct packet_message_properties {
    bool has_payload_format;
    bool has_expiry;
    uint8_t payload_format; /* 0 bytes, 1 UTF-8 */
    uint32_t expiry_s;
    struct slice content_type;
    struct slice response_topic;
    struct slice correlation;
};

struct packet_user_property {
    struct slice name;
    struct slice value;
    struct slice encoded; /* both, with identifier and lengths: 0x26 … */
};

/* Walks user properties in the order they were sent. */
struct packet_user_cursor {
    const uint8_t *at, *end;
};

/* `block` must come from a decoder here (a span), or be a copy of encoded
 * user properties: it is not checked again. */
struct packet_user_cursor packet_user_props(struct slice block);
/* false: no more. Skips other properties. */
bool packet_user_props_next(struct packet_user_cursor *c,
                            struct packet_user_property *ret_property);

/* ---- the packets a client sends ------------------------------------------ */
/* `f` is a complete frame of the right type: the caller switches on f->type. */

struct packet_will {
    uint8_t qos;
    bool retain;
    uint32_t delay_s;
    struct slice topic;
    struct slice payload;
    struct packet_message_properties properties;
    struct packet_user_block user;
};

struct packet_connect {
    uint8_t version; /* enum packet_version */
    bool bridge; /* 3.x: the client is another broker, packet_terms.bridge */
    bool clean_start;
    bool has_will;
    bool request_response;        /* wants Response Information */
    bool request_problem;         /* accepts reason strings; 3.x: true */
    uint16_t keep_alive_s;        /* 0: off */
    uint16_t receive_maximum;     /* 1-65535 */
    uint16_t topic_alias_maximum; /* 0: none */
    uint32_t maximum_packet_size; /* UINT32_MAX: no limit */
    uint32_t session_expiry_s; /* UINT32_MAX: never. 3.x: 0 with Clean Session,
                                  else never */
    struct slice client_id;    /* may be empty: the server assigns one */
    struct slice user_name;
    struct slice password;
    struct slice auth_method;
    struct slice auth_data;
    struct packet_user_block user;
    struct packet_will will;
};

/* maximum_qos: the server's; a will above it is refused (MQTT-3.2.2-12).
 * On error ret_connect->version is the version to answer a CONNACK in; 0:
 * this was not MQTT, answer nothing. packet_encode_connack() writes nothing
 * for reasons that 3.x has no return code for. */
bool packet_decode_connect(const struct packet_frame *f, uint8_t maximum_qos,
                           struct packet_connect *ret_connect,
                           struct packet_error *ret_error);

struct packet_publish {
    uint8_t qos;
    bool dup;
    bool retain;
    /* … although its format says so: answer PUBACK 0x99, with QoS 0
     * DISCONNECT 0x99, and store nothing. */
    bool payload_not_utf8;
    uint16_t packet_id;   /* 0 with QoS 0 */
    uint16_t topic_alias; /* 0: none; else within the server's maximum */
    struct slice topic;   /* empty only with an alias */
    struct slice payload;
    struct packet_message_properties properties;
    struct packet_user_block user;
};

bool packet_decode_publish(const struct packet_frame *f,
                           const struct packet_terms *terms,
                           struct packet_publish *ret_publish,
                           struct packet_error *ret_error);

/* One entry of SUBSCRIBE or UNSUBSCRIBE (there only `filter`). */
struct packet_filter {
    struct slice filter; /* UTF-8 without NUL, not empty */
    uint8_t qos;
    uint8_t retain_handling; /* 0 send, 1 send when new, 2 do not send */
    bool no_local;
    bool retain_as_published;
};

struct packet_filter_cursor {
    const uint8_t *at, *end;
    bool with_options;
    bool bridge; /* packet_terms.bridge */
};

/* SUBSCRIBE and UNSUBSCRIBE. All entries are valid. */
struct packet_subscribe {
    uint16_t packet_id;
    uint32_t subscription_id; /* 0: none */
    size_t count;             /* of filters, at least 1 */
    /* At the first; copy it to walk twice. */
    struct packet_filter_cursor filters;
    struct packet_user_block user;
};

bool packet_decode_subscribe(const struct packet_frame *f,
                             const struct packet_terms *terms,
                             struct packet_subscribe *ret_subscribe,
                             struct packet_error *ret_error);
bool packet_decode_unsubscribe(const struct packet_frame *f,
                               const struct packet_terms *terms,
                               struct packet_subscribe *ret_unsubscribe,
                               struct packet_error *ret_error);
/* false: no more. */
bool packet_filter_next(struct packet_filter_cursor *c,
                        struct packet_filter *ret_filter);

/* PUBACK, PUBREC, PUBREL, PUBCOMP. */
struct packet_ack {
    uint16_t packet_id;
    uint8_t reason; /* enum reason; 3.x: 0 */
    struct slice reason_string;
};

bool packet_decode_ack(const struct packet_frame *f,
                       const struct packet_terms *terms,
                       struct packet_ack *ret_ack,
                       struct packet_error *ret_error);

struct packet_disconnect {
    uint8_t reason; /* enum reason; 3.x: 0. Only 0 drops the will
                       (MQTT-3.14.4-3) */
    bool has_session_expiry;
    uint32_t session_expiry_s;
    struct slice reason_string;
};

bool packet_decode_disconnect(const struct packet_frame *f,
                              const struct packet_terms *terms,
                              struct packet_disconnect *ret_disconnect,
                              struct packet_error *ret_error);

struct packet_auth {
    uint8_t reason; /* CONTINUE_AUTHENTICATION or REAUTHENTICATE */
    struct slice method;
    struct slice data;
    struct slice reason_string;
};

bool packet_decode_auth(const struct packet_frame *f,
                        const struct packet_terms *terms,
                        struct packet_auth *ret_auth,
                        struct packet_error *ret_error);

/* It has no fields to return. */
bool packet_decode_pingreq(const struct packet_frame *f,
                           const struct packet_terms *terms,
                           struct packet_error *ret_error);

#endif
