#include "broker/admin/client_query.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_write.h"
#include "base/log.h"
#include "base/utf8.h"
#include "broker/client/client_name.h"
#include "broker/client/shard.h"
#include "broker/publish/publish.h"

/* Most bytes about a client besides its id, and of the end of an answer. */
#define ENTRY_MAX 512
#define ESCAPED_MAX 6 /* a byte in JSON: \u0001 */
#define NEXT_SIZE 64

/* ---- continuing --------------------------------------------------------- */

static bool take_number(struct slice *s, char end, uint64_t *ret)
{
    const char *p = s->data;
    size_t i = 0;
    uint64_t v = 0;

    while (i < s->len && i < 19 && p[i] >= '0' && p[i] <= '9')
        v = v * 10 + (uint64_t)(p[i++] - '0');
    if (i == 0 || (end == '\0' ? i < s->len : i == s->len || p[i] != end))
        return false;
    *ret = v;
    *s = slice_of(p + i + (end != '\0'), s->len - i - (end != '\0'));
    return true;
}

bool client_query_begin(struct client_query *r, const struct hub *hub,
                        struct slice from)
{
    uint64_t worker = 0;

    if (from.len == 0) {
        r->worker = 0;
        r->after = 0;
        r->until = atomic_load(r->refused ? &hub->refused : &hub->attached);
        return true;
    }
    if (!take_number(&from, '.', &worker) ||
        !take_number(&from, '.', &r->after) ||
        !take_number(&from, '\0', &r->until) || worker >= hub->count)
        return false;
    r->worker = (unsigned)worker;
    return true;
}

/* The first connection behind number `after`. The place where the last
 * answer stopped is remembered: otherwise each page would walk the list from
 * its beginning. */
static struct connection *client_query_resume(const struct worker *w,
                                              uint64_t after)
{
    struct connection *c;

    if (after != 0 && after == w->walk.after && w->walk.next != NULL)
        return w->walk.next;
    TAILQ_FOREACH (c, &w->connections, all)
        if (c->number > after)
            return c;
    return NULL;
}

/* ---- conditions --------------------------------------------------------- */

bool client_query_matches(struct slice pattern, struct slice text)
{
    const char *p = pattern.data, *t = text.data;
    size_t i = 0, j = 0, star = SIZE_MAX, retry = 0;

    /* Only the last star is ever retried: at most len × len steps. */
    while (j < text.len) {
        if (i < pattern.len && p[i] == '*') {
            star = i++;
            retry = j;
        } else if (i < pattern.len && p[i] == t[j]) {
            i++;
            j++;
        } else if (star != SIZE_MAX) {
            i = star + 1;
            j = ++retry;
        } else {
            return false;
        }
    }
    while (i < pattern.len && p[i] == '*')
        i++;
    return i == pattern.len;
}

static struct slice client_id(const struct connection *c)
{
    return slice_of(c->identity + c->token_len + 1,
                    c->identity_len - c->token_len - 1);
}

bool client_query_is_address(struct slice address, struct slice peer)
{
    const char *colon = memrchr(peer.data, ':', peer.len);

    if (slice_eq(address, peer))
        return true;
    if (colon == NULL) /* a UNIX socket */
        return false;
    const struct slice host =
        slice_of(peer.data, (size_t)(colon - (const char *)peer.data));
    if (slice_eq(address, host))
        return true;
    return host.len >= 2 && *(const char *)host.data == '[' &&
           slice_eq(address,
                    slice_of((const char *)host.data + 1, host.len - 2));
}

static bool client_query_fits(const struct client_query *r, struct slice token,
                              struct slice client, const char *peer)
{
    if (r->token.data != NULL && !slice_eq(r->token, token))
        return false;
    if (r->address.data != NULL &&
        !client_query_is_address(r->address, slice_str(peer)))
        return false;
    if (r->client.data == NULL)
        return true;
    return r->is_exact ? slice_eq(r->client, client)
                       : client_query_matches(r->client, client);
}

/* A connection without token and id. It is not listed, but can be kicked. */
static bool is_meant_by_address(const struct client_query *r,
                                const struct connection *c)
{
    return r->kicks && r->address.data != NULL && r->token.data == NULL &&
           r->client.data == NULL &&
           client_query_is_address(r->address, slice_str(c->peer));
}

