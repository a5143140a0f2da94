/* The HTTP server's threads: each accepts connections and serves them. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/complaint.h"
#include "base/error_text.h"
#include "base/log.h"
#include "base/net/listen.h"
#include "base/thread.h"
#include "bridge/http/http_private.h"

#define AREA "http"
#define ACCEPTS_PER_TURN 16
#define ACCEPT_PAUSE_S 0.1

/* ---- accepting ----------------------------------------------------------- */

static void warn_no_descriptors(struct http_thread *t)
{
    uint64_t times;

    if (complaint_due(&t->no_descriptors, clock_mono_us(), &times))
        log_warn(AREA,
                 "no descriptors or memory for another connection, %" PRIu64
                 " times: raise the limit of open files",
                 times);
}

static void on_header(void *arg, int fd, const struct sockaddr_storage *client,
                      bool is_relayed, int listener)
{
    struct http_thread *t = arg;

    t->now_ms = clock_mono_us() / 1000;
    http_admit(t, fd, client, is_relayed, listener);
    http_reap(t);
}

static void start_accepts(struct http_thread *t)
{
    for (unsigned i = 0; i < t->server->listener_count; i++)
        ev_io_start(t->loop, &t->accepts[i]);
}

static void stop_accepts(struct http_thread *t)
{
    for (unsigned i = 0; i < t->server->listener_count; i++)
        ev_io_stop(t->loop, &t->accepts[i]);
}

static void on_accept(struct ev_loop *loop, ev_io *io, int events)
{
    struct http_thread *t = io->data;
    const int listener = (int)(io - t->accepts);

    (void)events;
    t->now_ms = clock_mono_us() / 1000;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct sockaddr_storage peer = {0};
        socklen_t len = sizeof(peer);
        const int fd = accept4(io->fd, (struct sockaddr *)&peer, &len,
                               SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            if (t->server->with_header)
                proxy_waits_add(&t->proxies, fd, &peer, listener);
            else
                http_admit(t, fd, &peer, false, listener);
            continue;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            break;
        if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS &&
            errno != ENOMEM)
            continue; /* the client has gone */
        /* The socket stays readable, so without a pause this would spin. */
        warn_no_descriptors(t);
        stop_accepts(t);
        ev_timer_set(&t->accept_pause, ACCEPT_PAUSE_S, 0.);
        ev_timer_start(loop, &t->accept_pause);
        break;
    }
    http_reap(t);
}

static void on_accept_pause(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct http_thread *t = timer->data;

    (void)loop, (void)events;
    if (t->accepting)
        start_accepts(t);
}

/* Closes each once: after that the number may be another file's. */
static void close_listeners(struct http_server *s)
{
    for (unsigned i = 0; i < s->listener_count; i++) {
        const int fd = atomic_exchange(&s->listeners[i].fd, -1);
        if (fd >= 0)
            close(fd);
    }
}

/* The kernel refuses clients from now on. The sockets stay open until all threads have
 * ended: libev may still take one out of its epoll set when a client came last. */
static void stop_listening(struct http_server *s)
{
    for (unsigned i = 0; i < s->listener_count; i++)
        shutdown(atomic_load(&s->listeners[i].fd), SHUT_RD);
}

/* The last thread says so for all. */
static void stop_accepting(struct http_thread *t)
{
    struct http_server *s = t->server;

    if (!t->accepting)
        return;
    t->accepting = false;
    stop_accepts(t);
    proxy_waits_close(&t->proxies);
    ev_timer_stop(t->loop, &t->accept_pause);
    if (atomic_fetch_sub(&s->accepting, 1) == 1)
        stop_listening(s);
}

/* ---- turns --------------------------------------------------------------- */

static void take_resumed(struct http_thread *t)
{
    struct http_request *q = atomic_exchange(&t->resumed, NULL);
    struct http_request *in_order = NULL;

    while (q != NULL) {
        struct http_request *next = q->next_resumed;
        q->next_resumed = in_order;
        in_order = q;
        q = next;
    }
    while (in_order != NULL) {
        struct http_request *next = in_order->next_resumed;
        http_connection_resumed(in_order->connection);
        in_order = next;
    }
}

