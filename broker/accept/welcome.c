#include "broker/accept/welcome.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/net/client_addresses.h"
#include "base/net/connection_budget.h"
#include "broker/accept/listener.h"
#include "broker/client/shard.h"

void welcome_complain(struct worker *w, struct complaint *c, const char *what)
{
    uint64_t times;

    if (complaint_due(c, w->mono_us, &times))
        log_warn("broker", "%s (%llu times)", what, (unsigned long long)times);
}

bool welcome_is_our_uid(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
           (peer.uid == geteuid() || peer.uid == 0);
}

static void welcome_name_peer(const struct sockaddr_storage *at, char *ret,
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

/* TCP keep-alive notices a client that vanished silently and has no MQTT
 * keep-alive: after 2 minutes of silence and 4 probes. */
static void welcome_set_tcp_options(int fd)
{
    const int on = 1, idle_s = 120, interval_s = 30, probes = 4;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s,
                     sizeof(interval_s));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
}

static bool welcome_start_transport(struct worker *w, struct connection *c,
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
static struct connection *welcome_make(struct worker *w, int fd,
                                       const struct sockaddr_storage *at,
                                       enum listener_kind kind)
{
    const bool local = kind == LISTEN_LOCAL;
    char peer[56];

    if (!local)
        welcome_set_tcp_options(fd);
    welcome_name_peer(at, peer, sizeof(peer));
    struct connection *c =
        connection_new(fd, local && welcome_is_our_uid(fd), peer);
    if (c == NULL) {
        close(fd);
        return NULL;
    }
    c->address = held_address_of(at);
    if (!welcome_start_transport(w, c, kind)) {
        connection_free(c);
        return NULL;
    }
    return c;
}

/* Counts one more unidentified connection of that address, and takes a slot
 * for it. is_proxy: a trusted proxy, which connects for many clients. */
static bool welcome_admit(struct worker *w, const struct client_address *a,
                          bool is_proxy)
{
    struct hub *hub = w->hub;
    const uint64_t configured =
        config_newest(hub->config)->limits_connections_per_address;
    const uint64_t most =
        is_proxy ? 0 : client_address_most(a, configured, hub->budget->limit);

    if (!client_addresses_take(hub->strangers, a, most)) {
        counter_add(&w->counters.address_limit, 1);
        welcome_complain(w, &w->listeners->over_address,
                         "limits.connections_per_address reached: connection "
                         "refused");
        return false;
    }
    if (connection_budget_take(hub->budget))
        return true;
    client_addresses_give(hub->strangers, a);
    counter_add(&w->counters.connection_limit, 1);
    welcome_complain(w, &w->listeners->over_limit,
                     "limits.connections reached: connection refused");
    return false;
}

static void welcome_undo(struct hub *hub, const struct client_address *a)
{
    client_addresses_give(hub->strangers, a);
    connection_budget_give(hub->budget);
}

void welcome_client(struct worker *w, int fd,
                    const struct sockaddr_storage *at, enum listener_kind kind)
{
    struct hub *hub = w->hub;

    /* Clients never shut out administrators and the link. */
    const bool is_counted = kind != LISTEN_LOCAL;
    const struct client_address address =
        client_address_of((const struct sockaddr *)at);
    const struct in6_addr full = address_mapped((const struct sockaddr *)at);
    const bool is_proxy = address_list_has(&hub->all_proxies, &full);
    if (is_counted && !welcome_admit(w, &address, is_proxy)) {
        close(fd);
        return;
    }
    struct connection *c = welcome_make(w, fd, at, kind);
    if (c == NULL) {
        if (is_counted)
            welcome_undo(hub, &address);
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
