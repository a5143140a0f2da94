/* The MQTT server: listeners, workers, and the store's writer. It owns the
 * writer: whoever holds a struct broker is the one writing process.
 *
 * Threads:  broker_start() and broker_stop() in main, once each; the rest may
 *           be called by any thread between them.
 * Logging:  area "broker"; tokens only as log_token(). */
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
    const char *data_dir; /* where the UNIX sockets are made; copied */
    struct connection_budget
        *budget; /* limits.connections, borrowed; NULL: one
                                         of its own, as the configuration says */
};

/* Binds mqtt.listen, mqtt.tls_listen, <data_dir>/confab.sock and clients.sock,
 * and starts the writer, the
 * workers (mqtt.workers, 0: one per core) and the admin worker. Clients are
 * served from here on.
 * config  borrowed for the broker's life, after config_finish()
 * store   borrowed for the broker's life, not read only
 * false: *ret_error says what to do ("mqtt.listen 127.0.0.1:1883: Address
 * already in use"), *ret_broker is untouched and nothing stays open.
 * Raising RLIMIT_NOFILE is the caller's, before this. */
bool broker_start(const struct config *config, struct store *store,
                  const struct broker_opts *opts, struct broker **ret_broker,
                  struct config_error *ret_error);

/* The port really bound (mqtt.listen may say 0). */
uint16_t broker_mqtt_port(const struct broker *b);
uint16_t broker_mqtts_port(const struct broker *b); /* 0: no TLS */

/* Whether every worker has made a turn, and the writer got on, since the last
 * call: for a watchdog, which asks now and then. A commit that takes long is no
 * want of progress. true the first time. Main. */
bool broker_is_alive(struct broker *b);

/* Reads the certificates and the key again, from the same files, for
 * connections to come. When that fails the old ones stay: *ret_error. Blocks on
 * the disk; main. */
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

/* The same figures and some more, for GET /metrics. Until broker_stop(). */
struct metrics;
struct metrics *broker_metrics(const struct broker *b);

/* Logs what it holds (state_dump.h): lines of area "state", some of them a moment
 * later. Any thread; the caller sees to it that this is not asked for all the
 * time. */
void broker_dump_state(struct broker *b);

/* Stops accepting, answers what is in flight, tells clients (DISCONNECT 0x8B),
 * stops the writer after its last commit, joins every thread, removes the
 * sockets; at most 4 s. Wills are published. NULL is fine. The store may be
 * closed afterwards. */
void broker_stop(struct broker *b);

#endif
