/* Retained messages for new subscriptions: each SUBSCRIBE leaves a scan with
 * its connection that is worked off in steps, across turns, as the client takes
 * what it is sent. Retained messages newer than the SUBSCRIBE come by fan-out. */
#ifndef CONFAB_BROKER_DELIVER_RETAINED_H
#define CONFAB_BROKER_DELIVER_RETAINED_H

#include <stdbool.h>
#include <sys/queue.h>

#include "base/slice.h"
#include "store/store.h"

struct connection;
struct subscriber;

/* A scan in progress for the same filter starts over. `as_of`: id of the
 * last entry of the log at the SUBSCRIBE; s: the subscription's options.
 * false: out of memory. */
bool retained_scan_add(struct connection *c, struct slice filter,
                       uint64_t as_of, const struct subscriber *s);
void retained_scan_cancel(struct connection *c, struct slice filter);
void retained_forget(struct connection *c);

/* Gives some of the first scan's messages, as long as the client has room.
 * r inside begin/end. false: the store failed, try again later. */
bool retained_step(struct connection *c, struct store_reader *r);

#endif
