#include "broker/accept/listener.h"

#include <arpa/inet.h>
#include <errno.h>
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

static bool listen_failed(struct config_error *ret_error, const char *what,
                          const char *value, const char *why)
{
    snprintf(ret_error->text, sizeof(ret_error->text), "%s %.200s: %s", what,
             value, why);
    return false;
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

/* Removes a dead server's socket. No other writer of this data folder can be
 * alive, but the folder might be the wrong one. */
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
    const bool is_tcp = kind == LISTEN_PLAIN || kind == LISTEN_TLS;

    if (is_tcp && w->hub->config->mqtt_proxy_protocol == SWITCH_ON)
        proxy_waits_add(&w->listeners->proxies, fd, at, (int)kind);
    else if (kind != LISTEN_HANDOVER)
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
            continue; /* the client has disconnected already */
        /* The socket stays readable: without a pause this loop would spin. */
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

static void listener_header_arrived(void *arg, int fd,
                                    const struct sockaddr_storage *client,
                                    bool is_relayed, int kind)
{
    (void)is_relayed;
    welcome_client(arg, fd, client, (enum listener_kind)kind);
}

void listeners_init(struct worker *w)
{
    struct listeners *l = w->listeners;

    l->proxies = (struct proxy_waits){
        .loop = w->loop,
        .trusted = &w->hub->mqtt_proxies,
        .area = "broker",
        .listener = "mqtt.listen",
        .arrived = listener_header_arrived,
        .arg = w,
    };
    proxy_waits_init(&l->proxies);

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
    proxy_waits_close(&l->proxies);
}
