#include "test/unit/bridge/scripted_server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/thread.h"

#define CONNECTIONS_MAX 4096

struct scripted_connection {
    struct scripted_server *server;
    pthread_t thread;
    int fd;
    unsigned number;
};

struct scripted_server {
    bool (*answer)(struct scripted_request *r, void *arg);
    void *arg;
    int fd;
    uint16_t port;
    pthread_t thread;
    atomic_uint count, requests;
    struct scripted_connection connections[CONNECTIONS_MAX];
};

/* ---- requests ------------------------------------------------------------ */

/* Reads until `in` has `len` bytes, or the end of a head when `len` is 0: its length;
 * 0: the connection ended. */
static size_t read_up_to(int fd, struct buffer *in, size_t len)
{
    char piece[16384];

    for (;;) {
        if (len > 0 && in->len >= len)
            return len;
        const char *end = len == 0 && in->len > 0
                              ? memmem(in->data, in->len, "\r\n\r\n", 4)
                              : NULL;
        if (end != NULL)
            return (size_t)(end - in->data) + 4;
        const ssize_t n = recv(fd, piece, sizeof(piece), 0);
        if (n <= 0)
            return 0;
        buffer_put(in, piece, (size_t)n);
    }
}

const char *request_header(const struct scripted_request *r, const char *name)
{
    static _Thread_local char value[1024];
    const size_t len = strlen(name);

    for (const char *line = strchr(r->head, '\n'); line != NULL;
         line = strchr(line, '\n')) {
        line++;
        if (strncasecmp(line, name, len) != 0 || line[len] != ':')
            continue;
        const char *from = line + len + 1 + strspn(line + len + 1, " ");
        snprintf(value, sizeof(value), "%.*s", (int)strcspn(from, "\r"), from);
        return value;
    }
    return NULL;
}

/* Whatever bytes it has, and a NUL. */
static char *copy_text(const char *data, size_t len)
{
    char *copy = malloc(len + 1);

    assert_non_null(copy);
    memcpy(copy, data, len);
    copy[len] = '\0';
    return copy;
}

static bool read_request(struct scripted_request *r, struct buffer *in)
{
    const size_t head_len = read_up_to(r->fd, in, 0);

    if (head_len == 0)
        return false;
    r->head = copy_text(in->data, head_len);
    sscanf(r->head, "%15s %255s", r->method, r->target);
    const char *length = request_header(r, "content-length");
    r->body_len = length == NULL ? 0 : strtoul(length, NULL, 10);
    if (r->body_len > 0 && read_up_to(r->fd, in, head_len + r->body_len) == 0)
        return false;
    r->body = copy_text(in->data + head_len, r->body_len);
    const size_t used = head_len + r->body_len;
    memmove(in->data, in->data + used, in->len - used);
    in->len -= used;
    return true;
}

static void *serve(void *arg)
{
    struct scripted_connection *c = arg;
    struct buffer in = BUFFER_INIT;
    bool stays = true;

    while (stays) {
        struct scripted_request r = {.server = c->server,
                                     .fd = c->fd,
                                     .connection = c->number};
        stays = read_request(&r, &in);
        if (stays) {
            atomic_fetch_add(&c->server->requests, 1);
            stays = c->server->answer(&r, c->server->arg);
        }
        free(r.head);
        free(r.body);
    }
    buffer_release(&in);
    shutdown(c->fd, SHUT_RDWR); /* closed once the thread is joined */
    return NULL;
}

/* ---- answers ------------------------------------------------------------- */

bool send_bytes(struct scripted_request *r, const void *data, size_t len)
{
    const char *p = data;

    while (len > 0) {
        const ssize_t n = send(r->fd, p, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

bool send_text(struct scripted_request *r, const char *text)
{
    return send_bytes(r, text, strlen(text));
}

bool wait_hang_up(struct scripted_request *r, int ms)
{
    struct pollfd p = {.fd = r->fd, .events = POLLIN | POLLRDHUP};
    char c;

    return poll(&p, 1, ms) > 0 && recv(r->fd, &c, 1, MSG_PEEK) <= 0;
}

/* ---- the server ---------------------------------------------------------- */

static void *accept_all(void *arg)
{
    struct scripted_server *s = arg;
    const int yes = 1;
    int fd;

    while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
        const unsigned i = atomic_load(&s->count);
        assert_true(i < CONNECTIONS_MAX);
        struct scripted_connection *c = &s->connections[i];
        *c = (struct scripted_connection){.server = s,
                                          .fd = fd,
                                          .number = i + 1};
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
        assert_true(thread_start(&c->thread, "scripted", serve, c));
        atomic_store(&s->count, i + 1);
    }
    return NULL;
}

struct scripted_server *scripted_server_start(
    bool (*answer)(struct scripted_request *r, void *arg), void *arg)
{
    struct scripted_server *s = calloc(1, sizeof(*s));
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);

    assert_non_null(s);
    s->answer = answer;
    s->arg = arg;
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(s->fd, 128), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&a, &len), 0);
    s->port = ntohs(a.sin_port);
    assert_true(thread_start(&s->thread, "accepting", accept_all, s));
    return s;
}

void scripted_server_stop(struct scripted_server *s)
{
    shutdown(s->fd, SHUT_RDWR); /* accept() fails */
    pthread_join(s->thread, NULL);
    close(s->fd);
    for (unsigned i = 0; i < atomic_load(&s->count); i++)
        shutdown(s->connections[i].fd, SHUT_RDWR);
    for (unsigned i = 0; i < atomic_load(&s->count); i++) {
        pthread_join(s->connections[i].thread, NULL);
        close(s->connections[i].fd);
    }
    free(s);
}

uint16_t scripted_server_port(const struct scripted_server *s)
{
    return s->port;
}

unsigned scripted_server_connections(struct scripted_server *s)
{
    return atomic_load(&s->count);
}

unsigned scripted_server_requests(struct scripted_server *s)
{
    return atomic_load(&s->requests);
}
