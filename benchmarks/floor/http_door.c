/* POST, listen and history from the beginning, for the load generator and nobody else: no decoding, no
 * limits, no second opinion about what a request may look like. */
#include "benchmarks/floor/frame.h"
#include "benchmarks/floor/replay.h"
#include "benchmarks/floor/worker.h"

static size_t content_length(const char *head, size_t len)
{
    static const char name[] = "\r\nContent-Length: ";
    const char *at = memmem(head, len, name, sizeof(name) - 1);
    size_t value = 0;

    if (at == NULL)
        return 0;
    for (at += sizeof(name) - 1; *at >= '0' && *at <= '9'; at++)
        value = value * 10 + (size_t)(*at - '0');
    return value;
}

/* The path between the two spaces of the request line. */
static const char *path_of(const char *head, size_t len, size_t *ret_len)
{
    const char *path = memchr(head, ' ', len);
    const char *end;

    if (path == NULL)
        return NULL;
    path++;
    end = memchr(path, ' ', len - (size_t)(path - head));
    if (end == NULL)
        return NULL;
    *ret_len = (size_t)(end - path);
    return path;
}

static bool take_history(struct floor_conn *c, const char *path, size_t len)
{
    const struct topic *topic = topic_of_path(path, len, "/history?order=asc");
    struct log *log = conn_log(c);

    if (topic == NULL || log == NULL)
        return false;
    replay_start(c->fd, log, topic);
    return true;
}

static bool take_request(struct floor_conn *c, const char *head, size_t len,
                         const char *body, size_t body_len)
{
    size_t path_len;
    const char *path = path_of(head, len, &path_len);
    struct topic *topic;

    if (path == NULL)
        return false;
    if (memcmp(head, "POST ", 5) == 0) {
        topic = topic_of_path(path, path_len, "");
        if (topic != NULL)
            conn_publish(c, topic, true, 0, body, body_len);
    } else {
        topic = topic_of_path(path, path_len, "/listen");
        if (topic == NULL)
            return take_history(c, path, path_len);
        conn_follow(c, topic, FRAMING_SSE);
    }
    return topic != NULL;
}

static ssize_t take(struct floor_conn *c, const char *data, size_t len)
{
    size_t used = 0;

    while (used < len) {
        const char *head = data + used;
        const char *blank = memmem(head, len - used, "\r\n\r\n", 4);

        if (blank == NULL)
            break;
        const size_t head_len = (size_t)(blank + 4 - head);
        const size_t body_len = content_length(head, head_len);

        if (len - used - head_len < body_len)
            break;
        if (!take_request(c, head, head_len, blank + 4, body_len))
            return -1;
        used += head_len + body_len;
    }
    return (ssize_t)used;
}

static void answer(struct floor_conn *c, const struct floor_entry *e)
{
#define LINE(name, value) name ": " value "\r\n"
    static const char head[] = "HTTP/1.1 200 OK\r\n" FRAME_HEADERS(LINE)
        LINE("Content-Type", "application/json") "Content-Length: ";
#undef LINE
    struct bytes receipt = {0};

    frame_put_receipt(&receipt, e->id);
    bytes_put(&c->out, head, sizeof(head) - 1);
    bytes_put_decimal(&c->out, receipt.len);
    bytes_put_str(&c->out, "\r\n\r\n");
    bytes_put(&c->out, receipt.data, receipt.len);
    bytes_release(&receipt);
}

static void welcome(struct floor_conn *c)
{
    bytes_put_str(&c->out, frame_stream_start);
}

const struct floor_door http_door = {take, answer, welcome};
