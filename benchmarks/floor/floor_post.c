/* bench_floor_post: the floor behind libmicrohttpd, a well-known library that
 * Confab's HTTP side was built on until 2026-11-30: POST is suspended until its
 * commit, streams are taken from the library, GET answers a constant, made
 * once. */
#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "benchmarks/floor/frame.h"
#include "benchmarks/floor/setup.h"
#include "benchmarks/floor/worker.h"
#include "benchmarks/measure/fatal.h"

/* One worker sends to all readers: the library's threads need the cores. */
static struct floor_worker *streamer;
static struct committer *committer;

/* What GET latest is answered: the first message this process was given. */
static _Atomic(struct MHD_Response *) latest;

/* What GET history is answered: the last messages at the first such GET. */
static _Atomic(struct MHD_Response *) history;
static pthread_mutex_t history_lock = PTHREAD_MUTEX_INITIALIZER;

struct floor_request {
    struct MHD_Connection *connection;
    struct topic *topic; /* of a POST */
    struct bytes body;
    uint64_t id; /* 0: not stored yet */
};

static void add_headers(struct MHD_Response *r)
{
#define ADD(name, value) MHD_add_response_header(r, name, value);
    FRAME_HEADERS(ADD)
    ADD("Content-Type", "application/json")
#undef ADD
}

static struct MHD_Response *json(struct bytes *takes)
{
    struct MHD_Response *r =
        MHD_create_response_from_buffer(takes->len, takes->data,
                                        MHD_RESPMEM_MUST_FREE);

    add_headers(r);
    return r;
}

static void make_latest(const struct floor_entry *e)
{
    struct bytes body = {0};
    struct frame_time at;

    frame_time_set(&at, e->created_us);
    frame_put_object(&body, e, &at);
    atomic_store(&latest, json(&body));
}

static void put_row(void *arg, const struct floor_record *r)
{
    struct bytes *body = arg;
    struct frame_time at;

    bytes_put_str(body, body->len == 0 ? "[" : ",");
    frame_time_set(&at, r->created_us);
    frame_put_row(body, r, &at);
}

/* The last `limit` of all messages: the load generator uses one thing. */
static struct MHD_Response *history_of(uint64_t limit)
{
    struct bytes body = {0};

    if (committer_log(committer) == NULL)
        return NULL;
    pthread_mutex_lock(&history_lock);
    if (atomic_load(&history) == NULL) {
        log_walk(committer_log(committer), LOG_NEWEST_FIRST, limit, put_row,
                 &body);
        bytes_put_str(&body, body.len == 0 ? "[]" : "]");
        atomic_store(&history, json(&body));
    }
    pthread_mutex_unlock(&history_lock);
    return atomic_load(&history);
}

/* The writer's thread. */
static void on_committed(struct entry_list *batch)
{
    fanout(&streamer, 1, batch);
    if (atomic_load(&latest) == NULL)
        make_latest(STAILQ_FIRST(batch));
    while (!STAILQ_EMPTY(batch)) {
        struct floor_entry *e = STAILQ_FIRST(batch);
        struct floor_request *r = e->from;

        STAILQ_REMOVE_HEAD(batch, next);
        r->id = e->id; /* seen by the handler: resuming takes a lock */
        MHD_resume_connection(r->connection);
        free(e);
    }
}

static void submit(struct floor_request *r)
{
    struct entry_list one = STAILQ_HEAD_INITIALIZER(one);
    struct floor_entry *e =
        entry_new(r->topic, r, 0, r->body.data, r->body.len);

    STAILQ_INSERT_TAIL(&one, e, next);
    MHD_suspend_connection(r->connection); /* before it can be resumed */
    committer_submit(committer, &one);
}

static enum MHD_Result answer(const struct floor_request *r)
{
    struct bytes receipt = {0};
    struct MHD_Response *response;
    enum MHD_Result result;

    frame_put_receipt(&receipt, r->id);
    response = json(&receipt);
    result = MHD_queue_response(r->connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result on_post(struct floor_request *r, const char *data,
                               size_t *len)
{
    if (*len > 0) {
        bytes_put(&r->body, data, *len);
        *len = 0;
        return MHD_YES;
    }
    if (r->id > 0)
        return answer(r);
    submit(r);
    return MHD_YES;
}

/* Under MHD_USE_TURBO the library closes its descriptor without shutdown(), so
 * a duplicate lives on. */
static enum MHD_Result hand_over(struct MHD_Connection *c, struct topic *topic)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
    const int fd = dup(info->connect_fd);

    if (fd < 0)
        fatal("dup: %s", strerror(errno));
    worker_adopt(streamer, fd, &http_door, topic);
    return MHD_NO;
}

static enum MHD_Result on_get(struct MHD_Connection *c, const char *path)
{
    struct topic *topic = topic_of_path(path, strlen(path), "/listen");
    const char *limit =
        MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "limit");
    struct MHD_Response *r = atomic_load(limit != NULL ? &history : &latest);

    if (topic != NULL)
        return hand_over(c, topic);
    if (r == NULL && limit != NULL)
        r = history_of(strtoull(limit, NULL, 10));
    return r != NULL ? MHD_queue_response(c, MHD_HTTP_OK, r) : MHD_NO;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c,
                                  const char *path, const char *method,
                                  const char *version, const char *data,
                                  size_t *len, void **state)
{
    const bool get = strcmp(method, MHD_HTTP_METHOD_GET) == 0;
    struct floor_request *r = *state;

    (void)arg, (void)version;
    if (r != NULL)
        return get ? on_get(c, path) : on_post(r, data, len);

    /* An answer to this first call would end the connection. */
    r = must_zalloc(1, sizeof(*r));
    r->connection = c;
    r->topic = get ? NULL : topic_of_path(path, strlen(path), "");
    *state = r;
    return get || r->topic != NULL ? MHD_YES : MHD_NO;
}

static void on_completed(void *arg, struct MHD_Connection *c, void **state,
                         enum MHD_RequestTerminationCode why)
{
    struct floor_request *r = *state;

    (void)arg, (void)c, (void)why;
    if (r != NULL)
        bytes_release(&r->body);
    free(r);
    *state = NULL;
}

/* Each connection handed over is reported as an error: that is no news. */
static void no_log(void *arg, const char *fmt, va_list args)
{
    (void)arg, (void)fmt, (void)args;
}

int main(int argc, char **argv)
{
    struct setup setup;
    struct MHD_Daemon *daemon;
    uint16_t port;
    char signal[128];

    setup_init(&setup, setup_cores(), argc, argv);
    streamer = worker_start(&committer);
    committer = committer_start(setup.dir, on_committed);
    const int listener = setup_listen(&port);

    daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_TURBO |
            MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG,
        0, NULL, NULL, on_request, NULL, MHD_OPTION_EXTERNAL_LOGGER, no_log,
        NULL, MHD_OPTION_LISTEN_SOCKET, listener, MHD_OPTION_THREAD_POOL_SIZE,
        setup.workers, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
        MHD_OPTION_CONNECTION_LIMIT, 16000U, MHD_OPTION_END);
    if (daemon == NULL)
        fatal("libmicrohttpd does not start");
    printf("floor ready http=http://127.0.0.1:%u data=%s\n", port,
           setup.dir != NULL ? setup.dir : "none");
    fflush(stdout);

    if (read(setup.signals, signal, sizeof(signal)) < 0)
        fatal("signalfd: %s", strerror(errno));
    committer_stop(committer, stdout);
    return 0; /* the load generator is gone: nothing is left to be ended */
}
