/* A request and its answer, as handlers see them (http.h). */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_write.h"
#include "base/log.h"
#include "bridge/http/forwarded.h"
#include "bridge/http/http_private.h"
#include "bridge/http/url.h"

#define AREA "http"

/* The joined value of several header lines. */
struct joined {
    struct joined *next;
    size_t len;
    char text[];
};

/* ---- reading the head ---------------------------------------------------- */

/* In the order of the bits in enum http_method. */
static const char *const method_names[] = {"GET",   "HEAD",   "POST",   "PUT",
                                           "PATCH", "DELETE", "OPTIONS"};
#define METHOD_COUNT (sizeof(method_names) / sizeof(method_names[0]))

const char *http_method_name(enum http_method method)
{
    for (size_t i = 0; i < METHOD_COUNT; i++)
        if ((unsigned)method == 1U << i)
            return method_names[i];
    return NULL;
}

static enum http_method method_of(struct slice name)
{
    for (size_t i = 0; i < METHOD_COUNT; i++)
        if (slice_eq(slice_str(method_names[i]), name))
            return (enum http_method)(1U << i);
    return HTTP_OTHER;
}

static void set_target(struct http_request *q, struct slice target)
{
    const char *p = target.data;
    const char *mark = target.len == 0 ? NULL : memchr(p, '?', target.len);
    const size_t len = mark == NULL ? target.len : (size_t)(mark - p);

    q->path = len == 0 ? slice_str("/") : slice_of(p, len);
    if (mark != NULL)
        q->query = slice_of(mark + 1, target.len - len - 1);
}

/* The decoded segments take no more bytes than the path: each slash becomes the NUL
 * after a segment. No segment has a NUL inside. */
static bool decode_segments(struct http_request *q)
{
    struct slice path = q->path, segment;
    char *out = q->decoded;

    url_next_segment(&path,
                     &segment); /* the empty one before the first slash */
    while (url_next_segment(&path, &segment)) {
        size_t len;
        if (!url_decode(segment, false, out, &len))
            return false;
        out += len;
        *out++ = '\0';
    }
    q->segments = slice_of(q->decoded, (size_t)(out - q->decoded));
    return true;
}

/* Which fields of those that this server reads are lists: several lines of a list are
 * joined (RFC 9110 §5.3). Of the others http_head.c allows one line, or their readers
 * count lines. */
static bool is_list(struct slice name)
{
#define NAME(text)                                                            \
    {                                                                         \
        text, sizeof(text) - 1                                                \
    }
    static const struct slice lists[] = {
        NAME("Accept"),
        NAME("Accept-Encoding"),
        NAME("Connection"),
        NAME("Forwarded"),
        NAME("If-Match"),
        NAME("If-None-Match"),
        NAME("Upgrade"),
        NAME("Via"),
        NAME("Sec-WebSocket-Protocol"),
        NAME("Sec-WebSocket-Extensions"),
        NAME("Access-Control-Request-Headers"),
        NAME("X-Forwarded-For"),
        NAME("Content-Encoding"),
        NAME("Cache-Control"),
    };
#undef NAME

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        if (name.len == lists[i].len &&
            strncasecmp(name.data, lists[i].data, name.len) == 0)
            return true;
    return false;
}

static bool stood_before(const struct http_request *q, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (http_name_is(q->fields[i].name, q->fields[at].name.data))
            return true;
    return false;
}

/* false: memory ran out. *ret: NULL if no other line has this name. */
static bool join_lines(const struct http_request *q, size_t first,
                       struct joined **ret)
{
    const struct slice name = q->fields[first].name;
    size_t lines = 0, bytes = 0;

    for (size_t i = first; i < q->field_count; i++) {
        if (!http_name_is(q->fields[i].name, name.data))
            continue;
        lines++;
        bytes += q->fields[i].value.len + 2;
    }
    *ret = NULL;
    if (lines < 2)
        return true;
    struct joined *j = malloc(sizeof(*j) + bytes);
    if (j == NULL)
        return false;
    j->len = 0;
    for (size_t i = first; i < q->field_count; i++) {
        const struct slice value = q->fields[i].value;
        if (!http_name_is(q->fields[i].name, name.data))
            continue;
        if (j->len > 0) {
            memcpy(j->text + j->len, ", ", 2);
            j->len += 2;
        }
        memcpy(j->text + j->len, value.data, value.len);
        j->len += value.len;
    }
    *ret = j;
    return true;
}

/* The first line of a list gets the values of all its lines. false: memory ran out; one
 * line alone could say that a client is another one (X-Forwarded-For). */