static void close_all(struct http_thread *t)
{
    struct http_connection *c;

    for (unsigned i = 0; i < LIST_COUNT; i++)
        while (i != PHASE_CLOSED && (c = TAILQ_FIRST(&t->lists[i])) != NULL)
            http_connection_close(c, c->phase == PHASE_ANSWERING);
}

static void on_wake(struct ev_loop *loop, ev_async *wake, int events)
{
    struct http_thread *t = wake->data;

    (void)events;
    t->now_ms = clock_mono_us() / 1000;
    if (atomic_exchange(&t->dump, false))
        http_log_state(t);
    take_resumed(t);
    http_deadlines_pay(t);
    if (atomic_load(&t->server->quiesced))
        stop_accepting(t);
    if (atomic_load(&t->server->stopping)) {
        close_all(t);
        ev_break(loop, EVBREAK_ALL);
    }
    http_reap(t);
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct http_thread *t = timer->data;

    (void)loop, (void)events;
    t->now_ms = clock_mono_us() / 1000;
    http_deadlines_check(t);
    http_reap(t);
}

/* ---- threads ------------------------------------------------------------- */

static void *http_thread_main(void *arg)
{
    struct http_thread *t = arg;

    ev_run(t->loop, 0);
    return NULL;
}

/* Often enough for the shortest time-out, and at least once a second. */
static double tick_s(const struct http_server *s)
{
    int64_t ms = 4000;

    ms = s->idle_ms < ms ? s->idle_ms : ms;
    ms = s->head_ms < ms ? s->head_ms : ms;
    ms = s->body_ms < ms ? s->body_ms : ms;
    ms = s->write_ms < ms ? s->write_ms : ms;
    return (double)ms / 4000.;
}

static void make_watchers(struct http_thread *t)
{
    const double every = tick_s(t->server);

    ev_async_init(&t->wake, on_wake);
    ev_timer_init(&t->tick, on_tick, every, every);
    ev_timer_init(&t->accept_pause, on_accept_pause, 0., 0.);
    t->wake.data = t->tick.data = t->accept_pause.data = t;
    for (unsigned i = 0; i < t->server->listener_count; i++) {
        ev_io_init(&t->accepts[i], on_accept, t->server->listeners[i].fd,
                   EV_READ);
        t->accepts[i].data = t;
    }
    ev_async_start(t->loop, &t->wake);
    ev_timer_start(t->loop, &t->tick);
    start_accepts(t);
}

static struct http_thread *thread_new(struct http_server *s)
{
    struct http_thread *t = calloc(1, sizeof(*t));

    if (t == NULL)
        return NULL;
    t->server = s;
    for (unsigned i = 0; i < LIST_COUNT; i++)
        TAILQ_INIT(&t->lists[i]);
    t->now_ms = clock_mono_us() / 1000;
    t->loop = ev_loop_new(EVFLAG_AUTO);
    t->never_run = ev_loop_new(EVFLAG_AUTO);
    if (t->loop == NULL || t->never_run == NULL) {
        if (t->loop != NULL)
            ev_loop_destroy(t->loop);
        free(t);
        return NULL;
    }
    t->proxies = (struct proxy_waits){
        .loop = t->loop,
        .trusted = &s->trusted,
        .area = "http",
        .listener = "http.listen",
        .arrived = on_header,
        .arg = t,
    };
    proxy_waits_init(&t->proxies);
    make_watchers(t);
    return t;
}

static void thread_free(struct http_thread *t)
{
    http_reap(t);
    ev_loop_destroy(t->loop);
    ev_loop_destroy(t->never_run);
    buffer_release(&t->out);
    free(t);
}

static bool start_threads(struct http_server *s, unsigned count)
{
    s->threads = calloc(count, sizeof(*s->threads));
    if (s->threads == NULL)
        return false;
    for (; s->count < count; s->count++) {
        s->threads[s->count] = thread_new(s);
        if (s->threads[s->count] == NULL)
            return false;
    }
    for (unsigned i = 0; i < count; i++) {
        struct http_thread *t = s->threads[i];
        char name[16];
        snprintf(name, sizeof(name), "http-%u", i);
        t->accepting = true;
        atomic_fetch_add(&s->accepting, 1);
        t->started = thread_start(&t->thread, name, http_thread_main, t);
        if (!t->started) {
            stop_accepting(t);
            return false;
        }
    }
    return true;
}

