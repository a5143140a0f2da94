#include "broker/client/refusals.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/utf8.h"
#include "broker/client/client_name.h"
#include "broker/client/shard.h"

#define SECOND_US INT64_C(1000000)
#define ADDRESS_SEED UINT64_C(0xcbf29ce484222325) /* FNV-1a */
#define ADDRESS_PRIME UINT64_C(0x100000001b3)

const char *refused_packet_name(enum refused_packet packet)
{
    switch (packet) {
    case REFUSED_CONNECT: return "CONNECT";
    case REFUSED_PUBLISH: return "PUBLISH";
    case REFUSED_SUBSCRIBE: return "SUBSCRIBE";
    case REFUSED_PACKET: break;
    }
    return "packet";
}

void refusals_release(struct refusals *r)
{
    free(r->clients.list);
    free(r->strangers.list);
    *r = (struct refusals){0};
}

static uint64_t hash_on(uint64_t hash, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)data[i]) * ADDRESS_PRIME;
    return hash;
}

/* Without its port, which differs each time. */
static uint64_t address_of(const struct connection *c)
{
    const char *colon = strrchr(c->peer, ':');

    return hash_on(ADDRESS_SEED, c->peer,
                   colon == NULL ? strlen(c->peer)
                                 : (size_t)(colon - c->peer));
}

static uint64_t who_is(const struct connection *c)
{
    if (c->publisher != 0 && !c->id_assigned)
        return c->publisher;
    /* It has no client id to tell it from others. */
    return hash_on(address_of(c), c->identity, c->token_len);
}

/* Its token exists, or none is needed. */
static bool is_known(const struct connection *c)
{
    return connection_plan(c) != NULL;
}

static uint64_t party_of(const struct connection *c)
{
    return is_known(c) ? hash_on(ADDRESS_SEED, c->identity, c->token_len)
                       : address_of(c);
}

static bool is_it(const struct refusal *e, uint64_t who, const char *why,
                  enum refused_packet packet)
{
    return e->who == who && e->why == why && e->packet == packet;
}

static struct refusal *refusal_find(struct refusal_table *r, uint64_t who,
                                    const char *why,
                                    enum refused_packet packet)
{
    if (r->last < r->count && is_it(&r->list[r->last], who, why, packet))
        return &r->list[r->last];
    for (unsigned i = 0; i < r->count; i++)
        if (is_it(&r->list[i], who, why, packet)) {
            r->last = i;
            return &r->list[i];
        }
    return NULL;
}

/* The entry that was quiet the longest, of the party with most entries. */
static unsigned to_replace(const struct refusal_table *r)
{
    unsigned counts[REFUSAL_PARTIES] = {0}, most = 0;
    unsigned found = UINT_MAX;

    for (unsigned i = 0; i < r->count; i++) {
        const unsigned n = ++counts[r->list[i].party % REFUSAL_PARTIES];
        most = n > most ? n : most;
    }
    for (unsigned i = 0; i < r->count; i++)
        if (counts[r->list[i].party % REFUSAL_PARTIES] == most &&
            (found == UINT_MAX || r->list[i].used_us < r->list[found].used_us))
            found = i;
    return found;
}

/* As much of a text as fits without splitting a character. */
static size_t whole_characters(struct slice text, size_t most)
{
    size_t at = 0, len;

    while (at < text.len &&
           (len = utf8_sequence((const char *)text.data + at, text.len - at)) >
               0 &&
           at + len <= most)
        at += len;
    return at;
}

static void refusal_describe(struct refusal *e, const struct connection *c)
{
    if (c->identity == NULL)
        return;
    const struct slice id = slice_of(c->identity + c->token_len + 1,
                                     c->identity_len - c->token_len - 1);
    e->token_len = (uint8_t)c->token_len;
    memcpy(e->token, c->identity, c->token_len);
    e->id_len = (uint8_t)whole_characters(id, REFUSAL_ID_MAX);
    memcpy(e->id, id.data, e->id_len);
    e->id_full_len = (uint16_t)id.len;
}

