/* Wills on their way to the log: checked when their CONNECT comes, published when
 * their connection has ended, or later (session/will.h).
 * Threads: the worker's. */
#ifndef CONFAB_BROKER_PUBLISH_PUBLISH_WILL_H
#define CONFAB_BROKER_PUBLISH_PUBLISH_WILL_H

#include "broker/client/connection.h"

/* What a will is published as, checked as its CONNECT comes: 0, or the reason
 * to refuse the CONNECT with. *ret_will: a message of the caller's, or NULL
 * when nothing is to be published. */
uint8_t publish_accept_will(struct connection *c,
                            const struct packet_will *will,
                            struct message **ret_will);
/* The will of a stored session whose connection is gone: takes `m`, and drops it
 * from the session's rows in the same transaction. false: out of memory. */
bool publish_stored_will(struct worker *w, struct message *m,
                         struct slice token, uint64_t number);
/* Publishes, or only forgets, the connection's will, if it has one. */
void publish_will(struct connection *c);
void publish_drop_will(struct connection *c);

#endif
