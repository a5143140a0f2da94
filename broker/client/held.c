#include "broker/client/held.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "broker/client/shard.h"

/* A token may hold at most this fraction of what it leaves to the others. */
#define PART_OF_LEFT 3
/* A filter costs more here than its row in the store. */
#define FILTER_PLANS 4

struct holder {
    UT_hash_handle hh;   /* worker.holders */
    unsigned references; /* of connections, and of commands with the writer */
    uint64_t credits;    /* used */
    uint64_t bytes[HELD_POOL_COUNT];
    struct turn_share turn;
    char name[]; /* a token; or NUL and an address */
};

static const struct {
    uint64_t whole, each;
} pools[] = {
#define X(name, whole, each) {whole, each},
    HELD_POOLS(X)
#undef X
};

/* ---- for whom ------------------------------------------------------------- */

static uint64_t of_v4(uint32_t address)
{
    /* ::ffff:0:0/96 without its zeros: no /64 begins like that */
    return address >> 24 == IN_LOOPBACKNET ? 0
                                           : UINT64_C(0xffff) << 32 | address;
}

uint64_t held_address_of(const struct sockaddr_storage *at)
{
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)at)->sin6_addr;
    uint64_t first_half = 0;

    if (at->ss_family == AF_INET)
        return of_v4(ntohl(((const struct sockaddr_in *)at)->sin_addr.s_addr));
    if (at->ss_family != AF_INET6 || IN6_IS_ADDR_LOOPBACK(v6))
        return 0;
    if (IN6_IS_ADDR_V4MAPPED(v6)) {
        uint32_t v4;
        memcpy(&v4, v6->s6_addr + 12, sizeof(v4));
        return of_v4(ntohl(v4));
    }
    memcpy(&first_half, v6->s6_addr, sizeof(first_half));
    return first_half;
}

static struct holder *add_holder(struct worker *w, struct slice name)
{
    struct holder *h = calloc(1, sizeof(*h) + name.len);

    if (h == NULL)
        return NULL;
    turn_share_init(&h->turn);
    memcpy(h->name, name.data, name.len);
    HASH_ADD_KEYPTR(hh, w->holders, h->name, name.len, h);
    if (h->hh.tbl == NULL) { /* out of memory in the table */
        free(h);
        return NULL;
    }
    return h;
}

static bool hold_for(struct connection *c, struct slice name)
{
    struct worker *w = c->worker;
    struct holder *h;

    HASH_FIND(hh, w->holders, name.data, name.len, h);
    if (h == NULL)
        h = add_holder(w, name);
    if (h == NULL)
        return false;
    h->references++;
    c->holder = h;
    return true;
}

bool held_attach(struct connection *c)
{
    char name[1 + sizeof(c->address)] = "";

    memcpy(name + 1, &c->address, sizeof(c->address));
    return c->address == 0 || hold_for(c, slice_of(name, sizeof(name)));
}

static void holder_unref(struct worker *w, struct holder *h)
{
    if (h == NULL || --h->references > 0)
        return;
    HASH_DEL(w->holders, h);
    free(h);
}

void held_detach(struct connection *c)
{
    struct holder *h = c->holder;

    c->holder = NULL;
    /* They are removed a few at a time, and count for nobody until then. */
    if (h != NULL)
        h->bytes[HELD_FILTERS] -= c->filter_cost;
    holder_unref(c->worker, h);
}

bool held_identify(struct connection *c)
{
    held_detach(c);
    c->is_client = true;
    return c->role != ROLE_TOKEN || hold_for(c, connection_token(c));
}

struct turn_share *held_turn_share(struct holder *h)
{
    return &h->turn;
}

/* ---- how much ------------------------------------------------------------- */

static bool has_room(const struct connection *c, enum held_pool pool,
                     uint64_t each, size_t size)
{
    const uint64_t all = c->worker->held[pool] + size;

    if (all > pools[pool].whole)
        return false;
    if (c->holder == NULL)
        return true;
    const uint64_t own = c->holder->bytes[pool] + size;
    return own <= each && own <= (pools[pool].whole - all) / PART_OF_LEFT;
}

/* The share of a pool whose limit follows the plan's session_bytes_max. */
static uint64_t pool_share(const struct connection *c, enum held_pool pool,
                           uint64_t times)
{
    const struct plan *of = connection_plan(c);
    const uint64_t plan = of == NULL ? 0 : of->session_bytes_max;
    const uint64_t each = pools[pool].each;

    return plan != 0 && plan < each / times ? plan * times : each;
}

static void pool_count(struct connection *c, enum held_pool pool,
                       uint64_t change)
{
    c->worker->held[pool] += change;
    if (c->holder != NULL)
        c->holder->bytes[pool] += change;
}

static uint64_t counted_size(size_t size)
{
    return size <= HELD_SMALL ? 0 : size;
}

static enum held_pool input_pool(const struct connection *c)
{
    return c->is_client ? HELD_INPUT : HELD_STRANGERS;
}

bool held_input_has_room(const struct connection *c, size_t size)
{
    const enum held_pool pool = input_pool(c);

    return size <= HELD_SMALL || has_room(c, pool, pools[pool].each, size);
}

void held_add_input(struct connection *c, size_t size)
{
    pool_count(c, input_pool(c), counted_size(size));
}

void held_give_input(struct connection *c, size_t size)
{
    pool_count(c, input_pool(c), -counted_size(size));
}

bool held_aliases_have_room(const struct connection *c, size_t size)
{
    return has_room(c, HELD_INPUT, pools[HELD_INPUT].each, size);
}

void held_add_aliases(struct connection *c, int64_t change)
{
    pool_count(c, HELD_INPUT, (uint64_t)change);
}

bool held_filters_have_room(const struct connection *c, size_t size)
{
    return has_room(c, HELD_FILTERS, pool_share(c, HELD_FILTERS, FILTER_PLANS),
                    size);
}

void held_add_filter(struct connection *c, size_t size)
{
    pool_count(c, HELD_FILTERS, size);
}

void held_give_filter(struct connection *c, size_t size)
{
    pool_count(c, HELD_FILTERS, -(uint64_t)size);
}

bool held_wills_have_room(const struct connection *c, size_t size)
{
    return size <= HELD_SMALL ||
           has_room(c, HELD_WILLS, pool_share(c, HELD_WILLS, 1), size);
}

void held_add_will(struct connection *c, size_t size)
{
    pool_count(c, HELD_WILLS, counted_size(size));
}

void held_give_will(struct connection *c, size_t size)
{
    pool_count(c, HELD_WILLS, -counted_size(size));
}

/* ---- credits -------------------------------------------------------------- */

struct holder *held_take_credits(struct connection *c, size_t size)
{
    struct holder *h = c->holder;

    if (h == NULL)
        return NULL;
    h->references++;
    h->credits += size;
    return h;
}

void held_give_credits(struct worker *w, struct holder *h, size_t size)
{
    if (h == NULL)
        return;
    h->credits -= size;
    holder_unref(w, h);
}

bool held_has_credits(const struct connection *c)
{
    return c->holder == NULL || c->holder->credits < HELD_CREDITS_MAX;
}
