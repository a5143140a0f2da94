/* Streams that read the log: all at their beginning, slow ones, and all of them while the
 * link is down. How they go live without a gap or a duplicate:
 *
 * A snapshot with head H is taken after the SUBACKs of all the stream's filters had come
 * (a "moment", subscriptions.h). Whatever is committed after H comes over the link;
 * everything else is in the snapshot. So once the stream has been sent everything up to
 * H, its position is H and it is live; messages that still come with an id up to H are
 * duplicates. No message may be looked at between taking the snapshot and this decision;
 * both happen in one callback. */
#include <sodium.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "bridge/counters/bridge_counters.h"
#include "bridge/stream/stream_private.h"
#include "store/message_json.h"

#define STEP_BYTES 65536
#define STEP_US 1000 /* for one stream */
#define TURN_US 2000 /* for all; then live messages have their turn */
#define BUDGET 256   /* log entries to look at before reading the clock */
#define GAP_BUDGET                                                            \
    2048 /* things one stream may look at in a turn, to find gaps */
#define SCRATCH_KEEP 1048576

/* The view of the log that one turn has. */
struct view {
    struct streamer *st;
    uint64_t moment; /* before the snapshot */
    uint64_t head;
};

/* ---- one step ------------------------------------------------------------ */

static uint64_t jittered_retry(uint64_t retry_ms)
{
    return retry_ms * (800 + randombytes_uniform(401)) / 1000;
}

/* Response head, retry, status; and a gap if the cursor is from the future: that id came
 * from another log (a backup was restored), so what was missed is unknown. */
static void put_start(struct stream *s, const struct stream_start *start)
{
    struct streamer *st = s->streamer;
    const uint64_t retry_ms = start->retry_ms;

    buffer_put_slice(&st->scratch, start->response_head);
    stream_mark(st, RUN_KEPT);
    const struct stream_greeting greeting = {
        .retry_ms = start->is_local_plan ? jittered_retry(retry_ms) : retry_ms,
        .status_retry_ms = start->is_local_plan ? 0 : retry_ms,
    };
    s->format->start(&st->scratch, stream_state_of(s), &greeting);
    stream_mark(st, RUN_KEPT);
    if (start->has_cursor && start->cursor > start->head) {
        s->format->gap(&st->scratch, stream_state_of(s), start->cursor,
                       start->head, start->head);
        bridge_count(COUNT_STREAM_GAPS, 1);
        stream_mark(st, RUN_KEPT);
    }
}

static size_t filters_of(const struct audience *a,
                         struct slice ret_filters[STREAM_FILTERS_MAX])
{
    for (size_t i = 0; i < a->filter_count; i++)
        ret_filters[i] = a->filters[i].filter;
    return a->filter_count;
}

static uint64_t trimmed_of_things(const struct view *v, struct audience *a)
{
    struct slice filters[STREAM_FILTERS_MAX];

    if (a->trimmed_at == v->st->snapshot)
        return a->trimmed_id;
    const size_t count = filters_of(a, filters);
    a->trimmed_at = v->st->snapshot;
    if (!catchup_gap(v->st->reader, filters, count, 0, &a->trimmed_id))
        a->trimmed_id = 0;
    return a->trimmed_id;
}

static uint64_t trimmed_of_token(const struct view *v, struct audience *a)
{
    struct usage_row usage;

    if (a->trimmed_at == v->st->snapshot)
        return a->trimmed_id;
    a->trimmed_at = v->st->snapshot;
    a->trimmed_id =
        store_usage(v->st->reader, a->token->node.name, &usage) == STORE_OK
            ? usage.trimmed_id
            : 0;
    return a->trimmed_id;
}

/* Continues the audience's walk, or begins one. */
static void walk_on(const struct view *v, struct audience *a)
{
    struct slice filters[STREAM_FILTERS_MAX];
    const size_t count = filters_of(a, filters);
    const bool begins = a->walks_begun == a->walks_done;
    unsigned budget = GAP_BUDGET;

    if (begins) {
        gap_walk_release(&a->walk);
        a->walks_begun++;
        a->walk_mark = trimmed_of_token(v, a);
    }
    const bool done =
        gap_walk_step(&a->walk, v->st->reader, filters, count, &budget);
    if (done)
        a->walks_done = a->walks_begun;
    a->walk_is_long = !begins || !done;
}

