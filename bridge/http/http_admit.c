/* Admitting connections: each gets a place of limits.connections, unless its address
 * has too many; or else one of the few places kept for vital requests. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/config.h"
#include "bridge/counters/bridge_counters.h"
#include "bridge/http/http_private.h"

static const struct http_refusal too_many_of_address = {
    429, "too many connections from your address (limits.connections_per_"
         "address): close some, or retry later"};
static const struct http_refusal too_many = {
    503, "too many connections (limits.connections): retry later"};

/* NULL: the connection is admitted. */
static const struct http_refusal *admit(struct http_connection *c)
{
    struct http_server *s = c->thread->server;
    const uint64_t configured =
        config_newest(s->config)->limits_connections_per_address;
    const uint64_t most =
        c->is_proxy
            ? 0
            : client_address_most(&c->address, configured, s->budget->limit);

    c->has_address = client_addresses_take(s->addresses, &c->address, most);
    if (!c->has_address) {
        bridge_count(COUNT_HTTP_REFUSED_ADDRESS, 1);
        return &too_many_of_address;
    }
    c->has_place = connection_budget_take(s->budget);
    bridge_count(c->has_place ? COUNT_HTTP_ACCEPTED : COUNT_HTTP_REFUSED_LIMIT,
                 1);
    return c->has_place ? NULL : &too_many;
}

/* ---- the reserve of places ----------------------------------------------- */

/* A connection in the reserve that has been answered: if there is a place now, it may
 * take longer to read its answer. */
static struct http_connection *answered_in_reserve(struct http_thread *t)
{
    struct http_connection *c;

    TAILQ_FOREACH (c, &t->lists[PHASE_LINGERING], in_list)
        if (c->refusal != NULL)
            return c;
    return NULL;
}

/* Closes the connection that has waited longest. false: none is waiting. */
static bool clear_reserve(struct http_thread *t)
{
    struct http_connection *c = answered_in_reserve(t);

    if (c == NULL)
        c = TAILQ_FIRST(&t->lists[LIST_RESERVE]);
    if (c == NULL)
        return false;
    http_connection_close(c, false);
    return true;
}

/* false: the reserve is full of requests that are being handled. */
static bool enter_reserve(struct http_thread *t)
{
    if (t->reserve_used >= HTTP_RESERVE && !clear_reserve(t))
        return false;
    t->reserve_used++;
    return true;
}

/* ---- admitting ----------------------------------------------------------- */

static bool admit_or_reserve(struct http_connection *c)
{
    c->refusal = admit(c);
    if (c->refusal == NULL || enter_reserve(c->thread))
        return true;
    if (c->has_address)
        client_addresses_give(c->thread->server->addresses, &c->address);
    return false;
}

void http_admit(struct http_thread *t, int fd,
                const struct sockaddr_storage *peer, bool is_relayed,
                int listener)
{
    const struct in6_addr address =
        address_mapped((const struct sockaddr *)peer);
    struct http_connection *c = calloc(1, sizeof(*c));
    const int on = 1;

    if (c == NULL) {
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    c->thread = t;
    c->listener = &t->server->listeners[listener];
    c->fd = fd;
    c->peer = *peer;
    c->is_relayed = is_relayed;
    c->is_proxy = address_list_has(&t->server->trusted, &address);
    c->address = client_address_of((const struct sockaddr *)peer);
    if (admit_or_reserve(c)) {
        http_connection_begin(c);
        return;
    }
    close(fd);
    free(c);
}
