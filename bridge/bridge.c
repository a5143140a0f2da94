#include "bridge/bridge.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"
#include "base/vocabulary.h"
#include "bridge/front.h"
#include "bridge/health.h"
#include "bridge/http/creations.h"
#include "bridge/http/reads.h"

#define REPORT_US INT64_C(1000000)
#define DRAIN_US INT64_C(2000000)
#define LINK_GRACE_MS 1000

struct bridge {
    struct front front;
    struct http_server *http;
    char clients_path[CONFIG_VALUE_MAX + sizeof(CLIENTS_NAME) + 1];
    pthread_t reporter;
    bool has_reporter;
    pthread_mutex_t mutex; /* guards stopping */
    pthread_cond_t stop_asked;
    bool stopping;
};

/* Tells the broker once a second what was read; housekeeping of a store that
 * only reads is the same thread's. */
static void *report(void *arg)
{
    struct bridge *b = arg;
    struct timespec next;

    clock_gettime(CLOCK_MONOTONIC, &next);
    pthread_mutex_lock(&b->mutex);
    while (!b->stopping) {
        next.tv_sec++;
        while (!b->stopping &&
               pthread_cond_timedwait(&b->stop_asked, &b->mutex, &next) == 0)
            ;
        pthread_mutex_unlock(&b->mutex);
        reads_report(b->front.reads, b->front.link, clock_real_us());
        pthread_mutex_lock(&b->mutex);
    }
    pthread_mutex_unlock(&b->mutex);
    return NULL;
}

static bool start_reporter(struct bridge *b)
{
    pthread_condattr_t attr;

    pthread_mutex_init(&b->mutex, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&b->stop_asked, &attr);
    pthread_condattr_destroy(&attr);
    b->has_reporter = thread_start(&b->reporter, "reporter", report, b);
    return b->has_reporter;
}

static void stop_reporter(struct bridge *b)
{
    if (!b->has_reporter)
        return;
    pthread_mutex_lock(&b->mutex);
    b->stopping = true;
    pthread_cond_signal(&b->stop_asked);
    pthread_mutex_unlock(&b->mutex);
    pthread_join(b->reporter, NULL);
    pthread_cond_destroy(&b->stop_asked);
    pthread_mutex_destroy(&b->mutex);
}

static bool start_link(struct bridge *b, const char *data_dir)
{
    char path[CONFIG_VALUE_MAX + sizeof(SOCKET_NAME) + 1];
    struct link_opts opts = {0};

    snprintf(path, sizeof(path), "%s/" SOCKET_NAME, data_dir);
    streams_link_opts(b->front.streams, &opts);
    opts.socket_path = path;
    b->front.link = link_start(&opts);
    if (b->front.link == NULL)
        return false;
    streams_set_link(b->front.streams, b->front.link);
    return true;
}

static uint16_t configured_port(const char *listen)
{
    return (uint16_t)strtoul(strrchr(listen, ':') + 1, NULL, 10);
}

bool bridge_start(const struct bridge_opts *opts, struct bridge **ret_bridge,
                  struct config_error *ret_error)
{
    struct bridge *b = calloc(1, sizeof(*b));
    struct http_handler handler = router;

    static const char no_memory[] = "bridge: out of memory or threads";
    memcpy(ret_error->text, no_memory, sizeof(no_memory));
    if (b == NULL || sodium_init() < 0) {
        free(b);
        return false;
    }
    struct front *f = &b->front;
    /* First, so that a taken port is told before anything else happens. */
    b->http = http_bind(opts->config, ret_error);
    if (b->http == NULL) {
        free(b);
        return false;
    }
    snprintf(b->clients_path, sizeof(b->clients_path), "%s/" CLIENTS_NAME,
             opts->data_dir);
    f->clients_path = b->clients_path;
    f->config = opts->config;
    f->store = opts->store;
    f->started_us = clock_mono_us();
    f->mqtt_port = opts->mqtt_port != 0
                       ? opts->mqtt_port
                       : configured_port(opts->config->mqtt_listen);
    memcpy(ret_error->text, no_memory, sizeof(no_memory));
    f->reads = reads_new();
    f->health = health_new(f);
    f->creations = creations_new(opts->config->tokens_create_per_hour);
    f->streams = streams_start(opts->config, opts->store, opts->budget,
                               (unsigned)opts->config->http_streamers);
    handler.arg = f;
    if (f->reads == NULL || f->health == NULL || f->creations == NULL ||
        f->streams == NULL || !start_link(b, opts->data_dir) ||
        !start_reporter(b) ||
        !http_start(b->http, opts->config, &handler, opts->budget,
                    ret_error)) {
        bridge_stop(b);
        return false;
    }
    *ret_bridge = b;
    return true;
}

uint16_t bridge_http_port(const struct bridge *b)
{
    return http_port(b->http);
}

bool bridge_link_up(const struct bridge *b)
{
    return link_is_up(b->front.link);
}

void bridge_dump_state(struct bridge *b)
{
    link_dump(b->front.link);
    streams_dump(b->front.streams);
    http_dump(b->http);
}

void bridge_stop(struct bridge *b)
{
    if (b == NULL)
        return;
    struct front *f = &b->front;
    if (b->http != NULL) {
        const int64_t until = clock_mono_us() + DRAIN_US;
        http_quiesce(b->http);
        while (http_pending(b->http) > 0 && clock_mono_us() < until)
            usleep(5000);
    }
    if (f->streams != NULL)
        streams_stop(f->streams);
    stop_reporter(b); /* its last turn reports what was read */
    if (f->link != NULL)
        link_stop(f->link, LINK_GRACE_MS); /* answers what is suspended */
    http_stop(b->http); /* its threads were the last that could call in */
    streams_free(f->streams);
    link_free(f->link);
    reads_free(f->reads);
    health_free(f->health);
    creations_free(f->creations);
    free(b);
}