static bool has_walked(const struct view *v, struct stream *s)
{
    struct audience *a = s->audience;

    if (a->walks_done < s->gap_walk)
        walk_on(v, a);
    if (a->walks_done < s->gap_walk)
        return false;
    if (a->walk_mark == trimmed_of_token(v, a) || a->walk_is_long)
        return true;
    /* A short walk of an earlier snapshot is repeated in this one. */
    stream_check_gap(s);
    walk_on(v, a);
    return a->walks_done >= s->gap_walk;
}

/* The same for patterns. While things are walked and, later, the log is read, more may be
 * removed; in each step's snapshot the token's mark shows it. A short walk is then
 * repeated. A long one must not be repeated for each trim: instead the mark itself is
 * sent as the end of the gap, although what was removed may not be this stream's. */
static bool find_trimmed_of_pattern(const struct view *v, struct stream *s,
                                    uint64_t *ret_to)
{
    struct audience *a = s->audience;
    const uint64_t mark = trimmed_of_token(v, a);

    *ret_to = 0;
    if (s->position >= v->head) { /* it has been sent everything there was */
        s->gap_walk = 0;
        s->gap_mark = mark;
        return true;
    }
    if (s->gap_walk == 0) {
        if (mark <= s->position || mark <= s->gap_mark)
            return true;
        stream_check_gap(s);
        if (a->walk_is_long)
            s->gap_walk = a->walks_done;
    }
    if (!has_walked(v, s))
        return false;
    s->gap_walk = 0;
    s->gap_mark = mark;
    *ret_to = mark == a->walk_mark ? a->walk.trimmed_id : mark;
    return true;
}

/* Finds up to which id things of s were removed. false: it takes another step. */
static bool find_trimmed(const struct view *v, struct stream *s,
                         uint64_t *ret_to)
{
    if (s->audience->has_pattern)
        return find_trimmed_of_pattern(v, s, ret_to);
    *ret_to = trimmed_of_things(v, s->audience);
    return true;
}

/* Sends a gap if retention has removed what this reader has not been sent. For exact
 * topics this is a look-up per step, in the step's own snapshot, so nothing is missed. For
 * patterns it is a walk over the token's things: each time the stream begins to read the
 * log, whenever it had to wait for its socket, and when something was removed in the
 * meantime. There may be very many things, so they are walked in slices, between which
 * all others have their turn, and the streams of an audience share the walk.
 * false: the walk must go on before the stream reads. */
static bool put_gap(const struct view *v, struct stream *s)
{
    uint64_t to;

    if (!find_trimmed(v, s, &to))
        return false;
    if (to <= s->position || to <= s->gap_told)
        return true;
    s->gap_told = to;
    s->format->gap(&v->st->scratch, stream_state_of(s), s->position + 1, to,
                   0);
    bridge_count(COUNT_STREAM_GAPS, 1);
    stream_mark(v->st, RUN_KEPT);
    return true;
}

static bool make_catchup(struct stream *s)
{
    const struct audience *a = s->audience;
    struct slice filters[STREAM_FILTERS_MAX];

    if (s->catchup != NULL)
        return true;
    const size_t count = filters_of(a, filters);
    s->catchup = catchup_new(filters, count, s->position, false);
    if (s->catchup != NULL)
        catchup_with_changes(s->catchup);
    return s->catchup != NULL;
}

