/* A client changes what its stream follows. For each filter the stream remembers from
 * which id it is followed and what was sent of it already, so that with overlapping
 * filters no message comes twice, and none is missing.
 *
 * Of a filter, messages with ids in (from, done] were sent. After a change the stream
 * reads the log again, from the least id that a filter still wants, and skips what another
 * filter has brought already. After all those ids it is an ordinary stream. */
#include <stdlib.h>

#include "bridge/stream/stream_private.h"

struct stream_span {
    uint64_t from, done;
};

struct stream_spans {
    uint64_t until;          /* after this id nothing is skipped */
    struct stream_span of[]; /* the audience's filters, in their order */
};

/* The new set of filters: the current ones with the changes. */
struct next_filters {
    size_t count;
    struct slice filters[STREAM_FILTERS_MAX];
    struct stream_span spans[STREAM_FILTERS_MAX];
};

bool stream_skips(const struct stream *s, struct slice topic, uint64_t id)
{
    const struct audience *a = s->audience;
    bool wanted = false;
    const struct stream_spans *spans =
        s->client == NULL ? NULL : s->client->spans;

    if (spans == NULL || id > spans->until)
        return false;
    for (size_t i = 0; i < a->filter_count; i++) {
        const struct stream_span *span = &spans->of[i];
        if (id <= span->from || !filter_matches(a->filters[i].filter, topic))
            continue;
        if (id <= span->done)
            return true;
        wanted = true;
    }
    return !wanted;
}

/* The id up to which everything was sent. */
static uint64_t position_of(const struct stream *s)
{
    return s->state == STREAM_LIVE && s->position < s->streamer->last_id
               ? s->streamer->last_id
               : s->position;
}

static void copy_current(const struct stream *s, struct next_filters *ret)
{
    const struct audience *a = s->audience;
    const uint64_t position = position_of(s);

    ret->count = a->filter_count;
    for (size_t i = 0; i < a->filter_count; i++) {
        ret->filters[i] = a->filters[i].filter;
        ret->spans[i] = s->client->spans->of[i];
        if (ret->spans[i].done < position)
            ret->spans[i].done = position;
    }
}

static size_t index_of(const struct next_filters *w, struct slice filter)
{
    size_t i = 0;

    while (i < w->count && !slice_eq(w->filters[i], filter))
        i++;
    return i;
}

/* In the order that an audience has. */
static struct stream_spans *sorted_spans(struct next_filters *w,
                                         uint64_t position)
{
    const size_t size = w->count * sizeof(struct stream_span);
    struct stream_spans *spans = malloc(sizeof(*spans) + size);
    const struct next_filters before = *w;

    if (spans == NULL)
        return NULL;
    stream_filters_normalize(w->filters, w->count);
    spans->until = position;
    for (size_t i = 0; i < w->count; i++) {
        spans->of[i] = before.spans[index_of(&before, w->filters[i])];
        if (spans->of[i].done > spans->until)
            spans->until = spans->of[i].done;
    }
    return spans;
}

static enum stream_follow_result change_to(struct stream *s,
                                           struct next_filters *w,
                                           uint64_t position)
{
    struct stream_spans *spans = sorted_spans(w, position);

    if (spans == NULL)
        return STREAM_FOLLOW_FAILED;
    const enum stream_follow_result result =
        stream_change_audience(s, w->filters, w->count, position);
    if (result != STREAM_FOLLOWS) {
        free(spans);
        return result;
    }
    free(s->client->spans);
    s->client->spans = spans;
    return result;
}

/* `<token>/<thing>` of each, one after the other. NULL: out of memory. */
static char *put_filters(const struct stream *s, const struct slice *things,
                         size_t count, struct slice *ret_filters)
{
    const struct slice token = s->audience->token->node.name;
    size_t len = 1;

    for (size_t i = 0; i < count; i++)
        len += token.len + 1 + things[i].len;
    char *text = malloc(len), *at = text;
    for (size_t i = 0; text != NULL && i < count; i++) {
        const size_t filter_len = token.len + 1 + things[i].len;
        memcpy(at, token.data, token.len);
        at[token.len] = '/';
        memcpy(at + token.len + 1, things[i].data, things[i].len);
        ret_filters[i] = slice_of(at, filter_len);
        at += filter_len;
    }
    return text;
}

