#include "bridge/doors/metrics/metrics_server.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/metrics.h"
#include "base/net/connection_budget.h"
#include "bridge/http/http.h"

#define CONNECTIONS_MAX 64 /* a few scrapers, and people who try it by hand */
#define THREADS 1

struct metrics_server {
    struct http_server *http;
    struct connection_budget budget;
    struct metrics *parts[METRICS_PARTS_MAX];
    size_t count;
};

static enum http_next answer_text(struct http_request *q, unsigned status,
                                  const char *text)
{
    struct buffer body = BUFFER_INIT;

    buffer_put_str(&body, text);
    http_respond(q, status, "text/plain; charset=utf-8", &body);
    return HTTP_ANSWERED;
}

static size_t keep_no_body(void *arg, struct http_request *q)
{
    (void)arg;
    (void)q;
    return 0;
}

static enum http_next answer_metrics(void *arg, struct http_request *q)
{
    const struct metrics_server *s = arg;
    const enum http_method method = http_method(q);
    struct buffer page = BUFFER_INIT;

    if (!slice_eq(http_path(q), slice_str("/metrics")))
        return answer_text(q, 404, "this port serves /metrics only\n");
    if (method != HTTP_GET && method != HTTP_HEAD) {
        http_add_header(q, "Allow", "GET, HEAD");
        return answer_text(q, 405, "method not allowed: use GET\n");
    }
    for (size_t i = 0; i < s->count; i++)
        metrics_put_text(s->parts[i], &page);
    http_add_header(q, "Cache-Control", "no-store");
    http_respond(q, 200, METRICS_TEXT_TYPE, &page);
    return HTTP_ANSWERED;
}

bool metrics_server_start(const char *key, const char *listen,
                          const struct config *config,
                          struct metrics *const *parts, size_t count,
                          struct metrics_server **ret_server,
                          struct config_error *ret_error)
{
    struct metrics_server *s = calloc(1, sizeof(*s));
    const struct http_handler handler = {
        .arg = s,
        .begin = keep_no_body,
        .handle = answer_metrics,
    };

    assert(count <= METRICS_PARTS_MAX);
    if (s == NULL) {
        snprintf(ret_error->text, sizeof(ret_error->text),
                 "metrics: out of memory");
        return false;
    }
    connection_budget_init(&s->budget, CONNECTIONS_MAX);
    for (size_t i = 0; i < count; i++)
        if (parts[i] != NULL)
            s->parts[s->count++] = parts[i];
    s->http = http_bind(key, listen, THREADS, ret_error);
    if (s->http == NULL ||
        !http_start(s->http, config, &handler, &s->budget, ret_error)) {
        metrics_server_stop(s);
        return false;
    }
    *ret_server = s;
    return true;
}

uint16_t metrics_server_port(const struct metrics_server *s)
{
    return http_port(s->http);
}

void metrics_server_stop(struct metrics_server *s)
{
    if (s == NULL)
        return;
    http_stop(s->http);
    connection_budget_release(&s->budget);
    free(s);
}
