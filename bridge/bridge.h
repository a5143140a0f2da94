/* The front doors: HTTP server, link to the broker, streams. The bridge is an
 * ordinary MQTT 5 client of the broker that also reads the store directly; it holds
 * no state that must survive. */
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
    uint16_t mqtt_port; /* the port in use, shown on the home page; 0: the one
                           in mqtt.listen */
};

/* Binds the HTTP port and starts all threads; does not wait for the broker. false:
 * *ret_error says what to do ("http.listen 127.0.0.1:80: port in use"), nothing
 * stays open. Main thread. */
bool bridge_start(const struct bridge_opts *opts, struct bridge **ret_bridge,
                  struct config_error *ret_error);

/* The port in use (http.listen may say 0). */
uint16_t bridge_http_port(const struct bridge *b);

/* Where an HTTP API is. */
struct bridge_door {
    const char *name;   /* of [door:NAME] */
    const char *listen; /* the setting's value; NULL: the door is disabled */
    const char *prefix; /* "" or "/x" */
    uint16_t port;      /* in use */
    bool is_alone;      /* at an address of its own */
};
/* which: below bridge_door_count(). Borrowed for the bridge's life. Any thread. */
size_t bridge_door_count(void);
struct bridge_door bridge_door(const struct bridge *b, size_t which);

/* true once the link to the broker is up. Any thread. */
bool bridge_link_up(const struct bridge *b);

/* Asks every thread to log what it holds: lines of area "state", a moment later. Any
 * thread, before bridge_stop(). */
void bridge_dump_state(struct bridge *b);

/* Stops accepting, lets requests finish, ends streams between two events, and joins
 * all threads; takes about 4 s at most. NULL is fine. Call it before broker_stop(),
 * so that requests in flight still get their answers. */
void bridge_stop(struct bridge *b);

#endif
