/* The front doors: HTTP server, link to the broker, streams. An ordinary MQTT 5
 * client of the broker that reads the store directly; it owns no state that
 * matters. */
#ifndef CONFAB_BRIDGE_BRIDGE_H
#define CONFAB_BRIDGE_BRIDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "store/store.h"

struct bridge;
struct connection_budget;

struct bridge_opts {
    const struct config *config;      /* borrowed for the bridge's life */
    struct store *store;              /* read only is enough; borrowed */
    const char *data_dir;             /* where SOCKET_NAME is; copied */
    struct connection_budget *budget; /* limits.connections; borrowed */
    uint16_t mqtt_port; /* really bound, for the home page's lines;
                                    0: as mqtt.listen says */
};

/* Binds the HTTP port and starts every thread; does not wait for the broker.
 * false: *ret_error says what to do ("http.listen 127.0.0.1:80: port in use"),
 * nothing stays open. Main thread. */
bool bridge_start(const struct bridge_opts *opts, struct bridge **ret_bridge,
                  struct config_error *ret_error);

/* The port really bound (http.listen may say 0). */
uint16_t bridge_http_port(const struct bridge *b);

/* true once the link to the broker is up. Any thread. */
bool bridge_link_up(const struct bridge *b);

/* Logs what every thread holds: lines of area "state", a moment later. Any thread,
 * before bridge_stop(). */
void bridge_dump_state(struct bridge *b);

/* Stops accepting, lets requests finish, ends streams cleanly (never inside an
 * event), joins all threads; at most about 4 s. NULL is fine. Call before
 * broker_stop(), so that what is in flight still gets its answer. */
void bridge_stop(struct bridge *b);

#endif