static bool is_meant(const struct client_query *r, const struct connection *c)
{
    if (c->state == CONNECTION_NEW)
        return c->has_place && is_meant_by_address(r, c);
    return c->state == CONNECTION_OPEN && c->role != ROLE_ADMIN &&
           client_query_fits(r, connection_token(c), client_id(c), c->peer);
}

/* ---- members of an entry ------------------------------------------------- */

static const char *version_of(const struct connection *c)
{
    switch (c->terms.version) {
    case PACKET_V5: return "5.0";
    case PACKET_V311: return "3.1.1";
    default: return "3.1";
    }
}

static const char *transport_of_client(const struct connection *c)
{
    if (c->transport.websocket != NULL)
        return "websocket";
    if (c->transport.tls != NULL)
        return "tls";
    return strcmp(c->peer, "local") == 0 ? "unix" : "tcp";
}

static void put_token(struct json_writer *w, struct slice token, bool full)
{
    json_name(w, "token");
    if (token.len == 0)
        json_null(w);
    else if (full)
        json_string(w, token);
    else
        json_text(w, log_token(token.data, token.len).text);
}

/* How much of the id is shown: whole characters, and only valid UTF-8. */
static size_t shown_length(struct slice id)
{
    const unsigned char *p = id.data;
    size_t at = 0, len;

    while (at < id.len && (len = utf8_sequence(p + at, id.len - at)) > 0 &&
           at + len <= CLIENT_QUERY_ID_MAX)
        at += len;
    return at;
}

/* Administrators use libmosquitto, which accepts fewer characters in a
 * string than MQTT. */
static void put_client_id(struct json_writer *w, struct slice whole,
                          struct slice token, bool full)
{
    struct buffer shown = BUFFER_INIT;

    if (!full)
        client_name_put(&shown, whole, token);
    const struct slice id = full ? whole : buffer_slice(&shown);
    const size_t len = shown_length(id);
    json_name(w, "client");
    json_string_plain(w, slice_of(id.data, len));
    if (len < id.len)
        json_member_u64(w, "client_bytes", whole.len);
    buffer_release(&shown);
}

static void put_entry(struct json_writer *w, const struct connection *c,
                      bool full)
{
    const size_t withheld = c->stored == NULL ? 0 : c->stored->withheld.bytes;

    json_object(w);
    put_token(w, connection_token(c), full);
    put_client_id(w, client_id(c), connection_token(c), full);
    if (c->caller != NULL && c->caller->key.len > 0) /* public: no secret */
        json_member_string(w, "key", c->caller->key);
    json_member_text(w, "address", c->peer);
    json_member_text(w, "version", version_of(c));
    json_member_text(w, "transport", transport_of_client(c));
    json_member_time(w, "since", c->opened_us);
    json_member_u64(w, "keep_alive_s",
                    (uint64_t)lround(c->keep_alive_s / 1.5));
    json_member_u64(w, "subscriptions", c->filter_count - c->ended_filters);
    json_member_u64(w, "inflight", c->inflight.count);
    json_member_u64(w, "queued_bytes", c->out.bytes + withheld);
    json_member_bool(w, "catching_up", c->catchup != NULL);
    if (c->session_expiry_s == UINT32_MAX)
        json_member_null(w, "expiry_s");
    else
        json_member_u64(w, "expiry_s", c->session_expiry_s);
    json_object_end(w);
}

static void put_refusal(struct json_writer *w, const struct refusal *e,
                        bool full)
{
    const struct slice token = slice_of(e->token, e->token_len);

    json_object(w);
    put_token(w, token, full);
    put_client_id(w, slice_of(e->id, e->id_len), token, full);
    if (e->id_full_len > e->id_len)
        json_member_u64(w, "client_bytes", e->id_full_len);
    json_member_text(w, "address", e->peer);
    json_member_text(w, "packet", refused_packet_name(e->packet));
    json_member_u64(w, "count", e->count);
    json_member_time(w, "first", e->first_us);
    json_member_time(w, "last", e->last_us);
    json_member_text(w, "reason", e->why);
    json_object_end(w);
}

