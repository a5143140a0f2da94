/* `$SYS/broker/…`: the server's figures as messages, for tools made for
 * mosquitto. They are not stored and have no id.
 *
 * The newest figures are on the hub's board, where the admin worker puts
 * them (admin/sys.h). Each worker has a copy of those it fanned out last
 * (worker.sys, fan_out/sys_changes.h). A new subscription gets the matching
 * figures of that copy, like retained messages (retained.h), so a figure is
 * never older than one mqtt.sys_interval. */
#ifndef CONFAB_BROKER_DELIVER_SYS_VALUES_H
#define CONFAB_BROKER_DELIVER_SYS_VALUES_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "broker/client/sys_topics.h"

struct connection;
struct grant;
struct message;

#define SYS_TEXT_SIZE 64

/* The values as text; "": unknown. */
struct sys_values {
    uint64_t sample; /* number of the sample, from 1; 0: none yet */
    char text[SYS_TOPIC_COUNT][SYS_TEXT_SIZE];
};

/* The hub's board; any thread. */
struct sys_board {
    /* Filters that match `$SYS`, all workers. */
    atomic_uint_fast64_t subscriptions;
    atomic_uint_fast64_t sample; /* number of the newest sample */
    pthread_mutex_t mutex;
    struct sys_values values; /* under the mutex */
};

/* The message for one topic. NULL: out of memory. */
struct message *sys_values_message(const struct sys_values *v, unsigned topic);

/* Sends a client its worker's values that `filter` matches, beginning with
 * topic *at (0 at first), while it has room. Afterwards *at is where to
 * continue; SYS_TOPIC_COUNT: all were sent. false: out of memory. Call it in
 * the worker's thread. */
bool sys_values_give(struct connection *c, struct slice filter,
                     const struct grant *grant, unsigned *at);

#endif
