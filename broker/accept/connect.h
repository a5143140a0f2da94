/* CONNECT: who it is, on which worker the session lives, whether it may, and
 * what both ends promise each other (CONNACK). */
#ifndef CONFAB_BROKER_ACCEPT_CONNECT_H
#define CONFAB_BROKER_ACCEPT_CONNECT_H

#include "broker/client/connection.h"

/* The worker for the session a CONNECT asks for: by the hash of token and
 * client id, so that a session, who takes it over and what it subscribed to are
 * all in one thread; administrators have a worker of their own. Sets
 * c->identity. A CONNECT that will be refused is placed where it is. */
struct worker *connect_place(struct connection *c,
                             const struct packet_frame *f);

/* Accepts or refuses it; after connect_place(), on that worker. */
void connect_received(struct connection *c, const struct packet_frame *f);

#endif
