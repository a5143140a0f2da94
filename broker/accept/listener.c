#include "broker/accept/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error_text.h"
#include "base/log.h"
#include "base/net/client_addresses.h"
#include "base/net/connection_budget.h"
#include "broker/accept/handover_listener.h"
#include "broker/accept/welcome.h"
#include "broker/client/shard.h"

#define ACCEPTS_PER_TURN 64
#define PAUSE_S 0.1

/* ---- TCP ---------------------------------------------------------------- */

static bool split_address(const char *listen_on, char *host, size_t size,
                          const char **ret_port)
{
    const char *colon = strrchr(listen_on, ':');

    if (colon == NULL)
        return false;
    size_t len = (size_t)(colon - listen_on);
    if (len >= 2 && listen_on[0] == '[' && listen_on[len - 1] == ']') {
        listen_on++;
        len -= 2;
    }
    if (len == 0 || len >= size)
        return false;
    memcpy(host, listen_on, len);
    host[len] = '\0';
    *ret_port = colon + 1;
    return true;
}

static void set_port(struct sockaddr *sa, uint16_t port)
{
    if (sa->sa_family == AF_INET)
        ((struct sockaddr_in *)sa)->sin_port = htons(port);
    else
        ((struct sockaddr_in6 *)sa)->sin6_port = htons(port);
}

static uint16_t bound_port(int fd)
{
    struct sockaddr_storage at;
    socklen_t len = sizeof(at);

    if (getsockname(fd, (struct sockaddr *)&at, &len) != 0)
        return 0;
    return ntohs(at.ss_family == AF_INET
                     ? ((struct sockaddr_in *)&at)->sin_port
                     : ((struct sockaddr_in6 *)&at)->sin6_port);
}

static int open_address(const struct addrinfo *a)
{
    const int on = 1;
    const int fd =
        socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
    const int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static bool is_repeated(const struct addrinfo *first, const struct addrinfo *a)
{
    for (const struct addrinfo *b = first; b != a; b = b->ai_next)
        if (b->ai_addrlen == a->ai_addrlen &&
            memcmp(b->ai_addr, a->ai_addr, a->ai_addrlen) == 0)
            return true;
    return false;
}

static void close_all(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
}

static bool listen_failed(struct config_error *ret_error, const char *what,
                          const char *value, const char *why)
{
    snprintf(ret_error->text, sizeof(ret_error->text), "%s %.200s: %s", what,
             value, why);
    return false;
}

bool listener_open_tcp(const char *key, const char *listen_on, int *fds,
                       size_t max, size_t *ret_count, uint16_t *ret_port,
                       struct config_error *ret_error)
{
    const struct addrinfo hints = {
        .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
    };
    struct addrinfo *found = NULL;
    char host[256];
    const char *service;
    uint16_t port = 0;
    size_t count = 0;
    int why = 0;

    if (!split_address(listen_on, host, sizeof(host), &service))
        return listen_failed(ret_error, key, listen_on,
                             "address:port expected");
    const int rc = getaddrinfo(host, service, &hints, &found);
    if (rc != 0)
        return listen_failed(ret_error, key, listen_on, gai_strerror(rc));
    for (struct addrinfo *a = found; a != NULL && count < max;
         a = a->ai_next) {
        if ((a->ai_family != AF_INET && a->ai_family != AF_INET6) ||
            is_repeated(found, a))
            continue;
        if (port != 0)
            set_port(a->ai_addr, port);
        const int fd = open_address(a);
        if (fd >= 0) {
            fds[count++] = fd;
            port = bound_port(fd);
        } else {
            why = errno;
            if (why == EADDRINUSE || why == EACCES)
                break; /* one of them is meant: none of them will do */
        }
    }
    freeaddrinfo(found);
    /* A machine without IPv6 still serves "localhost". */
    if (count == 0 || why == EADDRINUSE || why == EACCES) {
        close_all(fds, count);
        return listen_failed(ret_error, key, listen_on, error_text(why));
    }
    *ret_count = count;
    *ret_port = port;
    return true;
}

/* ---- UNIX sockets ------------------------------------------------------- */

static bool local_address(const char *dir, const char *name,
                          struct sockaddr_un *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->sun_family = AF_UNIX;
    const int n =
        snprintf(ret->sun_path, sizeof(ret->sun_path), "%s/%s", dir, name);
    return n > 0 && (size_t)n < sizeof(ret->sun_path);
}

/* Takes a dead server's socket away. Nobody else can be alive on it who writes
 * to this data folder, but the folder might have been mistaken. */
static bool clear_place(const struct sockaddr_un *at, int type,
                        struct config_error *ret_error)
{
    struct stat st;

    if (lstat(at->sun_path, &st) != 0)
        return errno == ENOENT ||
               listen_failed(ret_error, "socket", at->sun_path,
                             error_text(errno));
    if (!S_ISSOCK(st.st_mode))
        return listen_failed(ret_error, "socket", at->sun_path,
                             "exists and is not a socket: remove it");
    const int probe = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    const bool alive =
        probe >= 0 &&
        connect(probe, (const struct sockaddr *)at, sizeof(*at)) == 0;
    if (probe >= 0)
        close(probe);
    if (alive)
        return listen_failed(ret_error, "socket", at->sun_path,
                             "another server listens on it");
    return unlink(at->sun_path) == 0 ||
           listen_failed(ret_error, "socket", at->sun_path, error_text(errno));
}

bool listener_open_local(const char *dir, const char *name, int type,
                         int *ret_fd, struct config_error *ret_error)
{
    struct sockaddr_un at;

    if (!local_address(dir, name, &at))
        return listen_failed(ret_error, "data folder", dir,
                             "its path is too long for a socket in it");
    if (!clear_place(&at, type, ret_error))
        return false;
    const int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 &&
        chmod(at.sun_path, 0660) == 0 && listen(fd, SOMAXCONN) == 0) {
        *ret_fd = fd;
        return true;
    }
    listen_failed(ret_error, "socket", at.sun_path, error_text(errno));
    if (fd >= 0)
        close(fd);
    return false;
}