static struct refusal *refusal_add(struct worker *w, struct refusal_table *r,
                                   const struct connection *c, uint64_t who,
                                   const char *why, enum refused_packet packet)
{
    if (r->list == NULL)
        r->list = calloc(REFUSALS_MAX, sizeof(*r->list));
    if (r->list == NULL)
        return NULL;
    r->last = r->count < REFUSALS_MAX ? r->count++ : to_replace(r);
    struct refusal *e = &r->list[r->last];
    *e = (struct refusal){
        .number = atomic_fetch_add(&w->hub->refused, 1) + 1,
        .who = who,
        .party = party_of(c),
        .why = why,
        .packet = packet,
        .first_us = w->real_us,
    };
    refusal_describe(e, c);
    return e;
}

/* false: too many recent lines, of its party or of all. */
static bool may_write_line(struct refusal_table *r, uint64_t party,
                           int64_t now_us)
{
    uint8_t *own = &r->lines_of[party % REFUSAL_PARTIES];

    if (r->lines == 0 ||
        now_us - r->lines_since_us >= REFUSAL_LINES_S * SECOND_US) {
        r->lines_since_us = now_us;
        r->lines = 0;
        memset(r->lines_of, 0, sizeof(r->lines_of));
    }
    if (r->lines >= REFUSAL_LINES ||
        (*own >= REFUSAL_LINES_FEW &&
         r->lines + 3U * *own >= REFUSAL_LINES / 2)) {
        r->left_out++;
        return false;
    }
    r->lines++;
    ++*own;
    return true;
}

static void write_line(struct refusal_table *r, const struct refusal *e)
{
    char times[40] = "", others[64] = "";
    struct buffer id = BUFFER_INIT;

    if (e->unlogged > 1)
        snprintf(times, sizeof(times), " (%" PRIu64 " times)", e->unlogged);
    if (r->left_out > 0)
        snprintf(others, sizeof(others),
                 " (%" PRIu64 " more such lines were left out)", r->left_out);
    r->left_out = 0;
    client_name_put(&id, slice_of(e->id, e->id_len),
                    slice_of(e->token, e->token_len));
    log_info("broker", "refused %s of token %s, client '%.*s', %s: %s%s%s",
             refused_packet_name(e->packet),
             log_token(e->token, e->token_len).text, (int)id.len,
             id.len > 0 ? id.data : "", e->peer, e->why, times, others);
    buffer_release(&id);
}

void refusal_note(struct connection *c, enum refused_packet packet,
                  const char *why)
{
    struct worker *w = c->worker;
    const uint64_t who = who_is(c);

    if (c->role == ROLE_ADMIN)
        return;
    struct refusal_table *r =
        is_known(c) ? &w->refusals.clients : &w->refusals.strangers;
    struct refusal *e = refusal_find(r, who, why, packet);
    if (e == NULL)
        e = refusal_add(w, r, c, who, why, packet);
    if (e == NULL)
        return;
    snprintf(e->peer, sizeof(e->peer), "%s", c->peer);
    e->count++;
    e->unlogged++;
    e->last_us = w->real_us;
    e->used_us = w->mono_us;
    if (e->logged_us != 0 &&
        w->mono_us - e->logged_us < REFUSAL_QUIET_S * SECOND_US)
        return;
    if (!may_write_line(r, e->party, w->mono_us))
        return;
    write_line(r, e);
    e->unlogged = 0;
    e->logged_us = w->mono_us;
}

static const struct refusal *next_of(const struct refusal_table *r,
                                     uint64_t after,
                                     const struct refusal *found)
{
    for (unsigned i = 0; i < r->count; i++)
        if (r->list[i].number > after &&
            (found == NULL || r->list[i].number < found->number))
            found = &r->list[i];
    return found;
}

const struct refusal *refusals_next(const struct refusals *r, uint64_t after)
{
    return next_of(&r->strangers, after, next_of(&r->clients, after, NULL));
}
