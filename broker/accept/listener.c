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
#include "broker/client/connection.h"
#include "broker/worker.h"

#define ACCEPTS_PER_TURN 64
#define PAUSE_S 0.1

/* ---- TCP ---------------------------------------------------------------- */

static bool split(const char *listen_on, char *host, size_t size,
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

static bool fail(struct config_error *ret_error, const char *what,
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

    if (!split(listen_on, host, sizeof(host), &service))
        return fail(ret_error, key, listen_on, "address:port expected");
    const int rc = getaddrinfo(host, service, &hints, &found);
    if (rc != 0)
        return fail(ret_error, key, listen_on, gai_strerror(rc));
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
        return fail(ret_error, key, listen_on, error_text(why));
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
               fail(ret_error, "socket", at->sun_path, error_text(errno));
    if (!S_ISSOCK(st.st_mode))
        return fail(ret_error, "socket", at->sun_path,
                    "exists and is not a socket: remove it");
    const int probe = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    const bool alive =
        probe >= 0 &&
        connect(probe, (const struct sockaddr *)at, sizeof(*at)) == 0;
    if (probe >= 0)
        close(probe);
    if (alive)
        return fail(ret_error, "socket", at->sun_path,
                    "another server listens on it");
    return unlink(at->sun_path) == 0 ||
           fail(ret_error, "socket", at->sun_path, error_text(errno));
}

bool listener_open_local(const char *dir, const char *name, int type,
                         int *ret_fd, struct config_error *ret_error)
{
    struct sockaddr_un at;

    if (!local_address(dir, name, &at))
        return fail(ret_error, "data folder", dir,
                    "its path is too long for a socket in it");
    if (!clear_place(&at, type, ret_error))
        return false;
    const int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 &&
        chmod(at.sun_path, 0660) == 0 && listen(fd, SOMAXCONN) == 0) {
        *ret_fd = fd;
        return true;
    }
    fail(ret_error, "socket", at.sun_path, error_text(errno));
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

static bool is_our_uid(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
           (peer.uid == geteuid() || peer.uid == 0);
}

static void name_peer(const struct sockaddr_storage *at, char *ret,
                      size_t size)
{
    char host[INET6_ADDRSTRLEN] = "?";

    if (at->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)at;
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
        snprintf(ret, size, "%s:%u", host, ntohs(in->sin_port));
    } else if (at->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)at;
        inet_ntop(AF_INET6, &in->sin6_addr, host, sizeof(host));
        snprintf(ret, size, "[%s]:%u", host, ntohs(in->sin6_port));
    } else {
        snprintf(ret, size, "local");
    }
}

/* At most one line a second, however many are turned away. */
static void complain(struct worker *w, struct complaint *c, const char *what)
{
    uint64_t times;

    if (complaint_due(c, w->mono_us, &times))
        log_warn("broker", "%s (%llu times)", what, (unsigned long long)times);
}

/* A client that vanished without a word and has no keep-alive is noticed by
 * TCP's: after 2 minutes of silence, and 4 probes. */
static void set_tcp_options(int fd)
{
    const int on = 1, idle_s = 120, interval_s = 30, probes = 4;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s,
                     sizeof(interval_s));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
}

static bool start_transport(struct worker *w, struct connection *c,
                            enum listener_kind kind)
{
    if (kind == LISTEN_WEBSOCKET)
        return transport_start_websocket(&c->transport);
    if (kind != LISTEN_TLS)
        return true;
    struct tls_context *context = tls_current_get(&w->hub->tls);
    const bool started = transport_start_tls(&c->transport, context);
    tls_context_unref(context);
    return started;
}

/* NULL: out of memory. */
static struct connection *make_connection(struct worker *w, int fd,
                                          const struct sockaddr_storage *at,
                                          enum listener_kind kind)
{
    const bool local = kind == LISTEN_LOCAL;
    char peer[56];