void listener_remove_local(const char *dir, const char *name)
{
    struct sockaddr_un at;

    if (local_address(dir, name, &at))
        (void)unlink(at.sun_path);
}

/* ---- accepting ---------------------------------------------------------- */

static void listener_accepted(struct worker *w, int fd,
                              const struct sockaddr_storage *at,
                              enum listener_kind kind)
{
    if (kind != LISTEN_HANDOVER)
        welcome_client(w, fd, at, kind);
    else if (welcome_is_our_uid(fd))
        handover_accept(w, fd);
    else
        close(fd);
}

static void listener_on_accept(struct ev_loop *loop, ev_io *io, int events)
{
    struct worker *w = io->data;
    const enum listener_kind kind =
        w->listeners->accepted_as[io - w->listeners->accepting];

    (void)events;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct sockaddr_storage at = {0};
        socklen_t len = sizeof(at);
        const int fd = accept4(io->fd, (struct sockaddr *)&at, &len,
                               SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            listener_accepted(w, fd, &at, kind);
            continue;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return;
        if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS &&
            errno != ENOMEM)
            continue; /* that client has gone again */
        /* The socket stays readable: without a pause this would spin. */
        welcome_complain(w, &w->listeners->out_of_descriptors,
                         "no descriptors or memory for another connection");
        for (unsigned j = 0; j < w->listeners->count; j++)
            ev_io_stop(loop, &w->listeners->accepting[j]);
        ev_timer_set(&w->listeners->pause, PAUSE_S, 0.);
        ev_timer_start(loop, &w->listeners->pause);
        return;
    }
}

static void listener_on_pause_over(struct ev_loop *loop, ev_timer *timer,
                                   int events)
{
    struct worker *w = timer->data;

    (void)events;
    for (unsigned i = 0; i < w->listeners->count; i++)
        ev_io_start(loop, &w->listeners->accepting[i]);
}

/* ---- the listeners of a worker ------------------------------------------ */

void listeners_init(struct worker *w)
{
    struct listeners *l = w->listeners;

    LIST_INIT(&l->handovers);
    ev_init(&l->pause, listener_on_pause_over);
    l->pause.data = w;
}

void listeners_add(struct worker *w, int fd, enum listener_kind kind)
{
    struct listeners *l = w->listeners;
    ev_io *io = &l->accepting[l->count];

    l->accepted_as[l->count++] = kind;
    ev_io_init(io, listener_on_accept, fd, EV_READ);
    io->data = w;
    ev_io_start(w->loop, io);
}

void listeners_stop(struct worker *w)
{
    struct listeners *l = w->listeners;

    for (unsigned i = 0; i < l->count; i++)
        ev_io_stop(w->loop, &l->accepting[i]);
    ev_timer_stop(w->loop, &l->pause);
    handover_forget(w);
}
