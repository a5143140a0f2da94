/* All reason codes of MQTT 5 (§2.4, table 2-6): value, packets that may
 * carry it, and a text for logs and reason strings. MQTT 3.1.1 has only the
 * return codes of CONNACK and SUBACK; packet_encode.h maps to them. */
#ifndef CONFAB_BROKER_WIRE_REASON_H
#define CONFAB_BROKER_WIRE_REASON_H

#include <stdbool.h>
#include <stdint.h>

/* X(name, value, packets, text): the IN_… names in `packets` are defined in
 * reason.c, the only place that expands that column. */
#define REASONS(X)                                                            \
    X(SUCCESS, 0x00,                                                          \
      IN_CLOSING | IN_ANSWERS | IN_PUBREL | IN_PUBCOMP | IN_UNSUBACK |        \
          IN_AUTH,                                                            \
      "success")                                                              \
    X(GRANTED_QOS_1, 0x01, IN_SUBACK, "granted QoS 1")                        \
    X(GRANTED_QOS_2, 0x02, IN_SUBACK, "granted QoS 2")                        \
    X(DISCONNECT_WITH_WILL, 0x04, IN_DISCONNECT, "disconnect with will")      \
    X(NO_MATCHING_SUBSCRIBERS, 0x10, IN_PUBACK | IN_PUBREC,                   \
      "no matching subscribers")                                              \
    X(NO_SUBSCRIPTION_EXISTED, 0x11, IN_UNSUBACK, "no subscription existed")  \
    X(CONTINUE_AUTHENTICATION, 0x18, IN_AUTH, "continue authentication")      \
    X(REAUTHENTICATE, 0x19, IN_AUTH, "re-authenticate")                       \
    X(UNSPECIFIED_ERROR, 0x80, IN_CLOSING | IN_ANSWERS | IN_UNSUBACK,         \
      "unspecified error")                                                    \
    X(MALFORMED_PACKET, 0x81, IN_CLOSING, "malformed packet")                 \
    X(PROTOCOL_ERROR, 0x82, IN_CLOSING, "protocol error")                     \
    X(IMPLEMENTATION_SPECIFIC, 0x83, IN_CLOSING | IN_ANSWERS | IN_UNSUBACK,   \
      "implementation specific error")                                        \
    X(UNSUPPORTED_VERSION, 0x84, IN_CONNACK, "unsupported protocol version")  \
    X(CLIENT_ID_INVALID, 0x85, IN_CONNACK, "client identifier not valid")     \
    X(BAD_CREDENTIALS, 0x86, IN_CONNACK, "bad user name or password")         \
    X(NOT_AUTHORIZED, 0x87, IN_CLOSING | IN_ANSWERS | IN_UNSUBACK,            \
      "not authorized")                                                       \
    X(SERVER_UNAVAILABLE, 0x88, IN_CONNACK, "server unavailable")             \
    X(SERVER_BUSY, 0x89, IN_CLOSING, "server busy")                           \
    X(BANNED, 0x8a, IN_CONNACK, "banned")                                     \
    X(SERVER_SHUTTING_DOWN, 0x8b, IN_DISCONNECT, "server shutting down")      \
    X(BAD_AUTHENTICATION_METHOD, 0x8c, IN_CLOSING,                            \
      "bad authentication method")                                            \
    X(KEEP_ALIVE_TIMEOUT, 0x8d, IN_DISCONNECT, "keep alive timeout")          \
    X(SESSION_TAKEN_OVER, 0x8e, IN_DISCONNECT, "session taken over")          \
    X(TOPIC_FILTER_INVALID, 0x8f, IN_SUBACK | IN_UNSUBACK | IN_DISCONNECT,    \
      "topic filter invalid")                                                 \
    X(TOPIC_NAME_INVALID, 0x90, IN_CLOSING | IN_PUBACK | IN_PUBREC,           \
      "topic name invalid")                                                   \
    X(PACKET_ID_IN_USE, 0x91, IN_ANSWERS | IN_UNSUBACK,                       \
      "packet identifier in use")                                             \
    X(PACKET_ID_NOT_FOUND, 0x92, IN_PUBREL | IN_PUBCOMP,                      \
      "packet identifier not found")                                          \
    X(RECEIVE_MAXIMUM_EXCEEDED, 0x93, IN_DISCONNECT,                          \
      "receive maximum exceeded")                                             \
    X(TOPIC_ALIAS_INVALID, 0x94, IN_DISCONNECT, "topic alias invalid")        \
    X(PACKET_TOO_LARGE, 0x95, IN_CLOSING, "packet too large")                 \
    X(MESSAGE_RATE_TOO_HIGH, 0x96, IN_DISCONNECT, "message rate too high")    \
    X(QUOTA_EXCEEDED, 0x97, IN_CLOSING | IN_ANSWERS, "quota exceeded")        \
    X(ADMINISTRATIVE_ACTION, 0x98, IN_DISCONNECT, "administrative action")    \
    X(PAYLOAD_FORMAT_INVALID, 0x99, IN_CLOSING | IN_PUBACK | IN_PUBREC,       \
      "payload format invalid")                                               \
    X(RETAIN_NOT_SUPPORTED, 0x9a, IN_CLOSING, "retain not supported")         \
    X(QOS_NOT_SUPPORTED, 0x9b, IN_CLOSING, "QoS not supported")               \
    X(USE_ANOTHER_SERVER, 0x9c, IN_CLOSING, "use another server")             \
    X(SERVER_MOVED, 0x9d, IN_CLOSING, "server moved")                         \
    X(SHARED_NOT_SUPPORTED, 0x9e, IN_SUBACK | IN_DISCONNECT,                  \
      "shared subscriptions not supported")                                   \
    X(CONNECTION_RATE_EXCEEDED, 0x9f, IN_CLOSING, "connection rate exceeded") \
    X(MAXIMUM_CONNECT_TIME, 0xa0, IN_DISCONNECT, "maximum connect time")      \
    X(SUBSCRIPTION_IDS_NOT_SUPPORTED, 0xa1, IN_SUBACK | IN_DISCONNECT,        \
      "subscription identifiers not supported")                               \
    X(WILDCARDS_NOT_SUPPORTED, 0xa2, IN_SUBACK | IN_DISCONNECT,               \
      "wildcard subscriptions not supported")

enum reason {
#define X(name, value, packets, text) REASON_##name = value,
    REASONS(X)
#undef X
    /* other names of the same byte */
    REASON_NORMAL_DISCONNECTION = 0x00,
    REASON_GRANTED_QOS_0 = 0x00
};

/* Static; "unknown reason code" for other bytes. */
const char *reason_text(uint8_t reason);
/* "PACKET_TOO_LARGE", for metrics and logs. "UNKNOWN" for other bytes. */
const char *reason_name(uint8_t reason);
/* Whether a packet of that type (enum packet_type) may carry this byte, in
 * either direction: codes that only a server sends are not told apart. */
bool reason_allowed(uint8_t reason, uint8_t packet_type);

#endif
