/* The MQTT server: listeners, workers, and the store's writer. It owns the
 * writer, so the process with a struct broker is the only one that writes.
 *
 * Threads:  broker_start() and broker_stop() in main, once each; any thread
 *           may call the rest in between.
 * Logging:  area "broker"; tokens only through log_token(). */
#ifndef CONFAB_BROKER_BROKER_H
#define CONFAB_BROKER_BROKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/config.h"
#include "store/store.h"

struct broker;
struct connection_budget;

struct broker_opts {
    const char *data_dir; /* folder for the UNIX sockets; copied */
    struct connection_budget
        *budget; /* limits.connections, borrowed; NULL: one
                                         of its own, as the configuration says */
};

/* Binds mqtt.listen, mqtt.tls_listen, <data_dir>/confab.sock and
 * clients.sock, and starts the writer, the workers (mqtt.workers, 0: one per
 * core) and the admin worker. Clients are served from here on.
 * config  borrowed for the broker's life, after config_finish()
 * store   borrowed for the broker's life, not read-only
 * false: *ret_error says what to do ("mqtt.listen 127.0.0.1:1883: Address
 * already in use"), *ret_broker is untouched and nothing stays open. The
 * caller raises RLIMIT_NOFILE before this call. */
bool broker_start(const struct config *config, struct store *store,
                  const struct broker_opts *opts, struct broker **ret_broker,
                  struct config_error *ret_error);

/* The port that is bound (mqtt.listen may say 0). */
uint16_t broker_mqtt_port(const struct broker *b);
uint16_t broker_mqtts_port(const struct broker *b); /* 0: no TLS */

/* For a watchdog that asks at intervals: whether every worker has completed
 * a turn, and the writer has made progress, since the last call. A slow
 * commit counts as progress. true at the first call. Call it in main. */
bool broker_is_alive(struct broker *b);

/* Reads the certificates and the key again, from the same files, for new
 * connections. On failure the old ones stay, and *ret_error says why. Blocks
 * on the disk. Call it in main. */
enum broker_reload {
    BROKER_RELOADED,
    BROKER_NOTHING_TO_RELOAD, /* no mqtt.tls_listen */
    BROKER_RELOAD_FAILED
};
enum broker_reload broker_reload(struct broker *b,
                                 struct config_error *ret_error);

/* Appends one JSON object, of the rows of broker/client/worker_counters.h. CAUSE is one
 * of COUNTERS_DROPPED there, REASON one of CLOSE_REASONS in broker/client/close_reason.h; the
 * member `store` is missing when the store cannot be read.
 *
 *  {"uptime_s":…, "mqtt_port":…, "workers":…,
 *   "connections":{"now":…,"accepted":…,"limit":…,
 *                  "refused_connection_limit":…,"refused_plan_limit":…},
 *   "clients":{"connected":…,"connected_stored":…},
 *   "packets":{"received":…,"sent":…},
 *   "messages":{"received":…,"delivered":…},
 *   "bytes":{"received":…,"sent":…}, "subscriptions":…,
 *   "shared_subscriptions":…,
 *   "catchup":{"switched":…,"records":…}, "batches_dropped":…,
 *   "dropped":{CAUSE:n,…}, "closed":{REASON:n,…},
 *   "writer":{"accepting":…,"last_commit":ISO time or null,"commits":…,
 *             "appended":…,"events":…,"refused":…,"trimmed":…,
 *             "sessions_expired":…,"commit_p50_us":…,"commit_p99_us":…},
 *   "store":{"head":…,"entries":…,"things":…,"tokens":…,"retained":…,
 *            "sessions":…,"map_size":…,"map_used":…}}
 *
 * `connections` are sockets of MQTT, administrators' and the link's too; `clients` those whose CONNECT
 * was accepted, administrators not among them.
 *
 * Counters are sums over the workers, each a moment old. Opens a short read
 * transaction. `$confab/status` answers with the same text. */
void broker_status_json(struct broker *b, struct buffer *out);

/* The same figures and some more, for GET /metrics. Valid until
 * broker_stop(). */
struct metrics;
struct metrics *broker_metrics(const struct broker *b);

/* Logs what the broker holds (state_dump.h): lines of area "state", some of
 * them a moment later. Any thread; the caller limits how often. */
void broker_dump_state(struct broker *b);

/* Stops accepting, answers what is in flight, disconnects clients
 * (DISCONNECT 0x8B), stops the writer after its last commit, joins every
 * thread, and removes the sockets; takes at most 4 s. Wills are published.
 * NULL is fine. Afterwards the store may be closed. */
void broker_stop(struct broker *b);

#endif
