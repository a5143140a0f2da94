/* The broker's figures: what its workers count, and what is asked for when
 * somebody looks. A row here is all that a figure needs: `confab status`, GET
 * /metrics and the sums over workers follow from it (broker/admin/status.c).
 *
 * One thread adds, any thread may read a moment-old value (base/metrics.h).
 * Names are public: add, never rename. */
#ifndef CONFAB_BROKER_CLIENT_WORKER_COUNTERS_H
#define CONFAB_BROKER_CLIENT_WORKER_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/metrics.h"

/* In the order of `confab status`.
 * COUNTER(field, unit, name, group, member, help): a total, a field of struct
 *   counters
 * REFUSED(field, cause, help): likewise, one of a family
 * GAUGE(field, unit, name, group, member, help): asked for, may go down
 * TOTAL(…): likewise, never goes down
 * Columns are those of struct metric. */
#define BROKER_TRAFFIC(COUNTER, REFUSED, GAUGE, TOTAL)                        \
    GAUGE(uptime, SECONDS, "broker_uptime", NULL, "uptime_s",                 \
          "Time since the broker started.")                                   \
    GAUGE(mqtt_port, NUMBER, NULL, NULL, "mqtt_port", NULL)                   \
    GAUGE(workers, NUMBER, "broker_workers", NULL, "workers",                 \
          "Threads that serve MQTT clients "                                  \
          "(mqtt.workers).")                                                  \
    GAUGE(connections, NUMBER, "mqtt_connections", "connections", "now",      \
          "Open MQTT connections, those of administrators "                   \
          "and of the bridge's link included.")                               \
    GAUGE(unidentified, NUMBER, "mqtt_connections_unidentified",              \
          "connections", "unidentified",                                      \
          "Of those, the ones without a CONNECT.")                            \
    COUNTER(accepted, NUMBER, "mqtt_connections_accepted", "connections",     \
            "accepted", "MQTT connections accepted.")                         \
    GAUGE(connection_maximum, NUMBER, "connections_limit", "connections",     \
          "limit",                                                            \
          "Most connections of MQTT, streams and HTTP "                       \
          "together (limits.connections).")                                   \
    REFUSED(connection_limit, "MQTT connections refused, by the limit.")      \
    REFUSED(plan_limit, NULL)                                                 \
    REFUSED(address_limit, NULL)                                              \
    GAUGE(clients, NUMBER, "mqtt_clients", "clients", "connected",            \
          "Clients whose CONNECT was accepted, without "                      \
          "administrators.")                                                  \
    GAUGE(clients_stored, NUMBER, "mqtt_clients_stored", "clients",           \
          "connected_stored",                                                 \
          "Of those, the ones whose session outlives the "                    \
          "connection.")                                                      \
    COUNTER(connects, NUMBER, "mqtt_connects", NULL, NULL,                    \
            "CONNECT packets received.")                                      \
    COUNTER(packets, NUMBER, "mqtt_packets_received", "packets", "received",  \
            "MQTT packets received.")                                         \
    TOTAL(packets_sent, NUMBER, "mqtt_packets_sent", "packets", "sent",       \
          "MQTT packets sent.")                                               \
    COUNTER(received, NUMBER, "mqtt_publish_received", "messages",            \
            "received", "PUBLISH packets received.")                          \
    COUNTER(delivered, NUMBER, "mqtt_publish_sent", "messages", "delivered",  \
            "PUBLISH packets sent.")                                          \
    COUNTER(answers, NUMBER, NULL, NULL, NULL, NULL)                          \
    COUNTER(payload_received, BYTES, "mqtt_publish_received_payload", NULL,   \
            NULL, "Payload in PUBLISH packets received.")                     \
    COUNTER(payload_delivered, BYTES, "mqtt_publish_sent_payload", NULL,      \
            NULL, "Payload in PUBLISH packets sent.")                         \
    COUNTER(bytes_received, BYTES, "mqtt_received", "bytes", "received",      \
            "Bytes received on MQTT connections.")                            \
    COUNTER(bytes_sent, BYTES, "mqtt_sent", "bytes", "sent",                  \
            "Bytes sent on MQTT connections.")                                \
    GAUGE(subscriptions, NUMBER, "mqtt_subscriptions", NULL, "subscriptions", \
          "Subscriptions of connected clients.")                              \
    GAUGE(shared_subscriptions, NUMBER, "mqtt_shared_subscriptions", NULL,    \
          "shared_subscriptions",                                             \
          "Shared subscriptions of connected clients.")                       \
    COUNTER(credit_stalls, NUMBER, "mqtt_reads_stalled", NULL, NULL,          \
            "Times a connection was left unread for a while: too much of "    \
            "what it, its token or its worker received was not on disk "      \
            "yet, or too many answers waited for it.")                        \
    COUNTER(catchup_switched, NUMBER, "mqtt_catchup_started", "catchup",      \
            "switched",                                                       \
            "Times a subscriber that was too slow began to "                  \
            "be served from the log.")                                        \
    COUNTER(catchup_records, NUMBER, "mqtt_catchup_messages", "catchup",      \
            "records",                                                        \
            "Messages sent from the log to subscribers that "                 \
            "catch up.")                                                      \
    COUNTER(share_given, NUMBER, "mqtt_shared_messages", "shared", "given",   \
            "Messages handed to members of shared "                           \
            "subscriptions.")                                                 \
    COUNTER(share_returned, NUMBER, "mqtt_shared_messages_returned",          \
            "shared", "returned",                                             \
            "Messages that members of shared subscriptions "                  \
            "left behind.")                                                   \
    COUNTER(share_behind, NUMBER, "mqtt_shared_catchup_started", "shared",    \
            "behind",                                                         \
            "Times a shared subscription began to be served "                 \
            "from the log.")                                                  \
    COUNTER(batches_dropped, NUMBER, "broker_batches_dropped", NULL,          \
            "batches_dropped",                                                \
            "Commits that a worker had no room for, and "                     \
            "read from the log instead.")                                     \
    COUNTER(sessions_resumed, NUMBER, "mqtt_sessions_resumed", NULL, NULL,    \
            "Stored sessions that their clients came back "                   \
            "to.")                                                            \
    COUNTER(sessions_unsaved, NUMBER, "mqtt_sessions_unsaved", NULL, NULL,    \
            "Last saves of sessions that the store refused.")