/* A pattern may match topics that are not things (`<token>` itself, an empty level). */
static void put_record(struct stream *s, const struct record *record)
{
    const struct message *m = &record->m;
    struct stream_message shown = {
        .payload = m->payload,
        .payload_class = (enum payload_class)m->payload_class,
        .kind = m->kind,
        .sender = m->sender,
        .changed_us = m->changed_us,
        .changed_by = m->changed_by,
        .id = m->id,
        .at_us = m->at_us,
    };
    struct buffer json = BUFFER_INIT;

    if (!topic_split(m->topic, &shown.token, &shown.thing) ||
        stream_skips(s, m->topic, m->id))
        return;
    if (message_kind_is_change(m->kind)) {
        struct json_writer w = json_writer_of(&json);
        message_put_change(&w, m, shown.token, shown.thing);
        shown.payload = buffer_slice(&json);
    }
    if (buffer_ok(&json))
        s->format->message(&s->streamer->scratch, &shown);
    else
        s->streamer->scratch.failed = true;
    buffer_release(&json);
    stream_mark(s->streamer, m->id);
}

/* Collects events until the step is over. DONE: all up to the head. */
static enum catchup_step put_records(const struct view *v, struct stream *s)
{
    const int64_t until_us = clock_mono_us() + STEP_US;
    struct record record;

    for (;;) {
        const enum catchup_step step =
            catchup_next(s->catchup, v->st->reader, v->head, BUDGET, &record);
        if (step == CATCHUP_DONE || step == CATCHUP_FAILED)
            return step;
        if (step == CATCHUP_RECORD) {
            put_record(s, &record);
            bridge_count(COUNT_STREAM_CATCHUP_MESSAGES, 1);
        }
        if (v->st->scratch.len >= STEP_BYTES || clock_mono_us() >= until_us)
            return CATCHUP_MORE;
    }
}

static bool audience_stands(const struct view *v, const struct audience *a)
{
    for (size_t i = 0; i < a->filter_count; i++)
        if (!subscription_stands(v->st->env.subscriptions,
                                 a->filters[i].subscription, v->moment))
            return false;
    return true;
}

static void go_live(struct stream *s)
{
    stream_enqueue(s, QUEUE_NONE);
    catchup_free(s->catchup);
    s->catchup = NULL;
    s->state = STREAM_LIVE;
    s->audience->live++;
}

static bool is_revoked(const struct view *v, struct slice token)
{
    struct token_row row;

    switch (store_token(v->st->reader, token, &row)) {
    case STORE_OK: return token_row_is_closed(&row);
    case STORE_NOTFOUND:
        return v->st->env.config->tokens_access == ACCESS_REGISTERED;
    default:
        return false; /* it cannot be read, so we cannot say it is revoked */
    }
}

/* Sends what comes before messages. false: the stream is gone. */
static bool step_start(const struct view *v, struct stream *s)
{
    struct streamer *st = v->st;

    stream_clear_scratch(st);
    if (s->start == NULL)
        return true;
    /* The HTTP side has checked token and key, but a revocation since then would not
     * have found this stream, which was not listed yet. */
    if (is_revoked(v, s->audience->token->node.name) ||
        stream_key_is_gone(s)) {
        stream_drop(s);
        return false;
    }
    put_start(s, s->start);
    free(s->start);
    s->start = NULL;
    stream_watch(s); /* from now on its client may speak */
    return true;
}

/* Decides how the stream goes on; its bytes are sent. */
static void step_end(const struct view *v, struct stream *s,
                     enum catchup_step result)
{
    if (!output_empty(&s->output)) {
        stream_check_gap(s);
        stream_enqueue(s, QUEUE_NONE); /* until the socket is writable */
    } else if (result == CATCHUP_MORE) {
        stream_enqueue(s, QUEUE_RUNNABLE);
    } else if (result == CATCHUP_DONE && v->head >= v->st->last_id &&
               audience_stands(v, s->audience)) {
        go_live(s);
    } else {
        s->failed = result == CATCHUP_FAILED;
        stream_enqueue(s, QUEUE_WAITING);
    }
}

