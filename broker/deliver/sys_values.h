/* `$SYS/broker/…`: the server's figures as messages, for tools that know
 * mosquitto. They are not stored and have no id.
 *
 * The newest are on the hub's board, where the admin worker puts them
 * (admin/sys.h); a worker has a copy of those it fanned out last (worker.sys,
 * fan_out/sys_changes.h). A new subscription gets from that copy all that it
 * matches, like retained messages (retained.h), so a value is never older than
 * one mqtt.sys_interval. */
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

/* The values as text, "" for what is not known. */
struct sys_values {
    uint64_t sample; /* its number, from 1; 0: none was taken */
    char text[SYS_TOPIC_COUNT][SYS_TEXT_SIZE];
};

/* Of the hub; any thread. */
struct sys_board {
    atomic_uint_fast64_t subscriptions; /* filters on `$SYS`, all workers */
    atomic_uint_fast64_t sample;        /* number of the newest */
    pthread_mutex_t mutex;
    struct sys_values values; /* under the mutex */
};

/* The value of one topic. NULL: out of memory. */
struct message *sys_values_message(const struct sys_values *v, unsigned topic);

/* Gives a client the values of its worker that `filter` matches, from *at on, as
 * long as it has room; *at is 0 at first. SYS_TOPIC_COUNT in *at: that was all.
 * false: out of memory. The worker's thread. */
bool sys_values_give(struct connection *c, struct slice filter,
                     const struct grant *grant, unsigned *at);

#endif