static bool read_head(struct streamer *st, uint64_t *ret_head)
{
    if (store_reader_begin(st->reader) != STORE_OK)
        return false;
    *ret_head = store_head(st->reader);
    store_reader_end(st->reader);
    return true;
}

/* Adds or changes a filter. false: there is no room for one more. */
static bool want_filter(struct next_filters *w, struct slice filter,
                        bool again, uint64_t from)
{
    const size_t i = index_of(w, filter);

    if (i < w->count && !again)
        return true;
    if (i == STREAM_FILTERS_MAX)
        return false;
    if (i == w->count)
        w->count++;
    w->filters[i] = filter;
    w->spans[i] = (struct stream_span){from, from};
    return true;
}

static enum stream_follow_result follow_from(struct stream *s,
                                             const struct slice *filters,
                                             size_t count, bool has_cursor,
                                             uint64_t from)
{
    const uint64_t position = position_of(s);
    struct next_filters w;

    copy_current(s, &w);
    const size_t before = w.count;
    for (size_t i = 0; i < count; i++)
        if (!want_filter(&w, filters[i], has_cursor, from))
            return STREAM_FOLLOW_TOO_MANY;
    if (w.count == before && !has_cursor)
        return STREAM_FOLLOWS; /* all of it is followed already */
    return change_to(s, &w, before == 0 || from < position ? from : position);
}

/* The cursor came from another log: what was missed is unknown. */
static void tell_gap(struct stream *s, uint64_t from, uint64_t to)
{
    struct streamer *st = s->streamer;

    stream_clear_scratch(st);
    s->format->gap(&st->scratch, s->client->state, from, to, to);
    stream_mark(st, RUN_KEPT);
    stream_send_scratch(s);
}

enum stream_follow_result stream_follow(struct stream *s,
                                        const struct slice *things,
                                        size_t count, bool has_cursor,
                                        uint64_t cursor, uint64_t *ret_from)
{
    struct slice filters[STREAM_FILTERS_MAX];
    uint64_t head;

    if (count > STREAM_FILTERS_MAX)
        return STREAM_FOLLOW_TOO_MANY;
    char *text = put_filters(s, things, count, filters);
    if (text == NULL || !read_head(s->streamer, &head)) {
        free(text);
        return STREAM_FOLLOW_FAILED;
    }
    *ret_from = has_cursor && cursor <= head ? cursor : head;
    const enum stream_follow_result result =
        follow_from(s, filters, count, has_cursor, *ret_from);
    free(text);
    if (result == STREAM_FOLLOWS && has_cursor && cursor > head)
        tell_gap(s, cursor, head);
    return result;
}

enum stream_follow_result stream_unfollow(struct stream *s,
                                          const struct slice *things,
                                          size_t count)
{
    struct slice filters[STREAM_FILTERS_MAX];
    struct next_filters w;

    if (count > STREAM_FILTERS_MAX)
        return STREAM_FOLLOW_TOO_MANY;
    char *text = put_filters(s, things, count, filters);
    if (text == NULL)
        return STREAM_FOLLOW_FAILED;
    copy_current(s, &w);
    const size_t before = w.count;
    for (size_t i = 0; i < count; i++) {
        const size_t at = index_of(&w, filters[i]);
        if (at == w.count)
            continue;
        w.count--;
        w.filters[at] = w.filters[w.count];
        w.spans[at] = w.spans[w.count];
    }
    const enum stream_follow_result result =
        w.count == before ? STREAM_FOLLOWS : change_to(s, &w, position_of(s));
    free(text);
    return result;
}
