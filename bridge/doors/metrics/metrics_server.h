/* GET /metrics, for Prometheus. It has a port of its own, so that clients can be kept
 * from it (metrics.listen), and connections of its own, so that it answers when
 * limits.connections is reached. Everyone who can connect may read it: it shows
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

/* Binds `listen`, the value of the setting `key`, and starts a thread. The page shows
 * all registries in parts[count], borrowed until metrics_server_stop(); NULL entries
 * are skipped. false: *ret_error says what to do, nothing stays open. Main thread. */
bool metrics_server_start(const char *key, const char *listen,
                          const struct config *config,
                          struct metrics *const *parts, size_t count,
                          struct metrics_server **ret_server,
                          struct config_error *ret_error);
/* The port in use. */
uint16_t metrics_server_port(const struct metrics_server *s);
void metrics_server_stop(struct metrics_server *s); /* NULL is fine */

#endif
