/* GET /metrics, for Prometheus: on a port of its own, so that it can be kept from
 * clients (metrics.listen), and with a few connections of its own, so that it
 * answers when limits.connections are taken. Everybody who can connect may read:
 * figures of the whole server, never a token or a thing. */
#ifndef CONFAB_BRIDGE_DOORS_METRICS_METRICS_SERVER_H
#define CONFAB_BRIDGE_DOORS_METRICS_METRICS_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/config.h"

#define METRICS_PARTS_MAX 2 /* broker, bridge */

struct metrics;
struct metrics_server;

/* Binds `listen`, the value of the setting `key`, and starts a thread. The page
 * has all registries of parts[count], borrowed until metrics_server_stop(); NULL
 * among them is passed over. false: *ret_error says what to do, nothing stays
 * open. Main thread. */
bool metrics_server_start(const char *key, const char *listen,
                          const struct config *config,
                          struct metrics *const *parts, size_t count,
                          struct metrics_server **ret_server,
                          struct config_error *ret_error);
/* The port really bound. */
uint16_t metrics_server_port(const struct metrics_server *s);
void metrics_server_stop(struct metrics_server *s); /* NULL is fine */

#endif
