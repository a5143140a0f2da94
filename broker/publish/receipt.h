/* PUBACK and PUBREC: the reason code and, for administrators and for clients
 * that requested receipts, where the message was stored, as user properties
 * (base/vocabulary.h). */
#ifndef CONFAB_BROKER_PUBLISH_RECEIPT_H
#define CONFAB_BROKER_PUBLISH_RECEIPT_H

#include <stdbool.h>

#include "broker/client/connection.h"
#include "broker/publish/publish.h"

/* Queues the PUBACK or PUBREC of an answered publish. Leaves out details
 * that exceed the client's Maximum Packet Size. false: out of memory. */
bool receipt_send(struct connection *c, const struct publish *q);

#endif
