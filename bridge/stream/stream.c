#include "bridge/stream/stream.h"

#include <assert.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/event_topic.h"
#include "base/hops.h"
#include "base/log.h"
#include "base/thread.h"
#include "base/topic.h"
#include "base/vocabulary.h"
#include "bridge/counters/bridge_counters.h"
#include "bridge/stream/stream_private.h"

#define REVOKED_FILTER EVENTS_PREFIX "+/" EVENT_REVOKED "/#"
#define KEY_REVOKED_FILTER EVENTS_PREFIX "+/" EVENT_KEY_REVOKED "/#"

struct streams {
    struct streamer_env env;
    unsigned count;
    struct streamer *streamers[SUBSCRIPTIONS_STREAMERS_MAX];
    atomic_bool stopping;
    atomic_uint callers; /* threads inside streams_adopt() or a callback */
    /* the link's thread */
    uint64_t last_id; /* of this connection */
};

/* Between streams_enter() and streams_leave() the streamers' threads are there. */
static bool streams_enter(struct streams *s)
{
    atomic_fetch_add(&s->callers, 1);
    if (!atomic_load(&s->stopping))
        return true;
    atomic_fetch_sub(&s->callers, 1);
    return false;
}

static void streams_leave(struct streams *s)
{
    atomic_fetch_sub(&s->callers, 1);
}

/* ---- start and end ------------------------------------------------------- */

static unsigned streamer_count(unsigned wanted)
{
    if (wanted == 0)
        wanted = thread_cores_for_many();
    return wanted < SUBSCRIPTIONS_STREAMERS_MAX ? wanted
                                                : SUBSCRIPTIONS_STREAMERS_MAX;
}

static bool start_streamers(struct streams *s, unsigned count)
{
    /* Never released: revocations are always of interest. */
    if (subscriptions_hold(s->env.subscriptions, slice_str(REVOKED_FILTER),
                           SUBSCRIPTIONS_NOBODY) == NULL ||
        subscriptions_hold(s->env.subscriptions, slice_str(KEY_REVOKED_FILTER),
                           SUBSCRIPTIONS_NOBODY) == NULL)
        return false;
    while (s->count < count) {
        s->streamers[s->count] = streamer_start(&s->env, s->count);
        if (s->streamers[s->count] == NULL)
            return false;
        s->count++;
    }
    return true;
}

static const char *const format_names[] = {
#define X(NAME, variable) #variable,
    STREAM_FORMATS(X)
#undef X
};

struct streams *streams_start(const struct config *config, struct store *store,
                              struct connection_budget *budget,
                              unsigned threads)
{
    struct streams *s = calloc(1, sizeof(*s));
    const unsigned count = streamer_count(threads);

    if (s == NULL)
        return NULL;
    bridge_count_formats(format_names, STREAM_FORMAT_COUNT);
    s->env = (struct streamer_env){
        .config = config,
        .store = store,
        .quota = stream_quota_new(budget),
        .subscriptions = subscriptions_new(count),
    };
    s->env.shapes = stream_shapes_new();
    if (s->env.quota != NULL && s->env.subscriptions != NULL &&
        s->env.shapes != NULL && start_streamers(s, count))
        return s;
    streams_stop(s);
    streams_free(s);
    return NULL;
}

void streams_stop(struct streams *s)
{
    if (s == NULL)
        return;
    atomic_store(&s->stopping, true);
    while (atomic_load(&s->callers) != 0)
        sched_yield();
    for (unsigned i = 0; i < s->count; i++)
        streamer_tell_stop(s->streamers[i]);
    for (unsigned i = 0; i < s->count; i++)
        streamer_join(s->streamers[i]);
}

void streams_free(struct streams *s)
{
    if (s == NULL)
        return;
    for (unsigned i = 0; i < s->count; i++)
        streamer_free(s->streamers[i]);
    subscriptions_free(s->env.subscriptions);
    stream_quota_free(s->env.quota);
    stream_shapes_free(s->env.shapes);
    free(s);
}

/* ---- the link's callbacks ------------------------------------------------ */

static bool starts_with(struct slice s, const char *prefix)
{
    const size_t len = strlen(prefix);

    return s.len >= len && memcmp(s.data, prefix, len) == 0;
}

static void post_frame(struct streams *s, uint64_t streamers, struct frame *f)
{
    for (unsigned i = 0; i < s->count; i++)
        if ((streamers >> i & 1) != 0)
            streamer_post(s->streamers[i], f);
    frame_unref(f);
}

static void revalidate_all(struct streams *s)
{
    for (unsigned i = 0; i < s->count; i++)
        streamer_revalidate(s->streamers[i]);
}

static void post_revoked(struct streams *s, enum frame_kind kind,
                         struct slice name)
{
    struct frame *f = frame_of_name(kind, name);

    if (f == NULL)
        revalidate_all(s);
    else
        post_frame(s, UINT64_MAX, f);
}