/* ---- start and stop ------------------------------------------------------ */

static void set_limits(struct http_server *s, const struct config *c)
{
    /* A second more than clients are told, so that they close first. */
    s->idle_ms = (int64_t)c->http_idle_timeout * 1000 + 1000;
    s->head_ms = (int64_t)c->http_header_timeout * 1000;
    s->body_ms = (int64_t)c->http_body_timeout * 1000;
    s->write_ms = (int64_t)c->http_write_timeout * 1000;
    s->config = c;
    snprintf(s->keep_alive, sizeof(s->keep_alive), "timeout=%llu",
             (unsigned long long)c->http_idle_timeout);
}

bool http_bind_another(struct http_server *s, const char *key,
                       const char *listen, struct config_error *ret_error)
{
    struct http_listener *l = &s->listeners[s->listener_count];
    int fd;
    size_t count;

    assert(s->listener_count < HTTP_LISTENERS_MAX);
    /* Of a name's addresses the first one. */
    if (!listen_open(key, listen, &fd, 1, &count, &l->port, ret_error))
        return false;
    l->fd = fd;
    s->listener_count++;
    return true;
}

struct http_server *http_bind(const char *key, const char *listen,
                              unsigned threads, struct config_error *ret_error)
{
    struct http_server *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        snprintf(ret_error->text, sizeof(ret_error->text), "out of memory");
        return NULL;
    }
    if (!http_bind_another(s, key, listen, ret_error)) {
        free(s);
        return NULL;
    }
    /* One per core: a GET never waits for others, and is answered in the thread. */
    s->wanted = threads != 0 ? threads : thread_cores();
    return s;
}

bool http_start(struct http_server *s, const struct config *config,
                const struct http_handler *handlers,
                struct connection_budget *budget,
                struct config_error *ret_error)
{
    for (unsigned i = 0; i < s->listener_count; i++)
        s->listeners[i].handler = handlers[i];
    s->budget = budget;
    set_limits(s, config);
    s->addresses = client_addresses_new();
    if (s->addresses == NULL || !start_threads(s, s->wanted)) {
        snprintf(ret_error->text, sizeof(ret_error->text),
                 "http: cannot start %u threads", s->wanted);
        return false;
    }
    connection_budget_set_make_room(budget, http_deadlines_make_room, s);
    return true;
}

void http_trust(struct http_server *s, const struct address_list *trusted,
                bool with_header)
{
    s->trusted = *trusted;
    s->with_header = with_header;
}

uint16_t http_port(const struct http_server *s)
{
    return http_listener_port(s, 0);
}

uint16_t http_listener_port(const struct http_server *s, unsigned listener)
{
    return s->listeners[listener].port;
}

unsigned http_pending(const struct http_server *s)
{
    return atomic_load(&s->pending);
}

static void wake_all(struct http_server *s)
{
    for (unsigned i = 0; i < s->count; i++)
        http_wake(s->threads[i]);
}

void http_dump(struct http_server *s)
{
    for (unsigned i = 0; i < s->count; i++)
        atomic_store(&s->threads[i]->dump, true);
    wake_all(s);
}

static bool is_running(const struct http_server *s)
{
    return s->count > 0 && s->threads[0] != NULL && s->threads[0]->started;
}

void http_quiesce(struct http_server *s)
{
    if (atomic_exchange(&s->quiesced, true))
        return;
    if (is_running(s))
        wake_all(s);
    else
        close_listeners(s);
}

void http_stop(struct http_server *s)
{
    if (s == NULL)
        return;
    http_quiesce(s);
    if (s->budget != NULL)
        connection_budget_set_make_room(s->budget, NULL, NULL);
    atomic_store(&s->stopping, true);
    wake_all(s);
    for (unsigned i = 0; i < s->count; i++)
        if (s->threads[i]->started)
            pthread_join(s->threads[i]->thread, NULL);
    close_listeners(s);
    for (unsigned i = 0; i < s->count; i++)
        thread_free(s->threads[i]);
    free(s->threads);
    client_addresses_free(s->addresses);
    free(s);
}
