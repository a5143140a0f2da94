/* CONNECT: identifies the client, finds the worker of its session, decides
 * whether it may connect, and answers CONNACK. */
#ifndef CONFAB_BROKER_ACCEPT_CONNECT_H
#define CONFAB_BROKER_ACCEPT_CONNECT_H

#include "broker/client/connection.h"

/* The worker for the session of a CONNECT: chosen by the hash of token and
 * client id, so that a session, its takeover and its subscriptions are all
 * handled by one thread; administrators have a worker of their own. Sets
 * c->identity. A CONNECT that will be refused stays on its worker. */
struct worker *connect_place(struct connection *c,
                             const struct packet_frame *f);

/* Accepts or refuses the CONNECT. Call it after connect_place(), on that
 * worker. */
void connect_received(struct connection *c, const struct packet_frame *f);

#endif
