/* The topics of `$SYS/broker/`: those of mosquitto, by its names and with its
 * meanings as far as there is such a thing here. docs/mqtt.md lists them.
 * MINUTES are mosquitto's load averages: exponentially damped rates per minute
 * over the last 1, 5 and 15. */
#ifndef CONFAB_BROKER_CLIENT_SYS_TOPICS_H
#define CONFAB_BROKER_CLIENT_SYS_TOPICS_H

#include <stdbool.h>

#include "base/slice.h"

#define SYS_LEVEL "$SYS"
#define SYS_PREFIX SYS_LEVEL "/broker/"

/* Not of ours: a bridge publishes its state, 0 or 1, to
 * SYS_BRIDGE <its client id> SYS_BRIDGE_STATE. */
#define SYS_BRIDGE SYS_PREFIX "connection/"
#define SYS_BRIDGE_STATE "/state"

/* X(name, topic below SYS_PREFIX) */
#define SYS_PLAIN(X)                                                          \
    X(VERSION, "version")                                                     \
    X(UPTIME, "uptime")                                                       \
    X(CLIENTS_TOTAL, "clients/total")                                         \
    X(CLIENTS_CONNECTED, "clients/connected")                                 \
    X(CLIENTS_ACTIVE, "clients/active")                                       \
    X(CLIENTS_DISCONNECTED, "clients/disconnected")                           \
    X(CLIENTS_INACTIVE, "clients/inactive")                                   \
    X(CLIENTS_EXPIRED, "clients/expired")                                     \
    X(CLIENTS_MAXIMUM, "clients/maximum")                                     \
    X(MESSAGES_STORED, "messages/stored")                                     \
    X(MESSAGES_RECEIVED, "messages/received")                                 \
    X(MESSAGES_SENT, "messages/sent")                                         \
    X(STORE_COUNT, "store/messages/count")                                    \
    X(STORE_BYTES, "store/messages/bytes")                                    \
    X(SUBSCRIPTIONS, "subscriptions/count")                                   \
    X(SHARED, "shared_subscriptions/count")                                   \
    X(RETAINED, "retained messages/count")                                    \
    X(PUBLISH_DROPPED, "publish/messages/dropped")                            \
    X(PUBLISH_RECEIVED, "publish/messages/received")                          \
    X(PUBLISH_SENT, "publish/messages/sent")                                  \
    X(PUBLISH_BYTES_RECEIVED, "publish/bytes/received")                       \
    X(PUBLISH_BYTES_SENT, "publish/bytes/sent")                               \
    X(BYTES_RECEIVED, "bytes/received")                                       \
    X(BYTES_SENT, "bytes/sent")

/* X(name, topic, the total whose rate it is) */
#define SYS_LOADS(X)                                                          \
    X(LOAD_MESSAGES_RECEIVED, "load/messages/received", messages_received)    \
    X(LOAD_MESSAGES_SENT, "load/messages/sent", messages_sent)                \
    X(LOAD_PUBLISH_DROPPED, "load/publish/dropped", publish_dropped)          \
    X(LOAD_PUBLISH_RECEIVED, "load/publish/received", publish_received)       \
    X(LOAD_PUBLISH_SENT, "load/publish/sent", publish_sent)                   \
    X(LOAD_BYTES_RECEIVED, "load/bytes/received", bytes_received)             \
    X(LOAD_BYTES_SENT, "load/bytes/sent", bytes_sent)                         \
    X(LOAD_SOCKETS, "load/sockets", sockets)                                  \
    X(LOAD_CONNECTIONS, "load/connections", connections)

enum sys_load {
#define X(name, topic, total) SYS_##name,
    SYS_LOADS(X)
#undef X
        SYS_LOAD_COUNT
};
#define SYS_MINUTES_COUNT 3 /* 1, 5, 15 */

/* The plain ones, then three for each load. */
enum sys_topic {
#define X(name, topic) SYS_##name,
    SYS_PLAIN(X)
#undef X
        SYS_FIRST_LOAD,
    SYS_TOPIC_COUNT = SYS_FIRST_LOAD + SYS_LOAD_COUNT * SYS_MINUTES_COUNT
};

/* The whole topic of enum sys_topic; static. */
const char *sys_topic_name(unsigned topic);
/* Can the filter, shared or not, match a topic of `$SYS`? */
bool sys_topics_match(struct slice filter);

#endif
