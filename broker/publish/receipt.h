/* PUBACK and PUBREC: the reason, and for those who asked (receipts) or are administrators
 * where the message went, as user properties (base/vocabulary.h). */
#ifndef CONFAB_BROKER_PUBLISH_RECEIPT_H
#define CONFAB_BROKER_PUBLISH_RECEIPT_H

#include <stdbool.h>

#include "broker/client/connection.h"
#include "broker/publish/publish.h"

/* Adds the PUBACK of an answered publish to what waits to be sent; details that
 * the client's Maximum Packet Size has no room for are left out. false: out of
 * memory. */
bool receipt_send(struct connection *c, const struct publish *q);

#endif
