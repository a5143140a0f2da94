/* Wills on their way to the log: checked at CONNECT, published when the
 * connection has ended or later (session/will.h).
 * Threads: the worker's. */
#ifndef CONFAB_BROKER_PUBLISH_PUBLISH_WILL_H
#define CONFAB_BROKER_PUBLISH_PUBLISH_WILL_H

#include "broker/client/connection.h"

/* Checks a will at CONNECT. Returns 0, or the reason code to refuse CONNECT
 * with. *ret_will: the message to publish, owned by the caller; NULL if
 * nothing will be published. */
uint8_t publish_accept_will(struct connection *c,
                            const struct packet_will *will,
                            struct message **ret_will);
/* Publishes the will of a stored session whose connection has ended, and
 * deletes it from the session's rows in the same transaction. Takes `m`.
 * false: out of memory. */
bool publish_stored_will(struct worker *w, struct message *m,
                         struct slice token, uint64_t number);
/* Publishes, or drops, the connection's will, if it has one. */
void publish_will(struct connection *c);
void publish_drop_will(struct connection *c);

#endif
