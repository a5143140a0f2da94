/* libmicrohttpd 0.9.75 and 1.0.1; no other file knows it. It reads heads and bodies and
 * sends answers; http_connection.c does the rest.
 *
 * There is one daemon per connection, without threads and without a listening socket;
 * MHD_run() does what it can and returns. Two habits of the library need a workaround:
 *   - it answers requests that it refuses with an HTML page of its own, without our
 *     headers. But first it tells its logger: at that moment we send our answer and
 *     close the sending side, so that the page cannot be sent (events->refused);
 *   - MHD_stop_daemon() shuts the socket down, for our descriptor, too. So a daemon
 *     that is no longer needed is stopped only after it has closed its connection by
 *     by its own time-out (http_engine_rest()). */
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "bridge/counters/bridge_counters.h"
#include "bridge/http/http_private.h"

#define AREA "http"
/* Holds a head of HTTP_HEAD_MAX bytes in HTTP_FIELDS_MAX lines, and the head of the
 * answer. The library clears all of it after each request (MHD_pool_reset()); 8 KiB
 * less would save a microsecond. */
#define POOL_SIZE ((size_t)24 * 1024)
#define BLOCK_SIZE ((size_t)16 * 1024) /* of a long answer */
#define REST_SECONDS 1U

/* MHD_RF_HEAD_ONLY_RESPONSE: an answer without a body need not state a length. */
#define CAN_LEAVE_LENGTH_OUT (MHD_VERSION >= 0x00097701)
#if MHD_VERSION >= 0x00097707
#define WITHOUT_LOCKS MHD_USE_NO_THREAD_SAFETY
#else
#define WITHOUT_LOCKS 0U
#endif

/* ---- heads --------------------------------------------------------------- */

/* The library's first call for a request, with the target as it was sent, before the
 * library decodes or cuts it. What is returned becomes *state. */
static void *on_target(void *arg, const char *target,
                       struct MHD_Connection *connection)
{
    struct http_connection *c = arg;

    (void)connection;
    c->engine.target = target;
    c->request = http_request_new(c, target == NULL ? "" : target);
    if (target != NULL && strlen(target) > HTTP_TARGET_MAX)
        c->engine.events->leave(
            c, (struct http_refusal){414, "request target: longer than 8192 "
                                          "bytes"});
    return c->request;
}

/* No decoding by the library: we decode segment by segment, see url.h. */
static size_t leave_escaped(void *arg, struct MHD_Connection *connection,
                            char *text)
{
    (void)arg, (void)connection;
    return strlen(text);
}

static uint64_t head_bytes(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection,
                                MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

    return info == NULL ? 0 : info->header_size;
}

struct adding {
    struct http_head *head;
    struct http_refusal why;
    const char
        *end; /* of what was read of the head; in the library's buffer */
};

/* 0.9.75 reads lines as C strings: bytes behind a NUL are skipped, and a line that begins
 * with one ends the head, so the next server could see another request (RFC 9110 §5.5).
 * The lines stand in its buffer as they came, with a NUL for each byte of a line's end:
 * skipped bytes show as a gap. Only a NUL right before a lone LF does not. Version 1.0.1
 * refuses NULs. */
#define NUL_ENDS_LINES (MHD_VERSION <= 0x00097500)

static bool has_gap(const char *end, const char *next, size_t most)
{
    return NUL_ENDS_LINES && (uintptr_t)next - (uintptr_t)end > most;
}

static bool refuse_nul(struct adding *a)
{
    a->why = (struct http_refusal){400, "head: must be without NUL bytes"};
    return false;
}

/* The library skips any number of blanks before the target. */
static bool is_request_line_whole(const struct http_connection *c,
                                  const char *method, size_t target_len,
                                  const char *version)
{
    const char *end = method + strlen(method);
    const char *target = c->engine.target;

    if (!NUL_ENDS_LINES)
        return true;
    for (end++; end < target; end++)
        if (*end != ' ')
            return false;
    return end == target && !has_gap(target + target_len, version, 1);
}

/* RFC 9112 §5.2. Version 0.9.75 takes a folded line for a part of the name, and moves
 * the name after everything else to make room (process_broken_line()); so "Transfer-:
 * chunked" could become a field of its own. Version 1.0.1 refuses it. */
static bool is_continued(const char *name, const char *value)
{
    return value != NULL && (uintptr_t)name > (uintptr_t)value;
}

