#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "benchmarks/churn/payload.h"
#include "benchmarks/churn/publisher.h"
#include "benchmarks/churn/report.h"

void publisher_http_send(struct churn_publisher *p, const struct pending *m)
{
    struct bytes *out = &p->socket.out;
    struct bytes body = {0};

    payload_put(&body,
                &(struct churn_payload){p->number, m->number, m->sent_ns});
    bytes_put_str(out, "POST /");
    bytes_put_str(out, world_token(p->world,
                                   p->lane->thing / p->world->room_things));
    bytes_put_str(out, "/chat/");
    world_put_thing(out, p->world, p->lane->thing, "%2F");
    bytes_put_str(out, " HTTP/1.1\r\nHost: ");
    bytes_put_str(out, p->world->http_host);
    if (p->world->keys) {
        bytes_put_str(out, "\r\nIdempotency-Key: ");
        bytes_put_decimal(out, p->number);
        bytes_put_str(out, "-");
        bytes_put_decimal(out, m->number);
    }
    bytes_put_str(out, "\r\nContent-Length: ");
    bytes_put_decimal(out, body.len);
    bytes_put_str(out, "\r\n\r\n");
    bytes_put(out, body.data, body.len);
    bytes_release(&body);
}

/* The value of a header, to the end of its line; NULL: there is none. */
static const char *header(const char *head, size_t len, const char *name)
{
    const char *end = head + len;
    const char *line = head;

    while ((line = memchr(line, '\n', (size_t)(end - line))) != NULL) {
        line++;
        if ((size_t)(end - line) > strlen(name) &&
            strncasecmp(line, name, strlen(name)) == 0)
            return line + strlen(name);
    }
    return NULL;
}

static size_t on_data(struct socket *s, const char *data, size_t len,
                      int64_t now_ns)
{
    struct churn_publisher *p = (struct churn_publisher *)s;
    const char *blank = memmem(data, len, "\r\n\r\n", 4);

    (void)now_ns;
    if (blank == NULL)
        return 0;
    const size_t head_len = (size_t)(blank + 4 - data);
    const char *length = header(data, head_len, "Content-Length: ");
    const size_t body_len =
        length != NULL ? (size_t)strtoul(length, NULL, 10) : 0;

    if (len - head_len < body_len)
        return 0;
    if (length == NULL || memcmp(data, "HTTP/1.1 200", 12) != 0) {
        char what[160];

        snprintf(what, sizeof(what), "POST refused: %.*s",
                 (int)(len < 120 ? len : 120), data);
        publisher_fail(p, what);
    } else if (p->pending_count != 1) {
        publisher_fail(p, "an answer to nothing");
    } else {
        lane_acknowledge(p->lane);
        report.acknowledged++;
        report.posts++;
        publisher_forget_oldest(p);
    }
    return head_len + body_len;
}

static void on_open(struct socket *s)
{
    struct churn_publisher *p = (struct churn_publisher *)s;

    publisher_arrived(p);
    if (p->pending_count > 0) /* with the key it had */
        publisher_http_send(p, &p->pending[0]);
}

void publisher_http_open(struct churn_publisher *p)
{
    static const struct socket_events events = {on_open, on_data,
                                                publisher_lost};

    socket_open(&p->socket, &p->world->poll, &p->world->http, &events, 0);
}
