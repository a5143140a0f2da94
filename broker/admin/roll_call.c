#include "broker/admin/roll_call.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/utf8.h"
#include "broker/client/client_name.h"
#include "broker/publish/publish.h"
#include "broker/worker.h"

/* Most that is said of a client besides its id, and the end of an answer. */
#define ENTRY_MAX 512
#define ESCAPED_MAX 6 /* a byte in JSON: \u0001 */

/* ---- where to go on ----------------------------------------------------- */

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

bool roll_call_begin(struct roll_call *r, const struct hub *hub,
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

/* The first connection behind number `after`. The one that the last answer
 * stopped at is remembered: without it a long list would be walked from its
 * beginning for every page. */
static struct connection *go_on(const struct worker *w, uint64_t after)
{
    struct connection *c;

    if (after != 0 && after == w->called.after && w->called.next != NULL)
        return w->called.next;
    TAILQ_FOREACH (c, &w->connections, all)
        if (c->number > after)
            return c;
    return NULL;
}

void roll_call_forget(struct worker *w, const struct connection *c)
{
    if (w->called.next == c)
        w->called.next = TAILQ_NEXT(c, all);
}

/* ---- whom --------------------------------------------------------------- */

bool roll_call_fits(struct slice pattern, struct slice text)
{
    const char *p = pattern.data, *t = text.data;
    size_t i = 0, j = 0, star = SIZE_MAX, retry = 0;

    /* Only the last star is ever tried again: at most len × len steps. */
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

bool roll_call_is_address(struct slice address, struct slice peer)
{
    const char *colon = memrchr(peer.data, ':', peer.len);

    if (slice_eq(address, peer))
        return true;
    if (colon == NULL) /* a UNIX socket's */
        return false;
    const struct slice host =
        slice_of(peer.data, (size_t)(colon - (const char *)peer.data));
    if (slice_eq(address, host))
        return true;
    return host.len >= 2 && *(const char *)host.data == '[' &&
           slice_eq(address,
                    slice_of((const char *)host.data + 1, host.len - 2));
}

static bool fits(const struct roll_call *r, struct slice token,
                 struct slice client, const char *peer)
{
    if (r->token.data != NULL && !slice_eq(r->token, token))
        return false;
    if (r->address.data != NULL &&
        !roll_call_is_address(r->address, slice_str(peer)))
        return false;
    if (r->client.data == NULL)
        return true;
    return r->is_exact ? slice_eq(r->client, client)
                       : roll_call_fits(r->client, client);
}

/* It has no token and no id yet. It is not listed, but may be sent away. */
static bool is_meant_by_address(const struct roll_call *r,
                                const struct connection *c)
{
    return r->kicks && r->address.data != NULL && r->token.data == NULL &&
           r->client.data == NULL &&
           roll_call_is_address(r->address, slice_str(c->peer));
}

static bool is_meant(const struct roll_call *r, const struct connection *c)
{
    if (c->state == CONNECTION_NEW)
        return c->has_place && is_meant_by_address(r, c);
    return c->state == CONNECTION_OPEN && c->role != ROLE_ADMIN &&
           fits(r, connection_token(c), client_id(c), c->peer);
}

/* ---- what is said of it ------------------------------------------------- */

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

static void put_token(struct buffer *b, struct slice token, bool full)
{
    if (token.len == 0)
        buffer_put_str(b, "null");
    else if (full)
        buffer_put_json_string(b, token);
    else
        buffer_put_json_string(b, slice_str(
                                      log_token(token.data, token.len).text));
}

/* For what may stand in an MQTT string, but not in libmosquitto's, which
 * administrators use. */
static void put_escaped(struct buffer *b, uint32_t c)
{
    if (c > 0xffff) {
        buffer_printf(b, "\\u%04x", 0xd800 + ((c - 0x10000) >> 10));
        c = 0xdc00 + (c & 0x3ff);
    }
    buffer_printf(b, "\\u%04x", c);
}

static uint32_t code_point(const unsigned char *p, size_t len)
{
    uint32_t c = len == 1 ? p[0] : p[0] & (0xffU >> (len + 1));

    for (size_t i = 1; i < len; i++)
        c = c << 6 | (p[i] & 0x3f);
    return c;
}

static void put_client_id(struct buffer *b, struct slice whole,
                          struct slice token, bool full)
{
    struct buffer shown = BUFFER_INIT;

    if (!full)
        client_name_put(&shown, whole, token);
    const struct slice id = full ? whole : buffer_slice(&shown);
    const unsigned char *p = id.data;
    size_t at = 0, len;

    buffer_put_char(b, '"');
    while (at < id.len && (len = utf8_sequence(p + at, id.len - at)) > 0 &&
           at + len <= ROLL_CALL_ID_MAX) {
        const uint32_t c = code_point(p + at, len);
        if (c == '"' || c == '\\')
            buffer_put_char(b, '\\');
        if (utf8_disallowed(c))
            put_escaped(b, c);
        else
            buffer_put(b, p + at, len);
        at += len;
    }
    buffer_put_char(b, '"');
    if (at < id.len)
        buffer_printf(b, ",\"client_bytes\":%zu", whole.len);
    buffer_release(&shown);
}

static void put_entry(struct buffer *b, const struct connection *c, bool full)
{
    const size_t withheld = c->stored == NULL ? 0 : c->stored->withheld.bytes;

    buffer_put_str(b, "{\"token\":");
    put_token(b, connection_token(c), full);
    buffer_put_str(b, ",\"client\":");
    put_client_id(b, client_id(c), connection_token(c), full);
    buffer_printf(b,
                  ",\"address\":\"%s\",\"version\":\"%s\",\"transport\":"
                  "\"%s\",\"since\":\"",
                  c->peer, version_of(c), transport_of_client(c));
    buffer_put_time(b, c->opened_us, 3);
    buffer_printf(b,
                  "\",\"keep_alive_s\":%u,\"subscriptions\":%u,"
                  "\"inflight\":%u,\"queued_bytes\":%zu,"
                  "\"catching_up\":%s,\"expiry_s\":",
                  (unsigned)(c->keep_alive_s / 1.5 + 0.5),
                  c->filter_count - c->ended_filters,
                  (unsigned)c->inflight.count, c->out.bytes + withheld,
                  c->catch_up != NULL ? "true" : "false");
    if (c->session_expiry_s == UINT32_MAX)
        buffer_put_str(b, "null}");
    else
        buffer_printf(b, "%u}", c->session_expiry_s);
}

static void put_refusal(struct buffer *b, const struct refusal *e, bool full)
{
    buffer_put_str(b, "{\"token\":");
    put_token(b, slice_of(e->token, e->token_len), full);
    buffer_put_str(b, ",\"client\":");
    put_client_id(b, slice_of(e->id, e->id_len),
                  slice_of(e->token, e->token_len), full);
    if (e->id_full_len > e->id_len)
        buffer_printf(b, ",\"client_bytes\":%u", e->id_full_len);
    buffer_put_str(b, ",\"address\":");
    buffer_put_json_string(b, slice_str(e->peer));
    buffer_printf(b, ",\"packet\":\"%s\",\"count\":%" PRIu64 ",\"first\":\"",
                  refused_packet_name(e->packet), e->count);
    buffer_put_time(b, e->first_us, 3);
    buffer_put_str(b, "\",\"last\":\"");
    buffer_put_time(b, e->last_us, 3);
    buffer_put_str(b, "\",\"reason\":");
    buffer_put_json_string(b, slice_str(e->why));
    buffer_put_char(b, '}');
}

/* ---- the answer --------------------------------------------------------- */

struct answer {
    struct buffer text;
    unsigned kicked;
    bool has_entries;
};

static bool has_room(const struct answer *a, const struct connection *c)
{
    const size_t id = c->identity_len < ROLL_CALL_ID_MAX ? c->identity_len
                                                         : ROLL_CALL_ID_MAX;

    return a->kicked < ROLL_CALL_KICKS &&
           a->text.len + ENTRY_MAX + ESCAPED_MAX * id <= ROLL_CALL_BYTES;
}

static void call(const struct roll_call *r, struct connection *c,
                 struct answer *a)
{
    if (!is_meant(r, c))
        return;
    if (r->kicks) {
        connection_close(c, CLOSE_KICKED, NULL);
        a->kicked++;
        return;
    }
    if (a->has_entries)
        buffer_put_char(&a->text, ',');
    put_entry(&a->text, c, r->full);
    a->has_entries = true;
}

/* true: the worker has no more. */
static bool call_all(struct worker *w, struct roll_call *r, struct answer *a)
{
    struct connection *c = go_on(w, r->after), *next;

    for (unsigned looks = 0; c != NULL && c->number <= r->until; looks++) {
        if (looks == ROLL_CALL_LOOKS || !has_room(a, c)) {
            w->called.after = r->after;
            w->called.next = c;
            return false;
        }
        next = TAILQ_NEXT(c, all); /* closing may take it out */
        r->after = c->number;
        call(r, c, a);
        c = next;
    }
    return true;
}

/* The same of its refusals. */
static bool list_refusals(struct worker *w, struct roll_call *r,
                          struct answer *a)
{
    const struct refusal *e;

    while ((e = refusals_next(&w->refusals, r->after)) != NULL &&
           e->number <= r->until) {
        if (a->text.len + ENTRY_MAX + ESCAPED_MAX * REFUSAL_ID_MAX >
            ROLL_CALL_BYTES)
            return false;
        r->after = e->number;
        if (!fits(r, slice_of(e->token, e->token_len),
                  slice_of(e->id, e->id_len), e->peer))
            continue;
        if (a->has_entries)
            buffer_put_char(&a->text, ',');
        put_refusal(&a->text, e, r->full);
        a->has_entries = true;
    }
    return true;
}

static void put_next(struct worker *w, struct roll_call *r, bool at_end,
                     struct buffer *b)
{
    if (at_end) {
        r->worker++;
        r->after = 0;
    }
    if (r->worker == w->hub->count)
        buffer_put_str(b, ",\"next\":null}");
    else
        buffer_printf(b, ",\"next\":\"%u.%" PRIu64 ".%" PRIu64 "\"}",
                      r->worker, r->after, r->until);
}

static void answer(struct worker *w, struct publish *q)
{
    struct roll_call *r = q->roll_call;
    struct answer a = {.text = BUFFER_INIT};
    struct buffer *b = &a.text;

    if (!r->kicks)
        buffer_put_str(b, r->refused ? "{\"refused\":[" : "{\"clients\":[");
    const bool at_end =
        r->refused ? list_refusals(w, r, &a) : call_all(w, r, &a);
    if (r->kicks)
        buffer_printf(b, "{\"kicked\":%u", a.kicked);
    else
        buffer_put_char(b, ']');
    put_next(w, r, at_end, b);
    q->command.result = buffer_ok(b) ? RESULT_OK : RESULT_IO;
    if (buffer_ok(b))
        q->result = buffer_take(b, &q->result_len);
    buffer_release(b);
}

bool roll_call_turn(struct worker *w)
{
    void *question;

    if (mailbox_receive(w->questions, &question, 1) == 0)
        return false;
    answer(w, question);
    publish_ask_answered(question);
    return mailbox_count(w->questions) > 0;
}

void roll_call_release(struct worker *w)
{
    void *question;

    while (w->questions != NULL &&
           mailbox_receive(w->questions, &question, 1) == 1) {
        ((struct publish *)question)->command.result = RESULT_STOPPED;
        publish_ask_answered(question);
    }
    mailbox_free(w->questions);
}