/* 0.9.75 does not trim values: "chunked " is an unknown coding to it, with a body that
 * never ends (parse_connection_headers()). */
static bool is_unread_coding(const struct http_field *f, size_t sent_len)
{
    return f->value.len != sent_len &&
           http_name_is(f->name, "Transfer-Encoding");
}

static enum MHD_Result add_field(void *arg, enum MHD_ValueKind kind,
                                 const char *name, size_t name_len,
                                 const char *value, size_t value_len)
{
    struct adding *a = arg;

    (void)kind;
    if (is_continued(name, value)) {
        a->why = (struct http_refusal){
            400, "header: a line must not continue on the next line"};
        return MHD_NO;
    }
    if (has_gap(a->end, name, 2)) {
        refuse_nul(a);
        return MHD_NO;
    }
    a->end = value == NULL ? name + name_len : value + value_len;
    if (!http_head_add(a->head, slice_of(name, name_len),
                       slice_of(value, value == NULL ? 0 : value_len),
                       &a->why))
        return MHD_NO;
    if (is_unread_coding(&a->head->fields[a->head->field_count - 1],
                         value_len)) {
        a->why = (struct http_refusal){
            400,
            "Transfer-Encoding: must be chunked, without a blank after it"};
        return MHD_NO;
    }
    return MHD_YES;
}

static bool read_head(struct http_request *q, const char *method,
                      const char *version, struct adding *a)
{
    struct http_connection *c = q->connection;
    const uint64_t bytes = head_bytes(c->engine.connection);

    c->engine.bytes_known += bytes;
    if (bytes > HTTP_HEAD_MAX) {
        a->why = (struct http_refusal){431, "header: longer than 16384 bytes"};
        return false;
    }
    if (!http_head_begin(a->head, slice_str(method), q->sent_target,
                         strcmp(version, MHD_HTTP_VERSION_1_0) == 0, &a->why))
        return false;
    if (!is_request_line_whole(c, method, q->sent_target.len, version))
        return refuse_nul(a);
    a->end = version + strlen(version);
    MHD_get_connection_values_n(c->engine.connection, MHD_HEADER_KIND,
                                add_field, a);
    if (a->why.status == 0 && has_gap(a->end, method + bytes, 4))
        return refuse_nul(a);
    return a->why.status == 0 && http_head_end(a->head, &a->why);
}

static enum http_step take_head(struct http_request *q, const char *method,
                                const char *version)
{
    struct http_connection *c = q->connection;
    struct adding a = {.head = &c->thread->parsed};

    if (!read_head(q, method, version, &a))
        return c->engine.events->leave(c, a.why);
    if (!http_request_set_head(q, a.head))
        return STEP_LEAVE;
    c->engine.is_countable = c->engine.is_countable && !q->is_chunked;
    return c->engine.events->head(c, a.head);
}

/* ---- answers ------------------------------------------------------------- */

static ssize_t read_block(void *arg, uint64_t pos, char *out, size_t max)
{
    struct http_request *q = arg;

    (void)pos;
    const ssize_t n = q->read(q->arg, out, max);
    if (n < 0)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    bridge_count(COUNT_HTTP_BODY_SENT, (uint64_t)n);
    return n == 0 ? MHD_CONTENT_READER_END_OF_STREAM : n;
}

static struct MHD_Response *whole_response(struct http_request *q)
{
    size_t len = 0;
    char *data = buffer_take(&q->content, &len);
    struct MHD_Response *r = MHD_create_response_from_buffer(
        len, data, len > 0 ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);

    if (q->method != HTTP_HEAD)
        bridge_count(COUNT_HTTP_BODY_SENT, len);
    if (len == 0 || r == NULL)
        free(data);
    return r;
}

/* The answer to HEAD for a body that is missing or of unknown length. 0.9.75 would
 * send "Content-Length: 0" for the one and the last chunk for the other. To HTTP/1.0
 * clients it states no length, but then it closes the connection. */
static struct MHD_Response *response_without_length(struct http_request *q,
                                                    enum MHD_ResponseFlags *f)
{
#if CAN_LEAVE_LENGTH_OUT
    (void)q;
    *f |= MHD_RF_HEAD_ONLY_RESPONSE;
    return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
#else
    *f |= MHD_RF_HTTP_1_0_COMPATIBLE_STRICT;
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 1, read_block,
                                             q, NULL);
#endif
}