/* `$events/<token>/revoked/`, `$events/<tenant>/key_revoked/<key id>` */
static void on_event(struct streams *s, struct slice topic,
                     struct slice payload)
{
    const size_t before = sizeof(EVENTS_PREFIX) - 1;
    const struct slice name =
        slice_of((const char *)topic.data + before, topic.len - before);
    const struct slice token = topic_first_level(name);
    const struct slice event =
        slice_of((const char *)name.data + token.len, name.len - token.len);

    if (slice_eq(event, slice_str("/" EVENT_REVOKED "/"))) {
        log_debug("stream", "token %s revoked",
                  log_token(token.data, token.len).text);
        post_revoked(s, FRAME_REVOKED, token);
    } else if (starts_with(event, FRAME_KEY_BETWEEN) && payload.len > 0) {
        revalidate_all(s); /* it was rotated: the row has its end */
    } else if (starts_with(event, FRAME_KEY_BETWEEN)) {
        post_revoked(s, FRAME_KEY_REVOKED, name);
    }
}

/* Of a client. Streams that have fallen behind do not get it: it is nowhere to be read
 * later. */
static void on_client_event(struct streams *s, const struct link_message *m)
{
    struct event_topic event;

    if (!event_topic_split(m->topic, &event) || event.thing.len == 0 ||
        event_kind_reserved(event.kind))
        return;
    const uint64_t streamers =
        subscriptions_streamers(s->env.subscriptions, m->topic);
    if (streamers == 0)
        return;
    struct frame *f = frame_of_event(m, &event);
    if (f != NULL)
        post_frame(s, streamers, f);
}

/* Messages come in id order; one that matches two filters may come twice. */
static void on_stored(struct streams *s, const struct link_message *m)
{
    struct slice token, thing;

    if (m->id <= s->last_id || !topic_split(m->topic, &token, &thing))
        return;
    s->last_id = m->id;
    const uint64_t streamers =
        subscriptions_streamers(s->env.subscriptions, m->topic);
    if (streamers == 0)
        return;
    hop_stream_deliver(m->topic, m->id, m->payload.len);
    struct frame *f = frame_of_message(m, token, thing);
    if (f != NULL) {
        post_frame(s, streamers, f);
        return;
    }
    for (unsigned i = 0; i < s->count; i++)
        if ((streamers >> i & 1) != 0)
            streamer_lost(s->streamers[i]);
}

static void on_message(void *arg, const struct link_message *m)
{
    struct streams *s = arg;

    if (!streams_enter(s))
        return;
    if (starts_with(m->topic, EVENTS_PREFIX)) {
        on_event(s, m->topic, m->payload);
        on_client_event(s, m);
    } else {
        on_stored(s, m);
    }
    streams_leave(s);
}

static void on_up(void *arg, uint64_t generation)
{
    struct streams *s = arg;

    (void)generation;
    if (!streams_enter(s))
        return;
    s->last_id = 0;
    subscriptions_up(s->env.subscriptions);
    streams_leave(s);
}

static void on_down(void *arg)
{
    struct streams *s = arg;

    if (!streams_enter(s))
        return;
    subscriptions_down(s->env.subscriptions);
    for (unsigned i = 0; i < s->count; i++)
        streamer_lost(s->streamers[i]);
    streams_leave(s);
}

static void on_subscribed(void *arg, struct slice filter, bool ok)
{
    struct streams *s = arg;

    if (!streams_enter(s))
        return;
    const uint64_t streamers =
        subscriptions_answered(s->env.subscriptions, filter, ok,
                               clock_mono_us());
    if (ok && (slice_eq(filter, slice_str(REVOKED_FILTER)) ||
               slice_eq(filter, slice_str(KEY_REVOKED_FILTER)))) {
        revalidate_all(s); /* what happened while nobody told us */
    } else if (ok && streamers != 0) {
        struct frame *f = frame_of_name(FRAME_GRANTED, filter);
        if (f != NULL) /* else they look once a second */
            post_frame(s, streamers, f);
    }
    streams_leave(s);
}

void streams_link_opts(struct streams *s, struct link_opts *ret_opts)
{
    *ret_opts = (struct link_opts){
        .arg = s,
        .on_message = on_message,
        .on_up = on_up,
        .on_down = on_down,
        .on_subscribed = on_subscribed,
    };
}

bool streams_keep(struct streams *s, struct slice filter)
{
    return subscriptions_hold(s->env.subscriptions, filter,
                              SUBSCRIPTIONS_NOBODY) != NULL;
}

void streams_set_link(struct streams *s, struct link *l)
{
    subscriptions_set_link(s->env.subscriptions, l);
}

/* ---- adopting ------------------------------------------------------------ */

static char *put_text(char **at, struct slice s)
{
    char *start = *at;

    if (s.len > 0)
        memcpy(start, s.data, s.len);
    *at += s.len;
    return start;
}

static size_t text_len(const struct stream_opts *o)
{
    size_t len = o->token.len + o->response_head.len;

    for (size_t i = 0; i < o->thing_count; i++)
        len += o->token.len + 1 + o->things[i].len;
    return len;
}

static struct stream *make_stream(int fd, const struct stream_opts *o)
{
    const size_t key_size = o->caller == NULL ? 0 : sizeof(struct stream_key);
    const size_t client_size =
        o->door == NULL ? 0 : sizeof(struct stream_client);
    struct stream *s = calloc(1, sizeof(*s) + key_size + client_size);