    if (!local)
        set_tcp_options(fd);
    name_peer(at, peer, sizeof(peer));
    struct connection *c = connection_new(fd, local && is_our_uid(fd), peer);
    if (c == NULL) {
        close(fd);
        return NULL;
    }
    c->address = held_address_of(at);
    if (!start_transport(w, c, kind)) {
        connection_free(c);
        return NULL;
    }
    return c;
}

/* One more of that address that has not said who it is, and a place for it. */
static bool let_in(struct worker *w, const struct client_address *a)
{
    struct hub *hub = w->hub;

    if (!client_addresses_take(
            hub->strangers, a,
            client_address_most(a, hub->config->limits_connections_per_address,
                                hub->budget->limit))) {
        counter_add(&w->counters.address_limit, 1);
        complain(w, &w->over_address,
                 "limits.connections_per_address reached: connection "
                 "refused");
        return false;
    }
    if (connection_budget_take(hub->budget))
        return true;
    client_addresses_give(hub->strangers, a);
    counter_add(&w->counters.connection_limit, 1);
    complain(w, &w->over_limit,
             "limits.connections reached: connection refused");
    return false;
}

static void let_go(struct hub *hub, const struct client_address *a)
{
    client_addresses_give(hub->strangers, a);
    connection_budget_give(hub->budget);
}

void listener_welcome(struct worker *w, int fd,
                      const struct sockaddr_storage *at,
                      enum listener_kind kind)
{
    struct hub *hub = w->hub;

    /* Administrators and the link are never shut out by clients. */
    const bool is_counted = kind != LISTEN_LOCAL;
    const struct client_address address =
        client_address_of((const struct sockaddr *)at);
    if (is_counted && !let_in(w, &address)) {
        close(fd);
        return;
    }
    struct connection *c = make_connection(w, fd, at, kind);
    if (c == NULL) {
        if (is_counted)
            let_go(hub, &address);
        return;
    }
    c->client_address = address;
    c->has_place = c->has_address = is_counted;
    c->is_unidentified = true;
    atomic_fetch_add(&hub->unidentified, 1);
    atomic_fetch_add(&hub->connections, 1);
    counter_add(&w->counters.accepted, 1);
    connection_attach(c, w);
}

void listener_identified(struct hub *hub, struct connection *c)
{
    if (c->has_address)
        client_addresses_give(hub->strangers, &c->client_address);
    c->has_address = false;
    if (c->is_unidentified)
        atomic_fetch_sub(&hub->unidentified, 1);
    c->is_unidentified = false;
}

void listener_goodbye(struct hub *hub, struct connection *c)
{
    listener_identified(hub, c);
    atomic_fetch_sub(&hub->connections, 1);
    if (c->has_place)
        connection_budget_give(hub->budget);
}

static void accepted(struct worker *w, int fd,
                     const struct sockaddr_storage *at,
                     enum listener_kind kind)
{
    if (kind != LISTEN_HANDOVER)
        listener_welcome(w, fd, at, kind);
    else if (is_our_uid(fd))
        handover_accept(w, fd);
    else
        close(fd);
}

void listener_on_accept(struct ev_loop *loop, ev_io *io, int events)
{
    struct worker *w = io->data;
    const enum listener_kind kind = w->accepted_as[io - w->accepting];

    (void)events;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct sockaddr_storage at = {0};
        socklen_t len = sizeof(at);
        const int fd = accept4(io->fd, (struct sockaddr *)&at, &len,
                               SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            accepted(w, fd, &at, kind);
            continue;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return;
        if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS &&
            errno != ENOMEM)
            continue; /* that client has gone again */
        /* The socket stays readable: without a pause this would spin. */
        complain(w, &w->out_of_descriptors,
                 "no descriptors or memory for another connection");
        for (unsigned j = 0; j < w->listener_count; j++)
            ev_io_stop(loop, &w->accepting[j]);
        ev_timer_set(&w->accept_pause, PAUSE_S, 0.);
        ev_timer_start(loop, &w->accept_pause);
        return;
    }
}

void listener_on_pause_over(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct worker *w = timer->data;

    (void)events;
    for (unsigned i = 0; i < w->listener_count; i++)
        ev_io_start(loop, &w->accepting[i]);
}