static bool is_without_length(const struct http_request *q)
{
    return q->method == HTTP_HEAD && (!q->has_content || q->read != NULL);
}

static struct MHD_Response *response_of(struct http_request *q,
                                        enum MHD_ResponseFlags *flags)
{
    if (is_without_length(q))
        return response_without_length(q, flags);
    if (q->read != NULL)
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_SIZE,
                                                 read_block, q, NULL);
    return whole_response(q);
}

/* NULL: all were accepted; else the name of a header that was not. */
static const char *add_headers(struct http_request *q, struct MHD_Response *r,
                               bool keeps)
{
    const char *name = keeps ? "Keep-Alive" : "Connection";
    const char *value = keeps ? q->server->keep_alive : "close";
    size_t at = 0;

    if (MHD_add_response_header(r, name, value) != MHD_YES)
        return name;
    if (q->content_type != NULL &&
        MHD_add_response_header(r, "Content-Type", q->content_type) != MHD_YES)
        return "Content-Type";
    while (http_request_next_header(q, &at, &name, &value))
        if (MHD_add_response_header(r, name, value) != MHD_YES)
            return name;
    return NULL;
}

/* NULL: out of memory. */
static struct MHD_Response *try_response(struct http_request *q, bool keeps,
                                         const char **ret_refused)
{
    enum MHD_ResponseFlags flags =
        keeps ? MHD_RF_SEND_KEEP_ALIVE_HEADER : MHD_RF_NONE;
    struct MHD_Response *r = response_of(q, &flags);

    if (r == NULL)
        return NULL;
    MHD_set_response_options(r, flags, MHD_RO_END);
    *ret_refused = add_headers(q, r, keeps);
    return r;
}

/* If the library does not accept a header, the answer becomes a 500 without the
 * handler's headers. */
static struct MHD_Response *make_response(struct http_request *q)
{
    const bool keeps = http_request_keeps(q) &&
                       (CAN_LEAVE_LENGTH_OUT || !is_without_length(q));
    const char *refused = NULL;
    struct MHD_Response *r = try_response(q, keeps, &refused);

    if (r == NULL || refused == NULL)
        return r;
    http_request_fail(q, refused);
    MHD_destroy_response(r);
    return try_response(q, keeps, &refused);
}

/* MHD_NO: out of memory, all that is left is to close. */
static enum MHD_Result send_answer(struct http_request *q)
{
    if (q->status == 0 || !buffer_ok(&q->headers))
        return MHD_NO;
    if (q->unsendable)
        http_request_fail(q, NULL);
    struct MHD_Response *r = make_response(q);
    if (r == NULL)
        return MHD_NO;
    const enum MHD_Result queued =
        MHD_queue_response(q->connection->engine.connection, q->status, r);
    MHD_destroy_response(r);
    return queued;
}

/* ---- callbacks of the library -------------------------------------------- */

static enum MHD_Result do_step(struct http_request *q, enum http_step step)
{
    switch (step) {
    case STEP_ON: return MHD_YES;
    case STEP_ANSWER: return send_answer(q);
    case STEP_LEAVE: break;
    }
    return MHD_NO; /* under MHD_USE_TURBO: closes, without shutting down */
}

/* Called with the head, with each part of the body, and at the end, until there is an
 * answer. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection,
                                  const char *url, const char *method,
                                  const char *version, const char *data,
                                  size_t *size, void **state)
{
    struct http_connection *c = arg;
    struct http_request *q = *state;

    (void)connection, (void)url;
    if (q == NULL || c->outcome != OUTCOME_NONE)
        return MHD_NO;
    if (!q->begun)
        return do_step(q, take_head(q, method, version));
    if (*size > 0) {
        const size_t len = *size;
        *size = 0;
        c->engine.bytes_known += len;
        return do_step(q, c->engine.events->body(c, slice_of(data, len)));
    }
    return do_step(q, c->engine.events->end(c));
}

static void on_completed(void *arg, struct MHD_Connection *connection,
                         void **state, enum MHD_RequestTerminationCode code)
{
    struct http_connection *c = arg;

    (void)connection;
    if (*state != NULL)
        c->engine.events->done(c, code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    *state = NULL;
}

static void on_connection(void *arg, struct MHD_Connection *connection,
                          void **socket_state,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http_connection *c = arg;

    (void)socket_state;
    c->engine.is_closed = code == MHD_CONNECTION_NOTIFY_CLOSED;
    c->engine.connection = c->engine.is_closed ? NULL : connection;
}

/* Some texts contain targets, which contain tokens: so log the format only, and only
 * when debugging. */