    if (s == NULL)
        return NULL;
    s->fd = fd;
    s->has_key = o->caller != NULL;
    if (s->has_key)
        *stream_key(s) = (struct stream_key){o->caller, o->caller->expires_us};
    if (o->door == NULL)
        return s;
    s->client = (struct stream_client *)((char *)(s + 1) + key_size);
    s->client->door = o->door;
    s->client->state = o->door_state;
    s->client->message_max = o->message_max;
    s->client->is_parked = fd < 0;
    return s;
}

/* Everything of *o, copied, and the stream to be. */
static struct stream_start *make_start(int fd, const struct stream_opts *o)
{
    const size_t fixed =
        sizeof(struct stream_start) + o->thing_count * sizeof(struct slice);
    struct stream_start *start = calloc(1, fixed + text_len(o));
    struct stream *stream = make_stream(fd, o);

    if (start == NULL || stream == NULL) {
        free(start);
        free(stream);
        return NULL;
    }
    char *at = (char *)start + fixed;
    start->stream = stream;
    start->retry_ms = o->plan->retry_ms;
    start->idle_timeout = o->plan->idle_timeout;
    start->keepalive = o->plan->keepalive;
    start->format = o->format;
    start->is_local_plan = o->is_local_plan;
    start->has_cursor = o->has_cursor;
    start->cursor = o->cursor;
    start->head = o->head;
    start->token = slice_of(put_text(&at, o->token), o->token.len);
    start->response_head =
        slice_of(put_text(&at, o->response_head), o->response_head.len);
    for (size_t i = 0; i < o->thing_count; i++) {
        const char *filter = put_text(&at, o->token);
        put_text(&at, slice_str("/"));
        put_text(&at, o->things[i]);
        start->filters[i] = slice_of(filter, (size_t)(at - filter));
    }
    start->filter_count =
        stream_filters_normalize(start->filters, o->thing_count);
    return start;
}

static bool are_valid(const struct stream_start *start)
{
    for (size_t i = 0; i < start->filter_count; i++)
        if (!filter_valid(start->filters[i]))
            return false;
    return true;
}

static struct streamer *least_loaded(struct streams *s)
{
    struct streamer *found = s->streamers[0];

    for (unsigned i = 1; i < s->count; i++)
        if (streamer_load(s->streamers[i]) < streamer_load(found))
            found = s->streamers[i];
    return found;
}

/* Counts what the stream to be will hold; all of it is given back where the
 * stream ends. */
static enum streams_answer count_stream(struct streams *s,
                                        const struct stream_start *start,
                                        const struct stream_opts *opts)
{
    struct stream *stream = start->stream;

    if (!stream_shapes_take(s->env.shapes, opts->token, start->filters,
                            start->filter_count, &stream->shapes))
        return STREAMS_TOO_VARIED;
    if (stream_quota_take(s->env.quota, opts->token, opts->plan->connections))
        return STREAMS_ADOPTED;
    stream_shapes_give(s->env.shapes, stream->shapes);
    return STREAMS_TOO_MANY;
}

static enum streams_answer adopt_stream(struct streams *s, int fd,
                                        const struct stream_opts *opts)
{
    enum streams_answer answer = STREAMS_TOO_MANY;
    struct stream_start *start;

    assert((opts->door == NULL) == (opts->format->received == NULL));
    if ((opts->thing_count == 0 && opts->door == NULL) ||
        opts->thing_count > STREAM_FILTERS_MAX || !token_valid(opts->token))
        return STREAMS_TOO_MANY;
    start = make_start(fd, opts);
    if (start == NULL)
        return STREAMS_TOO_MANY;
    if (are_valid(start))
        answer = count_stream(s, start, opts);
    if (answer == STREAMS_ADOPTED) {
        if (streamer_adopt(least_loaded(s), start))
            return STREAMS_ADOPTED;
        stream_quota_give(s->env.quota, opts->token);
        stream_shapes_give(s->env.shapes, start->stream->shapes);
        answer = STREAMS_TOO_MANY;
    }
    free(start->stream);
    free(start);
    return answer;
}

enum streams_answer streams_adopt(struct streams *s, int fd,
                                  const struct stream_opts *opts)
{
    if (!streams_enter(s))
        return STREAMS_TOO_MANY;
    const enum streams_answer answer = adopt_stream(s, fd, opts);
    streams_leave(s);
    return answer;
}

bool streams_visit(struct streams *s, unsigned streamer,
                   struct stream_visit *v)
{
    if (!streams_enter(s))
        return false;
    const bool ok = streamer_visit(s->streamers[streamer], v);
    streams_leave(s);
    return ok;
}

size_t streams_count(struct streams *s)
{
    return (size_t)stream_quota_count(s->env.quota);
}

size_t streams_count_of(struct streams *s, struct slice token)
{
    return (size_t)stream_quota_count_of(s->env.quota, token);
}

void streams_dump(struct streams *s)
{
    for (unsigned i = 0; i < s->count; i++)
        streamer_dump(s->streamers[i]);
}
