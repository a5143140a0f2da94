/* A NATS connection: greets, answers PING, hands messages on. What the server
 * calls an error ends the program. */
#ifndef CONFAB_BENCHMARKS_LOAD_NATS_CLIENT_H
#define CONFAB_BENCHMARKS_LOAD_NATS_CLIENT_H

#include "benchmarks/load/loop.h"
#include "benchmarks/wire/nats_message.h"

/* Embedded as the first member of what uses it. */
struct nats_client {
    struct conn conn;
    bool connected; /* greeted: what was subscribed to before is in force */
    void (*message)(struct nats_client *c, const struct nats_message *m,
                    int64_t now_ns);
};

/* Sets everything but `message`, which is the caller's. What is subscribed to
 * and published from now on leaves behind the greeting. */
void nats_client_open(struct nats_client *c, struct loop *l,
                      const struct sockaddr_in *to);

#endif
