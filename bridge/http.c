#include "bridge/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "bridge/url.h"

#define AREA "http"
#define DISCARD_MAX (8U * 1024 * 1024)
#define DISCARD_US INT64_C(2000000)
/* A client that sends nothing, or half a request: what Apache and Node use for
 * idle keep-alive connections. libmicrohttpd has one time-out for both. */
#define IDLE_SECONDS 5U
#define HEADERS_MAX 16
#define STREAM_BLOCK (64U * 1024)

struct http_server {
    struct MHD_Daemon *daemon;
    struct http_handler handler;
    uint16_t port;
    int fd; /* the listening socket; ours again after quiesce */
    bool quiesced;
    atomic_uint pending;
};

struct header {
    const char *name;
    char *value;
};

struct http_request {
    struct http_server *server;
    struct MHD_Connection *connection;
    enum http_method method;
    char *target; /* copied: MHD's may move */
    size_t path_len;
    struct slice query;
    char *decoded; /* holds the segments */
    struct slice segments[HTTP_SEGMENTS_MAX];
    size_t segment_count;
    bool segments_bad;
    struct buffer body;
    size_t body_max, body_seen;
    int64_t discard_until;
    bool too_long;
    bool takes_chunks;
    bool begun, suspended, detached;
    struct header headers[HEADERS_MAX];
    size_t header_count;
    bool close_after;
    struct MHD_Response *response; /* set: answer it */
    unsigned status;
    void *state;
};

/* ---- request ------------------------------------------------------------- */

static enum http_method method_of(const char *name)
{
    static const struct {
        const char *name;
        enum http_method method;
    } known[] = {{"GET", HTTP_GET}, {"HEAD", HTTP_HEAD}, {"POST", HTTP_POST},
                 {"OPTIONS", HTTP_OPTIONS}};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(known[i].name, name) == 0)
            return known[i].method;
    return HTTP_OTHER;
}

static bool decode_segments(struct http_request *q)
{
    struct slice path = slice_of(q->target, q->path_len), segment;
    char *out = q->decoded;

    url_next_segment(&path, &segment); /* what is before the first slash */
    while (url_next_segment(&path, &segment)) {
        size_t len;
        if (q->segment_count == HTTP_SEGMENTS_MAX)
            break; /* longer than any route: not found */
        if (!url_decode(segment, false, out, &len))
            return false;
        q->segments[q->segment_count++] = slice_of(out, len);
        out += len;
    }
    return true;
}

/* MHD's first word of a request, with the target as it was sent: before MHD
 * cuts, decodes or turns '+' into blanks. What is returned becomes *con_cls. */
static void *on_target(void *arg, const char *target,
                       struct MHD_Connection *connection)
{
    struct http_server *s = arg;
    const size_t len = strlen(target);
    struct http_request *q = calloc(1, sizeof(*q) + 2 * len + 2);

    if (q == NULL)
        return NULL;
    q->server = s;
    q->connection = connection;
    q->target = (char *)(q + 1);
    memcpy(q->target, target, len);
    const char *mark = memchr(q->target, '?', len);
    q->path_len = mark == NULL ? len : (size_t)(mark - q->target);
    if (mark != NULL)
        q->query = slice_of(mark + 1, len - q->path_len - 1);
    q->decoded = q->target + len + 1;
    q->segments_bad = !decode_segments(q);
    atomic_fetch_add(&s->pending, 1);
    return q;
}

static void request_free(struct http_request *q)
{
    if (q->begun && q->server->handler.end != NULL)
        q->server->handler.end(q->server->handler.arg, q);
    for (size_t i = 0; i < q->header_count; i++)
        free(q->headers[i].value);
    if (q->response != NULL)
        MHD_destroy_response(q->response);
    buffer_release(&q->body);
    atomic_fetch_sub(&q->server->pending, 1);
    free(q);
}

enum http_method http_method(const struct http_request *q)
{
    return q->method;
}

bool http_takes_chunks(const struct http_request *q)
{
    return q->takes_chunks;
}

struct slice http_path(const struct http_request *q)
{
    return slice_of(q->target, q->path_len);
}

struct slice http_query(const struct http_request *q)
{
    return q->query;
}

bool http_segments(struct http_request *q, const struct slice **ret_segments,
                   size_t *ret_count)
{
    *ret_segments = q->segments;
    *ret_count = q->segment_count;
    return !q->segments_bad;
}

bool http_header(const struct http_request *q, const char *name,
                 struct slice *ret_value)
{
    const char *value = NULL;
    size_t len = 0;