static bool join_lists(struct http_request *q)
{
    struct joined *j;

    for (size_t i = 0; i < q->field_count; i++) {
        if (!is_list(q->fields[i].name) || stood_before(q, i))
            continue;
        if (!join_lines(q, i, &j))
            return false;
        if (j == NULL)
            continue;
        j->next = q->joined;
        q->joined = j;
        q->fields[i].value = slice_of(j->text, j->len);
    }
    return true;
}

struct http_request *http_request_new(struct http_connection *c,
                                      const char *target)
{
    const size_t len = strlen(target);
    struct http_request *q = malloc(sizeof(*q) + 2 * len + 1);

    if (q == NULL)
        return NULL;
    memset(q, 0, sizeof(*q));
    char *copy = (char *)(q + 1);
    memcpy(copy, target, len);
    q->sent_target = slice_of(copy, len);
    q->decoded = copy + len;
    q->server = c->thread->server;
    q->connection = c;
    atomic_fetch_add(&q->server->pending, 1);
    return q;
}

/* The peer, or whom a trusted one names. */
static void find_client(struct http_request *q)
{
    const struct http_connection *c = q->connection;
    struct slice forwarded = {0}, x_forwarded_for = {0};

    q->client = address_mapped((const struct sockaddr *)&c->peer);
    if (!c->is_proxy)
        return;
    (void)http_header(q, "Forwarded", &forwarded);
    (void)http_header(q, "X-Forwarded-For", &x_forwarded_for);
    q->is_forwarded =
        forwarded_client(forwarded, x_forwarded_for,
                         &c->thread->server->trusted, &q->client);
}

bool http_request_set_head(struct http_request *q,
                           const struct http_head *head)
{
    const size_t bytes = head->field_count * sizeof(head->fields[0]);

    q->fields = malloc(bytes + 1);
    if (q->fields == NULL)
        return false;
    memcpy(q->fields, head->fields, bytes);
    q->field_count = head->field_count;
    q->method = method_of(head->method);
    q->is_1_0 = head->is_1_0;
    q->keeps_alive = http_head_keeps_alive(head);
    q->is_chunked = head->is_chunked;
    if (!join_lists(q))
        return false;
    find_client(q);
    set_target(q, head->target);
    q->segments_bad = !decode_segments(q);
    return true;
}

bool http_request_keeps(const struct http_request *q)
{
    return q->keeps_alive && !q->close_after &&
           q->connection->refusal == NULL && (q->read == NULL || !q->is_1_0) &&
           !atomic_load_explicit(&q->server->quiesced, memory_order_relaxed);
}

static void drop_answer(struct http_request *q)
{
    if (q->release != NULL)
        q->release(q->arg);
    q->read = NULL;
    q->release = NULL;
    q->arg = NULL;
    buffer_release(&q->content);
    q->has_content = false;
}

void http_request_free(struct http_request *q)
{
    const struct http_handler *h = &q->connection->listener->handler;

    if (q->begun && h->end != NULL)
        h->end(h->arg, q);
    drop_answer(q);
    while (q->joined != NULL) {
        struct joined *next = q->joined->next;
        free(q->joined);
        q->joined = next;
    }
    free(q->fields);
    buffer_release(&q->headers);
    buffer_release(&q->body);
    atomic_fetch_sub(&q->server->pending, 1);
    free(q);
}

/* ---- reading the request ------------------------------------------------- */

enum http_method http_method(const struct http_request *q)
{
    return q->method;
}

struct slice http_path(const struct http_request *q)
{
    return q->path;
}

struct slice http_query(const struct http_request *q)
{
    return q->query;
}

bool http_segments(const struct http_request *q, struct slice *ret_segments)
{
    *ret_segments = q->segments;
    return !q->segments_bad;
}

bool http_next_segment(struct slice *segments, struct slice *ret_segment)
{
    const char *p = segments->data;

    if (segments->len == 0)
        return false;
    const size_t len = strlen(p);
    *ret_segment = slice_of(p, len);
    *segments = slice_of(p + len + 1, segments->len - len - 1);
    return true;
}

bool http_header(const struct http_request *q, const char *name,
                 struct slice *ret_value)
{
    for (size_t i = 0; i < q->field_count; i++) {
        if (!http_name_is(q->fields[i].name, name))
            continue;
        *ret_value = q->fields[i].value;
        return true;
    }
    return false;
}

