#include "base/net/client_addresses.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct address_entry {
    struct client_address address;
    uint64_t count;
    UT_hash_handle hh;
};

struct client_addresses {
    pthread_mutex_t mutex;
    struct address_entry *entries; /* of addresses with a connection */
};

static struct client_address of_v4(const void *four)
{
    struct client_address a = {{4}};

    memcpy(a.bytes + 1, four, 4);
    return a;
}

struct client_address client_address_of(const struct sockaddr *at)
{
    struct client_address a = {{0}};
    const void *p = at;

    if (at->sa_family == AF_INET)
        return of_v4(&((const struct sockaddr_in *)p)->sin_addr);
    if (at->sa_family != AF_INET6)
        return a;
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)p)->sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(v6))
        return of_v4(v6->s6_addr + 12);
    if (IN6_IS_ADDR_LOOPBACK(v6))
        return (struct client_address){{4, 127, 0, 0, 1}};
    a.bytes[0] = 6;
    memcpy(a.bytes + 1, v6->s6_addr, 8);
    return a;
}

bool client_address_is_loopback(const struct client_address *a)
{
    return a->bytes[0] == 4 && a->bytes[1] == 127;
}

uint64_t client_address_most(const struct client_address *a,
                             uint64_t configured, uint64_t all)
{
    if (configured != 0 || client_address_is_loopback(a))
        return configured;
    return (all + 3) / 4;
}

struct client_addresses *client_addresses_new(void)
{
    struct client_addresses *t = calloc(1, sizeof(*t));

    if (t != NULL)
        pthread_mutex_init(&t->mutex, NULL);
    return t;
}

void client_addresses_free(struct client_addresses *t)
{
    struct address_entry *e, *next;

    if (t == NULL)
        return;
    HASH_ITER (hh, t->entries, e, next) {
        HASH_DEL(t->entries, e);
        free(e);
    }
    pthread_mutex_destroy(&t->mutex);
    free(t);
}

static struct address_entry *find_entry(struct client_addresses *t,
                                        const struct client_address *a)
{
    struct address_entry *e;

    HASH_FIND(hh, t->entries, a, sizeof(*a), e);
    return e;
}

static struct address_entry *find_or_add(struct client_addresses *t,
                                         const struct client_address *a)
{
    struct address_entry *e = find_entry(t, a);

    if (e != NULL || (e = calloc(1, sizeof(*e))) == NULL)
        return e;
    e->address = *a;
    HASH_ADD(hh, t->entries, address, sizeof(*a), e);
    return e;
}

bool client_addresses_take(struct client_addresses *t,
                           const struct client_address *a, uint64_t most)
{
    pthread_mutex_lock(&t->mutex);
    struct address_entry *e = find_or_add(t, a);
    const bool ok = e != NULL && (most == 0 || e->count < most);
    if (ok)
        e->count++;
    pthread_mutex_unlock(&t->mutex);
    return ok;
}

void client_addresses_give(struct client_addresses *t,
                           const struct client_address *a)
{
    pthread_mutex_lock(&t->mutex);
    struct address_entry *e = find_entry(t, a);
    if (e != NULL && --e->count == 0) {
        HASH_DEL(t->entries, e);
        free(e);
    }
    pthread_mutex_unlock(&t->mutex);
}