    if (MHD_lookup_connection_value_n(q->connection, MHD_HEADER_KIND, name,
                                      strlen(name), &value, &len) != MHD_YES ||
        value == NULL)
        return false;
    *ret_value = slice_of(value, len);
    return true;
}

struct name_search {
    bool (*matches)(const char *name);
    bool found;
};

static enum MHD_Result search_name(void *arg, enum MHD_ValueKind kind,
                                   const char *name, const char *value)
{
    struct name_search *s = arg;

    (void)kind, (void)value;
    s->found = s->matches(name);
    return s->found ? MHD_NO : MHD_YES;
}

bool http_has_header(const struct http_request *q,
                     bool (*matches)(const char *name))
{
    struct name_search search = {matches, false};

    MHD_get_connection_values(q->connection, MHD_HEADER_KIND, search_name,
                              &search);
    return search.found;
}

bool http_body(const struct http_request *q, struct slice *ret_body)
{
    *ret_body = buffer_slice(&q->body);
    return !q->too_long;
}

struct slice http_client(const struct http_request *q)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        q->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

    if (info == NULL || info->client_addr == NULL)
        return (struct slice){0};
    if (info->client_addr->sa_family == AF_INET6) {
        const void *a = info->client_addr;
        return slice_of(&((const struct sockaddr_in6 *)a)->sin6_addr, 16);
    }
    const void *a = info->client_addr;
    return slice_of(&((const struct sockaddr_in *)a)->sin_addr, 4);
}

void **http_state(struct http_request *q)
{
    return &q->state;
}

/* ---- answer -------------------------------------------------------------- */

const char *http_reason(unsigned status)
{
    return MHD_get_reason_phrase_for(status);
}

void http_add_header(struct http_request *q, const char *name,
                     const char *value)
{
    if (q->header_count == HEADERS_MAX || strpbrk(value, "\r\n") != NULL)
        return;
    char *copy = strdup(value);
    if (copy != NULL)
        q->headers[q->header_count++] = (struct header){name, copy};
}

void http_add_header_u64(struct http_request *q, const char *name, uint64_t v)
{
    char text[24];

    snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
    http_add_header(q, name, text);
}

void http_close_after(struct http_request *q)
{
    q->close_after = true;
}

static void set_response(struct http_request *q, unsigned status,
                         const char *content_type,
                         struct MHD_Response *response)
{
    if (q->response != NULL)
        MHD_destroy_response(q->response);
    q->response = response;
    q->status = status;
    if (response == NULL)
        return;
    if (content_type != NULL)
        MHD_add_response_header(response, "Content-Type", content_type);
    for (size_t i = 0; i < q->header_count; i++)
        MHD_add_response_header(response, q->headers[i].name,
                                q->headers[i].value);
    if (q->close_after)
        MHD_add_response_header(response, "Connection", "close");
}

void http_respond(struct http_request *q, unsigned status,
                  const char *content_type, struct buffer *body)
{
    size_t len = 0;
    char *data = NULL;

    if (body != NULL && !buffer_ok(body)) {
        buffer_release(body);
        status = 500;
        content_type = NULL;
    } else if (body != NULL) {
        data = buffer_take(body, &len);
    }
    struct MHD_Response *r = MHD_create_response_from_buffer(
        len, data, len > 0 ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (len == 0 || r == NULL)
        free(data);
    set_response(q, status, content_type, r);
}

struct streaming {
    ssize_t (*read)(void *arg, char *out, size_t max);
    void (*release)(void *arg);
    void *arg;
};

static ssize_t read_stream(void *arg, uint64_t pos, char *out, size_t max)
{
    struct streaming *s = arg;

    (void)pos;
    const ssize_t n = s->read(s->arg, out, max);
    if (n < 0)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    return n == 0 ? MHD_CONTENT_READER_END_OF_STREAM : n;
}

static void release_stream(void *arg)
{
    struct streaming *s = arg;

    s->release(s->arg);
    free(s);
}

void http_respond_stream(struct http_request *q, unsigned status,
                         const char *content_type,
                         ssize_t (*read)(void *arg, char *out, size_t max),
                         void (*release)(void *arg), void *arg)
{
    struct streaming *s = malloc(sizeof(*s));
    struct MHD_Response *r = NULL;

    if (s != NULL) {
        *s = (struct streaming){read, release, arg};
        r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK,
                                              read_stream, s, release_stream);
    }
    if (r == NULL) {
        release(arg);
        free(s);
    }
    set_response(q, status, content_type, r);
}