/* ---- the answer --------------------------------------------------------- */

struct client_list {
    struct buffer text;
    struct json_writer json; /* into text */
    unsigned kicked;
};

static bool has_room(const struct client_list *a, const struct connection *c)
{
    const size_t id = c->identity_len < CLIENT_QUERY_ID_MAX
                          ? c->identity_len
                          : CLIENT_QUERY_ID_MAX;

    return a->kicked < CLIENT_QUERY_KICKS &&
           a->text.len + ENTRY_MAX + ESCAPED_MAX * id <= CLIENT_QUERY_BYTES;
}

static void client_query_visit(const struct client_query *r,
                               struct connection *c, struct client_list *a)
{
    if (!is_meant(r, c))
        return;
    if (r->kicks) {
        connection_close(c, CLOSE_KICKED, NULL);
        a->kicked++;
        return;
    }
    put_entry(&a->json, c, r->full);
}

/* true: the worker has no more connections. */
static bool client_query_visit_all(struct worker *w, struct client_query *r,
                                   struct client_list *a)
{
    struct connection *c = client_query_resume(w, r->after), *next;

    for (unsigned looks = 0; c != NULL && c->number <= r->until; looks++) {
        if (looks == CLIENT_QUERY_LOOKS || !has_room(a, c)) {
            w->walk.after = r->after;
            w->walk.next = c;
            return false;
        }
        next = TAILQ_NEXT(c, all); /* closing may remove it */
        r->after = c->number;
        client_query_visit(r, c, a);
        c = next;
    }
    return true;
}

/* The same for its refusals. */
static bool list_refusals(struct worker *w, struct client_query *r,
                          struct client_list *a)
{
    const struct refusal *e;

    while ((e = refusals_next(&w->refusals, r->after)) != NULL &&
           e->number <= r->until) {
        if (a->text.len + ENTRY_MAX + ESCAPED_MAX * REFUSAL_ID_MAX >
            CLIENT_QUERY_BYTES)
            return false;
        r->after = e->number;
        if (!client_query_fits(r, slice_of(e->token, e->token_len),
                               slice_of(e->id, e->id_len), e->peer))
            continue;
        put_refusal(&a->json, e, r->full);
    }
    return true;
}

static void put_next(struct worker *w, struct client_query *r, bool at_end,
                     struct json_writer *json)
{
    char from[NEXT_SIZE];

    if (at_end) {
        r->worker++;
        r->after = 0;
    }
    snprintf(from, sizeof(from), "%u.%" PRIu64 ".%" PRIu64, r->worker,
             r->after, r->until);
    if (r->worker == w->hub->count)
        json_member_null(json, "next");
    else
        json_member_text(json, "next", from);
}

static void client_query_answer(struct worker *w, struct publish *q)
{
    struct client_query *r = q->question;
    struct client_list a = {.text = BUFFER_INIT};
    struct buffer *b = &a.text;
    struct json_writer *json = &a.json;

    *json = json_writer_of(b);
    json_object(json);
    if (r->refused)
        json_member_array(json, "refused");
    else if (!r->kicks)
        json_member_array(json, "clients");
    const bool at_end = r->refused ? list_refusals(w, r, &a)
                                   : client_query_visit_all(w, r, &a);
    if (r->kicks)
        json_member_u64(json, "kicked", a.kicked);
    else
        json_array_end(json);
    put_next(w, r, at_end, json);
    json_object_end(json);
    q->command.result = buffer_ok(b) ? RESULT_OK : RESULT_IO;
    if (buffer_ok(b))
        q->result = buffer_take(b, &q->result_len);
    buffer_release(b);
}

bool client_query_turn(struct worker *w)
{
    void *question;

    if (mailbox_receive(w->questions, &question, 1) == 0)
        return false;
    client_query_answer(w, question);
    publish_ask_answered(question);
    return mailbox_count(w->questions) > 0;
}

void client_query_release(struct worker *w)
{
    void *question;

    while (w->questions != NULL &&
           mailbox_receive(w->questions, &question, 1) == 1) {
        ((struct publish *)question)->command.result = RESULT_STOPPED;
        publish_ask_answered(question);
    }
    mailbox_free(w->questions);
}
