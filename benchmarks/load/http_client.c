#include "benchmarks/load/http_client.h"

#include <stdlib.h>
#include <strings.h>

#include "benchmarks/measure/fatal.h"

const char *http_header(const char *head, size_t len, const char *name)
{
    const size_t name_len = strlen(name);
    const char *end = head + len;
    const char *line = head;

    while ((line = memchr(line, '\n', (size_t)(end - line))) != NULL) {
        line++;
        if ((size_t)(end - line) < name_len)
            break;
        if (strncasecmp(line, name, name_len) == 0)
            return line + name_len;
    }
    return NULL;
}

/* Digits up to the CR that ends the header; anything else is a bad answer. */
static size_t content_length(const char *head, size_t len)
{
    const char *value = http_header(head, len, "Content-Length: ");
    size_t result = 0;

    if (value == NULL)
        fatal("HTTP client: an answer without Content-Length: %.*s", (int)len,
              head);
    for (; *value >= '0' && *value <= '9' && result < 1U << 30; value++)
        result = result * 10 + (size_t)(*value - '0');
    if (*value != '\r')
        fatal("HTTP client: a bad Content-Length: %.*s", (int)len, head);
    return result;
}

static bool keeps_alive(const char *head, size_t len)
{
    const char *value = http_header(head, len, "Connection: ");

    return value == NULL || strncasecmp(value, "close", 5) != 0;
}

static size_t on_data(struct conn *c, const char *data, size_t len,
                      int64_t now_ns)
{
    struct http_client *h = (struct http_client *)c;
    const char *blank = memmem(data, len, "\r\n\r\n", 4);

    if (blank == NULL)
        return 0;
    const size_t head_len = (size_t)(blank + 4 - data);

    if (head_len < 16 || memcmp(data, "HTTP/1.1 ", 9) != 0)
        fatal("HTTP client: not an HTTP/1.1 answer: %.*s", (int)head_len,
              data);
    const size_t body_len = content_length(data, head_len);

    if (len - head_len < body_len)
        return 0;
    if (!h->busy)
        fatal("HTTP client: an answer to nothing: %.*s", (int)head_len, data);
    if (!keeps_alive(data, head_len))
        fatal("HTTP client: the server ends the connection: %.*s", (int)len,
              data);
    h->busy = false;
    h->answered(h, &(struct http_answer){
                       .status = (unsigned)strtoul(data + 9, NULL, 10),
                       .body = data + head_len,
                       .len = body_len,
                       .now_ns = now_ns,
                   });
    return head_len + body_len;
}

static void on_open(struct conn *c)
{
    ((struct http_client *)c)->connected = true;
}

void http_client_open(struct http_client *h, struct loop *l,
                      const struct sockaddr_in *to)
{
    static const struct conn_events events = {"HTTP client", on_open, on_data};

    conn_open(&h->conn, l, to, &events);
}

void http_put_head(struct bytes *to, const char *method, const char *path,
                   const char *host, size_t body_len)
{
    bytes_put_str(to, method);
    bytes_put_str(to, " ");
    bytes_put_str(to, path);
    bytes_put_str(to, " HTTP/1.1\r\nHost: ");
    bytes_put_str(to, host);
    if (strcmp(method, "GET") != 0) {
        bytes_put_str(to, "\r\nContent-Type: application/json"
                          "\r\nContent-Length: ");
        bytes_put_decimal(to, body_len);
    }
    bytes_put_str(to, "\r\n\r\n");
}

void http_request(struct http_client *h, const struct bytes *head,
                  const char *body, size_t len)
{
    h->busy = true;
    bytes_put(&h->conn.out, head->data, head->len);
    bytes_put(&h->conn.out, body, len);
    conn_send(&h->conn);
}
