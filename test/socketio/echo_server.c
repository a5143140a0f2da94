/* A server for tests of Engine.IO and Socket.IO: our HTTP, codec and sessions, without
 * a door, a broker or a store. It listens on a free port of 127.0.0.1, prints
 * "listening on PORT", and ends when its standard input does. Its arguments are those of
 * read_arguments().
 *
 * An HTTP thread checks requests. GETs leave HTTP and go to the main thread, which has the
 * sessions; POSTs wait suspended until the main thread has answered them. */
#include <ev.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/config.h"
#include "base/mailbox.h"
#include "base/net/connection_budget.h"
#include "base/net/upgrade.h"
#include "bridge/http/http.h"
#include "bridge/socketio/engine_request.h"
#include "test/socketio/echo_client.h"

#define ARRIVALS_MAX 4096

/* A request on its way to the main thread. */
struct echo_arrival {
    bool is_engine;
    enum engine_transport transport;
    char sid[TOKEN_MADE + 1]; /* "": a handshake */
    int fd;                   /* a GET or WebSocket; -1: a POST */
    struct http_request *post;
};

static struct {
    struct ev_loop *loop;
    ev_async wake;
    ev_prepare reap;
    struct mailbox *arrivals;
    LIST_HEAD(, echo_client) clients;
} server;

static const char *const cors[] = {"Access-Control-Allow-Origin", "*", NULL};

/* ---- in the HTTP thread --------------------------------------------------- */

static enum http_next respond(struct http_request *q, unsigned status,
                              const char *content_type, const char *text)
{
    struct buffer body = BUFFER_INIT;

    buffer_put_str(&body, text);
    http_add_header(q, cors[0], cors[1]);
    http_respond(q, status, content_type, &body);
    return HTTP_ANSWERED;
}

static enum http_next refuse(struct http_request *q,
                             enum engine_refusal refusal)
{
    return respond(q, 400, "application/json", engine_refusal_json(refusal));
}

static bool asks_for_websocket(const struct http_request *q)
{
    struct slice upgrade;

    return http_header(q, "Upgrade", &upgrade) &&
           upgrade_lists(upgrade, "websocket", true);
}

/* Sends the 101: the main thread finds a WebSocket. */
static bool accept_websocket(int fd, struct slice key)
{
    char accept[UPGRADE_ACCEPT_SIZE], head[256];

    if (!upgrade_accept(key, accept))
        return false;
    const int len = snprintf(head, sizeof(head),
                             "HTTP/1.1 101 Switching Protocols\r\n"
                             "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                             "Sec-WebSocket-Accept: %s\r\n\r\n",
                             accept);
    return write(fd, head, (size_t)len) == len;
}

static void send_arrival(struct echo_arrival *a)
{
    if (mailbox_send(server.arrivals, a))
        return;
    if (a->fd >= 0)
        close(a->fd);
    free(a);
}

static enum http_next detach(struct http_request *q, struct echo_arrival *a)
{
    struct slice key;

    if (a->transport == ENGINE_WEBSOCKET &&
        (!http_header(q, "Sec-WebSocket-Key", &key) ||
         !upgrade_key_valid(key))) {
        free(a);
        return refuse(q, ENGINE_REFUSAL_REQUEST);
    }
    char copy[64];
    if (a->transport == ENGINE_WEBSOCKET) {
        memcpy(copy, key.data, key.len < sizeof(copy) ? key.len : 0);
        key.data = copy;
    }
    a->fd = http_detach(q);
    if (a->fd >= 0 &&
        (a->transport == ENGINE_POLLING || accept_websocket(a->fd, key)))
        send_arrival(a);
    else
        free(a);
    return HTTP_DETACHED;
}

static enum http_next handle(void *arg, struct http_request *q)
{
    const bool is_engine = slice_eq(http_path(q), slice_str("/engine.io/"));
    struct engine_request request;

    (void)arg;
    if (!is_engine && !slice_eq(http_path(q), slice_str("/socket.io/")))
        return respond(q, 404, "application/json", "{}");
    if (http_method(q) == HTTP_OPTIONS)
        return respond(q, 204, NULL, "");
    const enum engine_refusal refusal =
        engine_request_read(http_method(q), http_query(q),
                            asks_for_websocket(q), &request);
    if (refusal != ENGINE_NOT_REFUSED)
        return refuse(q, refusal);
    if (request.sid.len > TOKEN_MADE)
        return refuse(q, ENGINE_REFUSAL_SID);
    struct echo_arrival *a = calloc(1, sizeof(*a));
    if (a == NULL)
        abort();
    a->is_engine = is_engine;
    a->transport = request.transport;
    if (request.sid.len > 0)
        memcpy(a->sid, request.sid.data, request.sid.len);
    if (http_method(q) == HTTP_GET)
        return detach(q, a);
    a->fd = -1;
    a->post = q;
    http_suspend(q);
    send_arrival(a);
    return HTTP_SUSPENDED;
}

static size_t begin(void *arg, struct http_request *q)
{
    (void)arg, (void)q;
    return echo_settings.max_payload;
}

/* ---- in the main thread --------------------------------------------------- */

static struct echo_client *find_client(const struct echo_arrival *a)
{
    struct echo_client *c;

    LIST_FOREACH (c, &server.clients, link) {
        const struct engine_session *s = &c->session.engine;
        if (c->is_engine == a->is_engine && strcmp(s->sid, a->sid) == 0 &&
            !engine_session_is_over(s))
            return c;
    }
    return NULL;
}