static void on_log(void *arg, const char *format, va_list args)
{
    struct http_connection *c = arg;
    const int len = (int)strcspn(format, "%\n(");

    log_debug(AREA, "libmicrohttpd: %.*s", len, format);
    if (strstr(format, "HTTP response code is %u") != NULL) {
        c->engine.events->refused(c, va_arg(args, unsigned));
        return;
    }
    if (strcmp(format, "%s\n") != 0) /* why it closes the connection */
        return;
    if (strstr(va_arg(args, const char *),
               "failed to create response header") != NULL) {
        log_error(AREA, "the headers of an answer did not fit its head, so it "
                        "became a 500");
        c->engine.events->refused(c, 500);
    }
}

/* ---- one daemon ---------------------------------------------------------- */

bool http_engine_is_done(const struct http_connection *c)
{
    return c->engine.is_closed;
}

/* 1: strict "within the limits set by RFCs", as the library recommends for public
 * servers. In 0.9.75 it affects Host and blanks in targets. */
bool http_engine_start(struct http_connection *c)
{
    const socklen_t len = c->peer.ss_family == AF_INET6
                              ? sizeof(struct sockaddr_in6)
                              : sizeof(struct sockaddr_in);
    const int fd = fcntl(c->fd, F_DUPFD_CLOEXEC, 0);

    if (fd < 0)
        return false;
    c->engine.daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_TURBO | MHD_USE_NO_LISTEN_SOCKET |
            MHD_USE_ERROR_LOG | WITHOUT_LOCKS,
        0, NULL, NULL, on_request, c, MHD_OPTION_EXTERNAL_LOGGER, on_log, c,
        MHD_OPTION_CONNECTION_LIMIT, 1U, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        POOL_SIZE, MHD_OPTION_NONCE_NC_SIZE, 0U, MHD_OPTION_STRICT_FOR_CLIENT,
        1, MHD_OPTION_URI_LOG_CALLBACK, on_target, c,
        MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, c,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, c, MHD_OPTION_END);
    if (c->engine.daemon == NULL) {
        close(fd);
        return false;
    }
    c->engine.times_out = c->engine.is_closed = false;
    /* Takes fd, whatever it returns. */
    return MHD_add_connection(c->engine.daemon, fd,
                              (const struct sockaddr *)&c->peer,
                              len) == MHD_YES;
}

static void set_time_out(struct http_connection *c, unsigned seconds)
{
    MHD_set_connection_option(c->engine.connection,
                              MHD_CONNECTION_OPTION_TIMEOUT, seconds);
    c->engine.times_out = seconds != 0;
}

bool http_engine_run(struct http_connection *c)
{
    MHD_UNSIGNED_LONG_LONG timeout;

    if (c->engine.times_out)
        set_time_out(c, 0);
    MHD_run(c->engine.daemon);
    return MHD_get_timeout(c->engine.daemon, &timeout) == MHD_YES &&
           timeout == 0;
}

void http_engine_stop(struct http_connection *c)
{
    if (c->engine.daemon != NULL)
        MHD_stop_daemon(c->engine.daemon);
    c->engine.daemon = NULL;
}

/* ---- stopping an idle daemon --------------------------------------------- */

int64_t http_engine_unread(const struct http_connection *c)
{
    struct tcp_info info;
    socklen_t len = sizeof(info);
    int waiting = 0;

    if (!c->engine.is_countable ||
        getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0 ||
        len < offsetof(struct tcp_info, tcpi_bytes_received) +
                  sizeof(info.tcpi_bytes_received) ||
        ioctl(c->fd, FIONREAD, &waiting) != 0)
        return -1;
    return (int64_t)(info.tcpi_bytes_received - (unsigned)waiting -
                     c->engine.bytes_known);
}

bool http_engine_rest(struct http_connection *c)
{
    if (c->engine.daemon == NULL || http_engine_unread(c) != 0)
        return false;
    if (!c->engine.times_out) {
        set_time_out(c, REST_SECONDS);
        return false;
    }
    MHD_run(c->engine.daemon); /* checks its time-outs before it reads … */
    MHD_run(c->engine.daemon); /* … and closes in the next run */
    if (!http_engine_is_done(c))
        return false;
    http_engine_stop(c);
    return true;
}
