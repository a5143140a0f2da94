/* Why a connection ends. One table gives the enum, the name in `confab
 * status`, the log text, the DISCONNECT code for v5 clients, and whether the
 * will is published (MQTT 5 §3.1.2.5). */
#ifndef CONFAB_BROKER_CLIENT_CLOSE_REASON_H
#define CONFAB_BROKER_CLIENT_CLOSE_REASON_H

/* X(name, metric, code, will, text). Code: MQTT 5 §3.14.2.1; 0: no
 * DISCONNECT is sent. Metrics are public: append only, never rename. */
#define CLOSE_REASONS(X)                                                      \
    X(CLIENT, client, 0x00, 0, "client disconnected")                         \
    X(CLIENT_WILL, client_will, 0x00, 1, "client disconnected with its will") \
    X(HANGUP, hangup, 0x00, 1, "connection lost")                             \
    X(KEEP_ALIVE, keep_alive, 0x8d, 1,                                        \
      "no packet received for 1.5 times the keep-alive")                      \
    X(TAKEN_OVER, taken_over, 0x8e, 1,                                        \
      "another connection uses the same client id")                           \
    X(NO_CONNECT, no_connect, 0x00, 0, "no CONNECT within 10 seconds")        \
    X(REFUSED, refused, 0x00, 0, "CONNECT refused")                           \
    X(MALFORMED, malformed, 0x81, 1, "malformed packet")                      \
    X(PROTOCOL, protocol, 0x82, 1, "protocol error")                          \
    X(NOT_AUTHORIZED, not_authorized, 0x87, 1,                                \
      "publish to a topic that is not the client's")                          \
    X(REVOKED, revoked, 0x87, 1, "token was revoked")                         \
    X(FILTER, filter, 0x8f, 1, "topic filter invalid")                        \
    X(TOPIC, topic, 0x90, 1, "topic name invalid")                            \
    X(RECEIVE_MAXIMUM, receive_maximum, 0x93, 1,                              \
      "more unacknowledged messages than the Receive Maximum allows")         \
    X(TOPIC_ALIAS, topic_alias, 0x94, 1, "topic alias invalid")               \
    X(TOO_LARGE, too_large, 0x95, 1,                                          \
      "packet larger than the Maximum Packet Size")                           \
    X(RATE, rate, 0x97, 0, "hourly write limit of the token's plan reached")  \
    X(NOT_STORED, not_stored, 0x97, 1,                                        \
      "a message could not be stored, which MQTT 3 cannot report")            \
    X(PAYLOAD_FORMAT, payload_format, 0x99, 1,                                \
      "payload is not UTF-8, but its Payload Format Indicator says so")       \
    X(QOS, qos, 0x9b, 1, "QoS above the server's maximum")                    \
    X(SUBSCRIPTION_ID, subscription_id, 0xa1, 1,                              \
      "subscription identifiers are not supported (no longer used)")          \
    X(AUTH_METHOD, auth_method, 0x82, 1,                                      \
      "AUTH, but CONNECT had no Authentication Method")                       \
    X(SHUTDOWN, shutdown, 0x8b, 1,                                            \
      "server is shutting down: reconnect later")                             \
    X(BUSY, busy, 0x89, 1, "server is busy: retry later")                     \
    X(NO_MEMORY, no_memory, 0x89, 1, "server is out of memory: retry later")  \
    X(KICKED, kicked, 0x98, 1, "an administrator ended the connection")       \
    X(TRANSPORT, transport, 0x00, 1, "TLS or WebSocket error")                \
    X(NO_PLACE, no_place, 0x00, 0,                                            \
      "limits.connections reached, and the client had not sent CONNECT")      \
    X(KEY_REVOKED, key_revoked, 0x87, 1, "key was revoked")                   \
    X(KEY_EXPIRED, key_expired, 0xa0, 1, "key has expired")

enum close_reason {
#define X(name, metric, code, will, text) CLOSE_##name,
    CLOSE_REASONS(X)
#undef X
        CLOSE_REASON_COUNT
};

#endif