/* Behind COUNTERS_DROPPED and the reasons why connections were closed. */
#define BROKER_STORE(GAUGE, TOTAL)                                            \
    GAUGE(accepting, YES, "store_accepting", "writer", "accepting",           \
          "1 while messages are accepted, 0 while the "                       \
          "store is full or the disk fails.")                                 \
    GAUGE(last_commit, TIME, "store_last_commit", "writer", "last_commit",    \
          "When the last commit was written.")                                \
    TOTAL(commits, NUMBER, "store_commits", "writer", "commits",              \
          "Commits written.")                                                 \
    TOTAL(appended, NUMBER, "store_messages_appended", "writer", "appended",  \
          "Messages stored.")                                                 \
    TOTAL(events, NUMBER, "store_events", "writer", "events",                 \
          "Events passed on without being stored.")                           \
    TOTAL(refused, NUMBER, "store_commands_refused", "writer", "refused",     \
          "Messages and other changes refused.")                              \
    TOTAL(trimmed, NUMBER, "store_messages_trimmed", "writer", "trimmed",     \
          "Messages removed by retention.")                                   \
    TOTAL(sessions_expired, NUMBER, "store_sessions_expired", "writer",       \
          "sessions_expired", "Stored sessions that expired.")                \
    GAUGE(commit_p50, MICROSECONDS, "store_commit_median", "writer",          \
          "commit_p50_us", "Median duration of the last 1,024 commits.")      \
    GAUGE(commit_p99, MICROSECONDS, "store_commit_p99", "writer",             \
          "commit_p99_us",                                                    \
          "Duration that 99 % of the last 1,024 commits "                     \
          "stayed below.")                                                    \
    GAUGE(head, NUMBER, "store_head", "store", "head",                        \
          "Id of the last entry of the log.")                                 \
    GAUGE(entries, NUMBER, "store_entries", "store", "entries",               \
          "Entries in the log.")                                              \
    GAUGE(things, NUMBER, "store_things", "store", "things",                  \
          "Things that something was published to.")                          \
    GAUGE(tokens, NUMBER, "store_tokens", "store", "tokens", "Tokens.")       \
    GAUGE(retained, NUMBER, "store_retained_messages", "store", "retained",   \
          "Retained messages.")                                               \
    GAUGE(sessions, NUMBER, "store_sessions", "store", "sessions",            \
          "Stored sessions.")                                                 \
    GAUGE(map_size, BYTES, "store_size_limit", "store", "map_size",           \
          "Most that the store may occupy "                                   \
          "(store.map_size).")                                                \
    GAUGE(map_used, BYTES, "store_used", "store", "map_used",                 \
          "Space that the store occupies.")

/* X(name, text): messages that did not reach somebody, by cause */
#define COUNTERS_DROPPED(X)                                                   \
    X(refused, "QoS 0 PUBLISH refused by a limit or the store")               \
    X(forbidden, "QoS 0 PUBLISH to a topic that is not the client's")         \
    X(reserved, "QoS 0 PUBLISH with a reserved user property")                \
    X(dollar, "PUBLISH of a nameless client to a $ topic")                    \
    X(packet_size, "larger than the subscriber's Maximum Packet Size")        \
    X(expired, "its Message Expiry Interval had passed")                      \
    X(event_slow, "event for a subscriber or group that was behind")          \
    X(event_batch, "event in a batch the worker had no room for")             \
    X(will, "will that was refused by a limit or the store")                  \
    X(memory, "no memory to deliver it")                                      \
    X(retention, "in flight when retention removed it")

/* Nothing but totals: it is a block of slots (base/metrics.h). */
struct counters {
#define FIELD(field, ...) _Atomic uint64_t field;
#define NONE(...)
    BROKER_TRAFFIC(FIELD, FIELD, NONE, NONE)
#undef NONE
#undef FIELD
    struct {
#define X(name, text) _Atomic uint64_t name;
        COUNTERS_DROPPED(X)
#undef X
    } dropped;
};

#endif