static void step_stream(const struct view *v, struct stream *s)
{
    struct streamer *st = v->st;
    enum catchup_step result = CATCHUP_FAILED;
    const bool begins = s->start != NULL;

    if (!step_start(v, s))
        return;
    if (s->audience->filter_count == 0) { /* it does not follow anything yet */
        s->position = v->head;
        result = CATCHUP_DONE;
    } else if (!put_gap(v, s)) {
        result = CATCHUP_MORE;
    } else if (make_catchup(s)) {
        result = put_records(v, s);
        s->position = catchup_position(s->catchup);
    }
    if (st->mark_count > 0)
        s->event_at_ms = st->now_ms;
    if (!stream_send_scratch(s))
        return;
    step_end(v, s, result);
    if (begins && s->client != NULL && s->client->door->begun != NULL)
        s->client->door->begun(s->client->state, s);
}

/* ---- all of them --------------------------------------------------------- */

static bool begin_view(struct streamer *st, struct view *ret_view)
{
    *ret_view = (struct view){
        .st = st,
        .moment = subscriptions_moment(st->env.subscriptions),
    };
    if (store_reader_begin(st->reader) != STORE_OK)
        return false;
    st->snapshot++;
    ret_view->head = store_head(st->reader);
    return true;
}

static void end_view(struct streamer *st)
{
    store_reader_end(st->reader);
    if (st->scratch.cap > SCRATCH_KEEP)
        buffer_release(&st->scratch);
}

/* The store cannot be read: all streams wait and try again with the next poll. */
static void wait_all(struct streamer *st)
{
    struct stream *s;

    while ((s = TAILQ_FIRST(&st->runnable)) != NULL) {
        s->failed = true;
        stream_enqueue(s, QUEUE_WAITING);
    }
}

void streamer_on_catchup(struct ev_loop *loop, ev_timer *w, int events)
{
    struct streamer *st = w->data;
    const int64_t until_us = clock_mono_us() + TURN_US;
    struct view v;
    struct stream *s;

    (void)loop;
    (void)events;
    streamer_clock(st);
    if (!begin_view(st, &v)) {
        wait_all(st);
        return;
    }
    while ((s = TAILQ_FIRST(&st->runnable)) != NULL) {
        step_stream(&v, s);
        if (clock_mono_us() >= until_us)
            break;
    }
    end_view(st);
    streamer_relieve(st);
    streamer_catchup_soon(st);
}

static void try_again(void *arg, struct audience *a)
{
    struct stream *s;

    (void)arg;
    LIST_FOREACH (s, &a->streams, in_audience)
        if (s->queue == QUEUE_WAITING)
            stream_enqueue(s, QUEUE_RUNNABLE);
}

void streamer_granted(struct streamer *st, struct slice filter)
{
    stream_index_followers(&st->index, filter, try_again, NULL);
}

void streamer_poll_head(struct streamer *st)
{
    struct view v;
    struct stream *s, *next;

    if (TAILQ_EMPTY(&st->waiting) || !begin_view(st, &v))
        return;
    end_view(st);
    for (s = TAILQ_FIRST(&st->waiting); s != NULL; s = next) {
        next = TAILQ_NEXT(s, in_queue);
        if (s->failed || s->position < v.head ||
            audience_stands(&v, s->audience))
            stream_enqueue(s, QUEUE_RUNNABLE);
    }
}

static void check_token(void *arg, struct name_node *n)
{
    const struct view *v = arg;

    if (is_revoked(v, n->name))
        stream_close_token(v->st, n->name); /* n is gone */
    else
        streamer_check_keys(v->st, n->name); /* n may be gone */
}

void streamer_check_tokens(struct streamer *st)
{
    struct view v;

    if (!begin_view(st, &v)) {
        /* Keep the flag: the next sweep wakes us again. */
        atomic_fetch_or(&st->flags, STREAMER_REVALIDATE);
        return;
    }
    name_table_each(&st->index.tokens, check_token, &v);
    end_view(st);
}

void streamer_check_some_tokens(struct streamer *st, size_t parts)
{
    struct view v;

    if (st->index.tokens.count == 0 || !begin_view(st, &v))
        return;
    name_table_some(&st->index.tokens, &st->tokens_at, parts, check_token, &v);
    end_view(st);
}