size_t http_header_lines(const struct http_request *q, const char *name)
{
    size_t lines = 0;

    for (size_t i = 0; i < q->field_count; i++)
        lines += http_name_is(q->fields[i].name, name);
    return lines;
}

bool http_has_header(const struct http_request *q,
                     bool (*matches)(const char *name))
{
    for (size_t i = 0; i < q->field_count; i++)
        if (matches(q->fields[i].name.data))
            return true;
    return false;
}

bool http_takes_chunks(const struct http_request *q)
{
    return !q->is_1_0;
}

bool http_body(const struct http_request *q, struct slice *ret_body)
{
    *ret_body = buffer_slice(&q->body);
    return !q->too_long;
}

struct slice http_client(const struct http_request *q)
{
    return slice_of(&q->client, sizeof(q->client));
}

void http_client_address(const struct http_request *q,
                         struct sockaddr_storage *ret)
{
    if (q->is_forwarded)
        address_to_sockaddr(&q->client, 0, ret);
    else
        *ret = q->connection->peer;
}

bool http_is_relayed(const struct http_request *q)
{
    return q->connection->is_relayed;
}

unsigned http_status(const struct http_request *q)
{
    return q->status;
}

void **http_state(struct http_request *q)
{
    return &q->state;
}

/* ---- the answer ---------------------------------------------------------- */

void http_add_header(struct http_request *q, const char *name,
                     const char *value)
{
    if (strpbrk(value, "\r\n") != NULL)
        q->unsendable = true;
    buffer_put(&q->headers, name, strlen(name) + 1);
    buffer_put(&q->headers, value, strlen(value) + 1);
}

bool http_request_next_header(const struct http_request *q, size_t *at,
                              const char **ret_name, const char **ret_value)
{
    if (*at >= q->headers.len)
        return false;
    *ret_name = q->headers.data + *at;
    *at += strlen(*ret_name) + 1;
    *ret_value = q->headers.data + *at;
    *at += strlen(*ret_value) + 1;
    return true;
}

void http_add_header_u64(struct http_request *q, const char *name, uint64_t v)
{
    buffer_put(&q->headers, name, strlen(name) + 1);
    buffer_put_u64(&q->headers, v);
    buffer_put_char(&q->headers, '\0');
}

void http_close_after(struct http_request *q)
{
    q->close_after = true;
}

void http_respond(struct http_request *q, unsigned status,
                  const char *content_type, struct buffer *body)
{
    drop_answer(q);
    q->status = status;
    q->content_type = content_type;
    if (body == NULL)
        return;
    if (!buffer_ok(body)) {
        buffer_release(body);
        q->status = 500;
        q->content_type = NULL;
        return;
    }
    q->has_content = true;
    q->content = *body;
    *body = BUFFER_INIT;
}

void http_respond_stream(struct http_request *q, unsigned status,
                         const char *content_type,
                         ssize_t (*read)(void *arg, char *out, size_t max),
                         void (*release)(void *arg), void *arg)
{
    drop_answer(q);
    q->status = status;
    q->content_type = content_type;
    q->has_content = true;
    q->read = read;
    q->release = release;
    q->arg = arg;
}

/* The name of the first header whose value has a line break. */
static const char *unsendable_header(const struct http_request *q)
{
    const char *name, *value;
    size_t at = 0;

    while (http_request_next_header(q, &at, &name, &value))
        if (strpbrk(value, "\r\n") != NULL)
            return name;
    return "";
}

void http_request_fail(struct http_request *q, const char *header)
{
    const char *const *common =
        q->connection->listener->handler.common_headers;
    struct buffer body = BUFFER_INIT;
    struct json_writer w = json_writer_of(&body);

    if (header == NULL)
        header = unsendable_header(q);
    log_error(AREA,
              "the answer %u to a request had the header %s, which cannot be "
              "sent, so it became a 500",
              q->status, header);
    q->unsendable = false;
    buffer_clear(&q->headers);
    for (size_t i = 0; common != NULL && common[i] != NULL; i += 2)
        http_add_header(q, common[i], common[i + 1]);
    json_object(&w);
    json_member_text(&w, "error", HTTP_UNSENDABLE);
    json_object_end(&w);
    buffer_put_char(&body, '\n');
    http_respond(q, 500, "application/json", &body);
}

void http_suspend(struct http_request *q)
{
    (void)q; /* nothing to do: its thread waits for http_resume() anyway */
}

void http_resume(struct http_request *q)
{
    http_post_resumed(q);
}

void http_handle_again(struct http_request *q)
{
    q->again = true;
    http_post_resumed(q);
}
