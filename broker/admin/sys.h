/* `$SYS/broker/…`: the server's figures as messages, for tools that know
 * mosquitto. They are not stored and have no id.
 *
 * The admin worker takes a sample every mqtt.sys_interval seconds, whether
 * somebody looks or not: load averages need it. While there are subscriptions
 * to `$SYS`, every worker then fans out what differs from its last look, QoS 0;
 * a new subscription gets all that it matches at once, like retained messages
 * (retained.h), so that a value is never older than one interval.
 * Threads: sys_sample() in main before the workers start, then in the admin
 * worker; what takes a worker, in that worker. */
#ifndef CONFAB_BROKER_ADMIN_SYS_H
#define CONFAB_BROKER_ADMIN_SYS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "broker/admin/sys_topics.h"

struct connection;
struct grant;
struct hub;
struct worker;

#define SYS_TEXT_SIZE 64

/* The values as text, "" for what is not known. */
struct sys_values {
    uint64_t sample; /* its number, from 1; 0: none was taken */
    char text[SYS_TOPIC_COUNT][SYS_TEXT_SIZE];
};

/* What loads are the rates of: sums over all workers since start. */
struct sys_totals {
#define X(name, topic, total) uint64_t total;
    SYS_LOADS(X)
#undef X
};

/* Part of struct hub. */
struct sys {
    atomic_uint_fast64_t subscriptions; /* filters on `$SYS`, all workers */
    atomic_uint_fast64_t sample;        /* number of the newest */
    pthread_mutex_t mutex;
    struct sys_values values; /* under the mutex */

    /* the sampler's own */
    int64_t started_us, sampled_us; /* monotonic */
    uint64_t clients_maximum;
    struct sys_totals totals; /* at the last sample */
    double loads[SYS_LOAD_COUNT][SYS_MINUTES_COUNT];
};

bool sys_init(struct sys *s, int64_t now_us); /* false: no resources */
void sys_release(struct sys *s);

/* Takes a sample at `now_us` (monotonic), and wakes the workers if somebody
 * wants to know. Opens a short read transaction. */
void sys_sample(struct hub *hub, int64_t now_us);
/* mosquitto's damping: a load of `current` after `elapsed_s` in which the rate
 * was `rate` per minute. */
double sys_damp(double current, double rate, double elapsed_s,
                unsigned minutes);

/* Is the filter, shared or not, one on `$SYS`? */
bool sys_concerns(struct slice filter);
/* A filter that concerns it is about to enter this worker's index, or has left
 * it. */
void sys_subscribing(struct worker *w);
void sys_unsubscribed(struct worker *w);

/* A part of the worker's turn: fans out what changed. */
void sys_turn(struct worker *w);
/* Gives the values that `filter` matches, from *at on, as long as the client
 * has room; *at is 0 at first. SYS_TOPIC_COUNT in *at: that was all. false: out
 * of memory. */
bool sys_give(struct connection *c, struct slice filter,
              const struct grant *grant, unsigned *at);

#endif
