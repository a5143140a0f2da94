/* MQTT connections that have nothing to do with what is measured: idle ones,
 * and some that subscribe to other topics. What they cost a server should be
 * little; what they get must be nothing: a message to one of them ends the
 * program. */
#ifndef CONFAB_BENCHMARKS_LOAD_BYSTANDERS_H
#define CONFAB_BENCHMARKS_LOAD_BYSTANDERS_H

#include "benchmarks/load/loop.h"
#include "benchmarks/load/options.h"

/* Opens o->idle_connections of the first kind, and a few connections with
 * o->foreign_subscriptions of the second, below `foreign/` of the token the
 * traffic runs under, a third of them with wildcards. Returns when all are
 * answered; ends the program after 30 s without one more. */
void bystanders_open(const struct options *o, struct loop *loop);

#endif