static void answer_post(struct echo_client *c, struct http_request *q)
{
    struct slice body;

    if (c == NULL)
        refuse(q, ENGINE_REFUSAL_SID);
    else if (!http_body(q, &body)) {
        echo_client_post_too_big(c);
        respond(q, 413, "text/html", "");
    } else if (echo_client_post(c, body))
        respond(q, 200, "text/html", "ok");
    else
        refuse(q, ENGINE_REFUSAL_REQUEST);
    http_resume(q);
}

static void begin_session(const struct echo_arrival *a)
{
    struct echo_client *c =
        echo_client_new(server.loop, a->is_engine, a->transport, a->fd);

    if (c == NULL)
        close(a->fd);
    else
        LIST_INSERT_HEAD(&server.clients, c, link);
}

static void handle_arrival(const struct echo_arrival *a)
{
    struct echo_client *c = find_client(a);

    if (a->post != NULL)
        answer_post(c, a->post);
    else if (a->sid[0] == '\0')
        begin_session(a);
    else if (c == NULL && a->transport == ENGINE_POLLING)
        echo_answer(a->fd, 400, "application/json",
                    slice_str(engine_refusal_json(ENGINE_REFUSAL_SID)));
    else if (c == NULL)
        close(a->fd);
    else if (a->transport == ENGINE_POLLING)
        echo_client_poll(c, a->fd);
    else
        echo_client_attach(c, a->fd);
}

static void on_wake(struct ev_loop *loop, ev_async *w, int events)
{
    void *item;

    (void)loop, (void)w, (void)events;
    while (mailbox_receive(server.arrivals, &item, 1) == 1) {
        handle_arrival(item);
        free(item);
    }
}

/* HTTP stops when no request waits for an answer of ours; half a request may keep it
 * waiting no longer than a second. */
static void answer_the_last(const struct http_server *http)
{
    for (int ms = 0; http_pending(http) > 0 && ms < 1000; ms++) {
        on_wake(server.loop, &server.wake, 0);
        usleep(1000);
    }
}

/* What came too late: HTTP has stopped, and has freed the requests that waited. */
static void discard_arrivals(void)
{
    void *item;

    while (mailbox_receive(server.arrivals, &item, 1) == 1) {
        const struct echo_arrival *a = item;
        if (a->fd >= 0)
            close(a->fd);
        free(item);
    }
}

static void free_clients(bool all)
{
    struct echo_client *c = LIST_FIRST(&server.clients), *next;

    for (; c != NULL; c = next) {
        next = LIST_NEXT(c, link);
        if (!all && !echo_client_is_over(c))
            continue;
        LIST_REMOVE(c, link);
        echo_client_free(c);
    }
}

static void on_reap(struct ev_loop *loop, ev_prepare *w, int events)
{
    (void)loop, (void)w, (void)events;
    free_clients(false);
}

static void on_input(struct ev_loop *loop, ev_io *w, int events)
{
    char bytes[64];

    (void)events;
    if (read(w->fd, bytes, sizeof(bytes)) <= 0)
        ev_break(loop, EVBREAK_ALL);
}

static void wake(void *arg)
{
    (void)arg;
    ev_async_send(server.loop, &server.wake);
}

/* Milliseconds: pingInterval, pingTimeout, for CONNECT, for an upgrade. */
static void read_arguments(int argc, char **argv)
{
    uint32_t *const to[] = {
        &echo_settings.ping_interval_ms,
        &echo_settings.ping_timeout_ms,
        &echo_connect_timeout_ms,
        &echo_settings.upgrade_timeout_ms,
    };

    for (int i = 1; i < argc && i <= 4; i++)
        *to[i - 1] = (uint32_t)strtoul(argv[i], NULL, 10);
}

int main(int argc, char **argv)
{
    const struct http_handler handler = {.common_headers = cors,
                                         .begin = begin,
                                         .handle = handle};
    struct config config = {
        .http_idle_timeout = 10,
        .http_header_timeout = 10,
        .http_body_timeout = 10,
        .http_write_timeout = 10,
    };
    struct connection_budget budget;
    struct config_error error;
    ev_io input;

    read_arguments(argc, argv);
    if (sodium_init() < 0)
        return EXIT_FAILURE;
    server.loop = ev_default_loop(EVFLAG_AUTO);
    LIST_INIT(&server.clients);
    server.arrivals = mailbox_new(ARRIVALS_MAX, wake, NULL);
    ev_async_init(&server.wake, on_wake);
    /* An UPGRADE that has come goes before a poll that was sent after it. */
    ev_set_priority(&server.wake, EV_MINPRI);
    ev_async_start(server.loop, &server.wake);
    ev_prepare_init(&server.reap, on_reap);
    ev_prepare_start(server.loop, &server.reap);
    ev_io_init(&input, on_input, STDIN_FILENO, EV_READ);
    ev_io_start(server.loop, &input);
    connection_budget_init(&budget, 0);
    struct http_server *http =
        http_bind("http.listen", "127.0.0.1:0", 1, &error);
    if (http == NULL ||
        !http_start(http, &config, &handler, &budget, &error)) {
        fprintf(stderr, "%s\n", error.text);
        return EXIT_FAILURE;
    }
    printf("listening on %u\n", http_port(http));
    fflush(stdout);
    ev_run(server.loop, 0);
    http_quiesce(http);
    answer_the_last(http);
    free_clients(true);
    http_stop(http);
    discard_arrivals();
    mailbox_free(server.arrivals);
    connection_budget_release(&budget);
    return EXIT_SUCCESS;
}
