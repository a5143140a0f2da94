/* Sends again what an earlier connection of the session left in flight (MQTT
 * 5 §4.4): the entries that c->resend counts, oldest first. */
#ifndef CONFAB_BROKER_DELIVER_RESEND_H
#define CONFAB_BROKER_DELIVER_RESEND_H

#include "broker/client/connection.h"
#include "store/store.h"

/* There are some, and the Receive Maximum and the queue have room for the
 * next. */
bool resend_has_room(const struct connection *c);
/* Sends as many as there is room for. Call it between r's begin and end.
 * false: the store failed, try again later. */
bool resend_step(struct connection *c, struct store_reader *r);

#endif