void http_suspend(struct http_request *q)
{
    q->suspended = true;
    MHD_suspend_connection(q->connection);
}

void http_resume(struct http_request *q)
{
    MHD_resume_connection(q->connection);
}

int http_detach(struct http_request *q)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        q->connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    if (info == NULL)
        return -1;
    q->detached = true;
    return fcntl(info->connect_fd, F_DUPFD_CLOEXEC, 0);
}

/* ---- MHD's side ---------------------------------------------------------- */

static enum MHD_Result queue(struct http_request *q)
{
    if (q->response == NULL)
        return MHD_NO; /* out of memory: nothing better to say than to close */
    return MHD_queue_response(q->connection, q->status, q->response);
}

/* A client that goes on sending a body nobody wants. The answer goes past MHD,
 * which will not queue one in the middle of a body. */
static enum MHD_Result cut_off(struct http_request *q)
{
    static const char answer[] =
        "HTTP/1.1 413 Payload Too Large\r\nConnection: close\r\n"
        "Access-Control-Allow-Origin: *\r\n"
        "Content-Type: application/json\r\nContent-Length: 30\r\n\r\n"
        "{\"error\":\"payload too large\"}\n";
    const int fd = http_detach(q);

    if (fd >= 0) {
        if (send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) > 0)
            shutdown(fd, SHUT_WR);
        close(fd);
    }
    return MHD_NO;
}

static enum MHD_Result take_body(struct http_request *q, const char *data,
                                 size_t *size)
{
    q->body_seen += *size;
    if (!q->too_long && q->body_seen <= q->body_max) {
        buffer_put(&q->body, data, *size);
        if (!buffer_ok(&q->body))
            return MHD_NO;
    } else if (!q->too_long) {
        q->too_long = true;
        q->discard_until = clock_mono_us() + DISCARD_US;
        buffer_release(&q->body);
    }
    *size = 0;
    if (q->too_long && (q->body_seen > q->body_max + DISCARD_MAX ||
                        clock_mono_us() > q->discard_until))
        return cut_off(q);
    return MHD_YES;
}

static enum MHD_Result count_length(void *arg, enum MHD_ValueKind kind,
                                    const char *name, const char *value)
{
    (void)kind, (void)value;
    *(unsigned *)arg += strcasecmp(name, "Content-Length") == 0;
    return MHD_YES;
}

/* Two lengths, or a length and chunks: what lies behind could be taken for a
 * request of its own by one of us (request smuggling, RFC 9112 §6.3). */
static bool framing_is_ambiguous(const struct http_request *q)
{
    struct slice ignored;
    unsigned lengths = 0;

    MHD_get_connection_values(q->connection, MHD_HEADER_KIND, count_length,
                              &lengths);
    return lengths > 1 ||
           (lengths == 1 && http_header(q, "Transfer-Encoding", &ignored));
}

/* Called with the headers, with each part of the body, at its end, and again
 * after a suspension. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection,
                                  const char *url, const char *method,
                                  const char *version, const char *data,
                                  size_t *size, void **state)
{
    struct http_server *s = arg;
    struct http_request *q = *state;

    (void)connection, (void)url;
    if (q == NULL)
        return MHD_NO;
    if (!q->begun) {
        if (framing_is_ambiguous(q))
            return MHD_NO;
        q->begun = true;
        q->method = method_of(method);
        q->takes_chunks = strcmp(version, MHD_HTTP_VERSION_1_0) != 0;
        q->body_max = s->handler.begin(s->handler.arg, q);
        return MHD_YES;
    }
    if (*size > 0)
        return take_body(q, data, size);
    if (q->suspended) {
        q->suspended = false;
        return queue(q);
    }
    switch (s->handler.handle(s->handler.arg, q)) {
    case HTTP_ANSWERED:
        return queue(q);
    case HTTP_SUSPENDED:
        return MHD_YES;
    case HTTP_DETACHED:
        break;
    }
    return MHD_NO; /* under MHD_USE_TURBO the duplicate lives on */
}

static void on_completed(void *arg, struct MHD_Connection *connection,
                         void **state, enum MHD_RequestTerminationCode code)
{
    (void)arg, (void)connection, (void)code;
    if (*state != NULL)
        request_free(*state);
    *state = NULL;
}

/* We decode ourselves, segment by segment: see url.h. */
static size_t leave_escaped(void *arg, struct MHD_Connection *connection,
                            char *text)
{
    (void)arg, (void)connection;
    return strlen(text);
}

