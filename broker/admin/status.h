/* The numbers of `confab status`: sums over the workers. */
#ifndef CONFAB_BROKER_ADMIN_STATUS_H
#define CONFAB_BROKER_ADMIN_STATUS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "broker/hub.h"

/* Appends the object broker.h describes. Any thread; opens a short read
 * transaction. */
void status_put(const struct hub *hub, int64_t uptime_us, uint16_t mqtt_port,
                struct buffer *out);

/* The sum over all workers of a field of struct worker, an _Atomic uint64_t. */
uint64_t status_sum(const struct hub *hub, size_t offset_in_worker);
#define STATUS_SUM(hub, field) status_sum(hub, offsetof(struct worker, field))

#endif
