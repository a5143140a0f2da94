/* Retained messages for new subscriptions. Each SUBSCRIBE adds a scan to its
 * connection, which continues in steps across turns, as fast as the client
 * reads. Retained messages newer than the SUBSCRIBE come through fan-out. */
#ifndef CONFAB_BROKER_DELIVER_RETAINED_H
#define CONFAB_BROKER_DELIVER_RETAINED_H

#include <stdbool.h>
#include <sys/queue.h>

#include "base/slice.h"
#include "store/store.h"

struct connection;
struct subscriber;

/* Adds a scan, or restarts the one for the same filter. `as_of`: last id in
 * the log at the SUBSCRIBE; s: the subscription's options. false: out of
 * memory. */
bool retained_scan_add(struct connection *c, struct slice filter,
                       uint64_t as_of, const struct subscriber *s);
void retained_scan_cancel(struct connection *c, struct slice filter);
void retained_forget(struct connection *c);

/* Sends messages of the first scan while the client has room. Call it
 * between r's begin and end. false: the store failed, try again later. */
bool retained_step(struct connection *c, struct store_reader *r);

#endif