/* "application reported an internal error" stands for every detached stream,
 * and some texts hold targets, which hold tokens: only for debugging, and only
 * the format. */
static void on_log(void *arg, const char *fmt, va_list args)
{
    (void)arg, (void)args;
    const size_t len = strcspn(fmt, "%\n");
    log_debug(AREA, "libmicrohttpd: %.*s", (int)len, fmt);
}

/* ---- server -------------------------------------------------------------- */

static int bind_first(const struct addrinfo *list, int *ret_errno)
{
    *ret_errno = EADDRNOTAVAIL;
    for (const struct addrinfo *a = list; a != NULL; a = a->ai_next) {
        const int one = 1;
        const int fd = socket(a->ai_family,
                              SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd >= 0 &&
            setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
            bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, 4096) == 0)
            return fd;
        *ret_errno = errno;
        if (fd >= 0)
            close(fd);
    }
    return -1;
}

static uint16_t port_of(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } a;
    socklen_t len = sizeof(a);

    if (getsockname(fd, &a.any, &len) != 0)
        return 0;
    return ntohs(a.any.sa_family == AF_INET6 ? a.v6.sin6_port : a.v4.sin_port);
}

/* `address:port` as config_finish() has checked it. */
static int listen_on(const char *where, struct config_error *ret_error)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    char host[CONFIG_VALUE_MAX];
    struct addrinfo *list = NULL;
    int code = 0;
    const char *colon = strrchr(where, ':');
    size_t len = (size_t)(colon - where);

    memcpy(host, where, len);
    host[len] = '\0';
    char *name = host;
    if (host[0] == '[') {
        host[len - 1] = '\0';
        name++;
    }
    const int rc = getaddrinfo(name, colon + 1, &hints, &list);
    if (rc != 0) {
        snprintf(ret_error->text, sizeof(ret_error->text),
                 "http.listen %.200s: %s", where, gai_strerror(rc));
        return -1;
    }
    const int fd = bind_first(list, &code);
    freeaddrinfo(list);
    if (fd < 0)
        snprintf(ret_error->text, sizeof(ret_error->text),
                 "http.listen %.200s: %s", where, strerror(code));
    return fd;
}

static unsigned worker_count(const struct config *c)
{
    /* One per core: a GET waits for nobody, and is answered here. */
    return c->http_workers != 0 ? (unsigned)c->http_workers : thread_cores();
}

struct http_server *http_bind(const struct config *config,
                              struct config_error *ret_error)
{
    struct http_server *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        snprintf(ret_error->text, sizeof(ret_error->text), "out of memory");
        return NULL;
    }
    s->fd = listen_on(config->http_listen, ret_error);
    if (s->fd < 0) {
        free(s);
        return NULL;
    }
    s->port = port_of(s->fd);
    return s;
}

bool http_start(struct http_server *s, const struct config *config,
                const struct http_handler *handler,
                struct config_error *ret_error)
{
    const unsigned workers = worker_count(config);

    s->handler = *handler;
    uint64_t most = config->limits_connections;
    if (most < workers)
        most = workers;
    s->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_TURBO | MHD_ALLOW_SUSPEND_RESUME |
            MHD_USE_ERROR_LOG,
        0, NULL, NULL, on_request, s,
        MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
        MHD_OPTION_LISTEN_SOCKET, s->fd,
        MHD_OPTION_THREAD_POOL_SIZE, workers,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)most,
        MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, /* RFC 9112 §3.2: Host, and more */
        MHD_OPTION_URI_LOG_CALLBACK, on_target, s,
        MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
        MHD_OPTION_END);
    if (s->daemon == NULL) {
        snprintf(ret_error->text, sizeof(ret_error->text),
                 "http: cannot start %u threads", workers);
        return false;
    }
    return true;
}

uint16_t http_port(const struct http_server *s)
{
    return s->port;
}

unsigned http_pending(const struct http_server *s)
{
    return atomic_load(&s->pending);
}

void http_quiesce(struct http_server *s)
{
    if (s->quiesced)
        return;
    s->quiesced = true;
    if (s->daemon == NULL ||
        MHD_quiesce_daemon(s->daemon) != MHD_INVALID_SOCKET)
        close(s->fd);
}

void http_stop(struct http_server *s)
{
    if (s == NULL)
        return;
    http_quiesce(s);
    if (s->daemon != NULL)
        MHD_stop_daemon(s->daemon);
    free(s);
}
