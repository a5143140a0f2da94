#include "bridge/doors/thingschat/reading.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bridge/doors/thingschat/time_text.h"
#include "bridge/http/reads.h"
#include "bridge/http/url.h"

static bool topic_of(struct call *c, struct reading *g)
{
    const struct slice token = c->arguments[0], thing = c->arguments[1];

    if (!thing_valid(thing)) {
        answer_error(c, 400,
                     "thing: 1 to 256 bytes of UTF-8 without control "
                     "characters, + or #, without empty levels, not "
                     "starting with $");
        return false;
    }
    memcpy(g->topic, token.data, token.len);
    g->topic[token.len] = '/';
    memcpy(g->topic + token.len + 1, thing.data, thing.len);
    g->topic_len = token.len + 1 + thing.len;
    return true;
}

bool reading_charge(struct call *c, const struct reading *g, unsigned cost)
{
    const struct access *a = &g->access;
    const struct reads_answer answered =
        reads_charge(c->front->reads, c->arguments[0], a->plan, &a->usage,
                     cost, clock_real_us());

    c->remaining = answered.remaining;
    if (answered.granted)
        return true;
    http_add_header_u64(c->q, "Retry-After", answered.retry_after_s);
    answer_error(c, 429,
                 "hourly read limit of the token's plan reached: retry "
                 "in %u s",
                 answered.retry_after_s);
    return false;
}

bool reading_begin(struct call *c, struct reading *ret, bool has_thing)
{
    struct reading *g = ret;

    if (store_snapshot(c->front->store, &g->reader) != STORE_OK) {
        http_add_header(c->q, "Retry-After", "1");
        answer_error(c, 503, "the store cannot be read: retry later");
        return false;
    }
    access_look_up(c, g->reader, &g->access);
    bool ok = g->access.state == ACCESS_GRANTED;
    if (ok) /* so that refusals, too, say how many reads are left */
        c->remaining =
            reads_charge(c->front->reads, c->arguments[0], g->access.plan,
                         &g->access.usage, 0, clock_real_us())
                .remaining;
    ok =
        !access_refused(c, &g->access) &&
        (!has_thing || (topic_of(c, g) && !caller_refused(c, CALLER_SUBSCRIBE,
                                                          c->arguments[1]))) &&
        !query_refused(c);
    if (!ok)
        reading_end(g);
    return ok;
}

void reading_end(struct reading *g)
{
    if (g->reader == NULL)
        return;
    store_reader_release(g->reader);
    g->reader = NULL;
}

enum http_next reading_failed(struct call *c, enum store_err err,
                              unsigned cost)
{
    reads_refund(c->front->reads, c->arguments[0], cost);
    http_add_header(c->q, "Retry-After", "1");
    return answer_error(c, 503, "the store cannot be read: %s",
                        store_strerror(err));
}

int query_text(struct call *c, const char *name, char *out, size_t size)
{
    struct slice value;
    size_t len;

    if (!url_query(http_query(c->q), name, &value))
        return 0;
    if (value.len >= size || !url_decode(value, true, out, &len)) {
        answer_error(c, 400,
                     "%s: too long, or it has a %% without two hexadecimal "
                     "digits after it, or %%00",
                     name);
        return -1;
    }
    out[len] = '\0';
    return 1;
}

int query_u64(struct call *c, const char *name, uint64_t *ret)
{
    char text[64];
    const int there = query_text(c, name, text, sizeof(text));
    const size_t len = there == 1 ? strlen(text) : 0;

    if (there != 1)
        return there;
    /* 19 digits always fit into 64 bits */
    if (len == 0 || len > 19 || strspn(text, "0123456789") != len) {
        answer_error(c, 400, "%s: must be a whole number", name);
        return -1;
    }
    *ret = strtoull(text, NULL, 10);
    return 1;
}

/* `2026-11-21+02:00`: after a date alone a + is ambiguous. As a + it begins a time
 * zone; as the blank that it means in a query, a time of day. Anywhere else it can
 * only be one of the two. */
static bool is_zone_or_clock(struct call *c, const char *name)
{
    struct slice raw;
    const char *plus = NULL;

    if (url_query(http_query(c->q), name, &raw) && raw.len > 0)
        plus = memchr(raw.data, '+', raw.len);
    if (plus == NULL)
        return false;
    const size_t before = (size_t)(plus - (const char *)raw.data);
    for (size_t i = 0; i < before; i++)
        if (strchr("Tt:%", ((const char *)raw.data)[i]) != NULL)
            return false; /* after a time of day it begins a time zone */
    return raw.len - before - 1 <= strlen("02:00");
}

int query_time(struct call *c, const char *name, int64_t *ret_us)
{
    char text[64];
    const int there = query_text(c, name, text, sizeof(text));

    if (there != 1)
        return there;
    if (is_zone_or_clock(c, name)) {
        answer_error(c, 400,
                     "%s: a + in a query means a blank; write T before a time "
                     "of day, or %%2B before a time zone",
                     name);
        return -1;
    }
    switch (time_parse(text, ret_us)) {
    case TIME_OK: return 1;
    case TIME_SECONDS:
        answer_error(c, 400,
                     "%s: looks like seconds since 1970; write milliseconds, "
                     "%.*s000, or 2026-11-21T06:32:17Z",
                     name, (int)strspn(text, "0123456789"), text);
        return -1;
    case TIME_MALFORMED: break;
    }
    answer_error(c, 400,
                 "%s: must be a time like 2026-11-21T06:32:17Z or "
                 "2026-11-21T06:32:17%%2B01:00 (%%2B is +), or milliseconds "
                 "since 1970",
                 name);
    return -1;
}

int query_word(struct call *c, const char *name, const char *const *words,
               size_t count, size_t *ret)
{
    struct buffer choice = BUFFER_INIT;
    char text[64];
    const int there = query_text(c, name, text, sizeof(text));

    if (there != 1)
        return there;
    for (size_t i = 0; i < count; i++)
        if (strcmp(text, words[i]) == 0) {
            *ret = i;
            return 1;
        }
    for (size_t i = 0; i < count; i++) {
        buffer_put_str(&choice, i == 0 ? "" : i + 1 < count ? ", " : " or ");
        buffer_put_str(&choice, words[i]);
    }
    answer_error(c, 400, "%s: must be %.*s", name, (int)choice.len,
                 choice.len > 0 ? choice.data : "");
    buffer_release(&choice);
    return -1;
}

int query_flag(struct call *c, const char *name, bool *ret)
{
    static const char *const words[] = {"0", "1", "false", "true"};
    struct slice query = http_query(c->q);
    struct url_parameter p;
    size_t word;

    while (url_next_parameter(&query, &p))
        if (!p.has_value && url_is_named(&p, slice_str(name))) {
            *ret = true;
            return 1;
        }
    const int there = query_word(c, name, words, 4, &word);
    if (there == 1)
        *ret = word % 2 == 1;
    return there;
}
