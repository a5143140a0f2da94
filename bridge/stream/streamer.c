#include "bridge/stream/streamer.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "bridge/stream/stream_private.h"

#define STARTS_BOUND 8192
#define FRAMES_BOUND 8192
#define VISITS_BOUND 8192
#define FRAME_BYTES_MAX (32UL * 1024 * 1024) /* waiting in `frames` */
#define TURN_BYTES 1048576  /* of messages handled before they are flushed */
#define COPIES_MAX 16777216 /* bytes copied for all audiences before a flush */
#define LARGE_EVENT 4096    /* larger events are sent alone, without a copy */
#define RUN_MOST 262144     /* a longer run absorbs nothing more … */
#define FLUSH_US 20000      /* … nor after this time … */
#define SHORT_FLUSH_US 4000 /* … or this, when streams wait to read the log */
#define VISITS_PER_LOOK 32  /* streams served between two checks for those */
#define BATCH 256
#define SWEEP_S 0.5
#define STOP_S 0.05

/* ---- frames that have arrived -------------------------------------------- */

/* Fills st->received with frames of the mailbox when all earlier ones are handled. false:
 * there are none. */
static bool receive_frames(struct streamer *st)
{
    if (st->received_at < st->received_count)
        return true;
    st->received_at = 0;
    st->received_count =
        mailbox_receive(st->frames, st->received, STREAMER_RECEIVED_MAX);
    return st->received_count > 0;
}

static struct frame *next_frame(struct streamer *st)
{
    struct frame *f = st->received[st->received_at++];

    atomic_fetch_sub(&st->frame_bytes, frame_size(f));
    return f;
}

/* ---- live messages ------------------------------------------------------- */

static bool absorb_frames(struct streamer *st, const struct run *run);

/* Sends all streams of the audience what they lack of its run, and repeats that while the run
 * has grown in between. So a new message is first sent to the stream that is next at that
 * moment, and every stream gets it together with the messages before it. With many readers
 * nearly all messages in flight go out in each send; if they had to wait for the end of the
 * pass, it would be half of them. */
static void flush_audience(struct streamer *st, struct audience *a)
{
    struct run *run =
        run_ref(a->run); /* audience_to_catchup() may release it */
    struct stream *s;
    bool more;
    unsigned visits = 0;

    st->flushing = a;
    do {
        more = false;
        LIST_FOREACH (s, &a->streams, in_audience) {
            if (s->state == STREAM_LIVE)
                stream_deliver(s, run);
            if (++visits % VISITS_PER_LOOK == 0)
                more = absorb_frames(st, run) || more;
        }
    } while (more);
    st->flushing = NULL;
    run_unref(a->run);
    a->run = NULL;
    run_unref(run);
}

static void flush_touched(struct streamer *st)
{
    struct audience *a;

    while ((a = STAILQ_FIRST(&st->touched)) != NULL) {
        STAILQ_REMOVE_HEAD(&st->touched, touched);
        flush_audience(st, a);
    }
    st->copied = 0;
}

/* Its streams keep the position of the last flush and read on from there. */
static void audience_to_catchup(struct streamer *st, struct audience *a)
{
    struct stream *s;

    log_error("stream", "out of memory: streams read on from the log");
    if (a->run != NULL) {
        if (a != st->flushing)
            STAILQ_REMOVE(&st->touched, a, audience, touched);
        run_unref(a->run);
        a->run = NULL;
    }
    LIST_FOREACH (s, &a->streams, in_audience)
        if (s->state == STREAM_LIVE)
            stream_to_catchup(s);
}

struct delivery {
    struct streamer *st;
    struct frame *frame;
    struct run *runs[STREAM_FORMAT_COUNT]; /* LARGE_EVENT: the ones for all
                                              audiences of a format */
};

static void touch_audience(struct streamer *st, struct audience *a,
                           struct run *run)
{
    a->run = run;
    if (run != NULL)
        STAILQ_INSERT_TAIL(&st->touched, a, touched);
}

static void add_to_audience(void *arg, struct audience *a)
{
    const struct delivery *d = arg;
    struct slice event;

    if (a->live == 0)
        return;
    if (a->run == NULL)
        touch_audience(d->st, a, run_new(&d->st->held));
    if (a->run != NULL &&
        frame_event(d->frame, a->format, &d->st->scratch, &event) &&
        run_append(a->run, d->frame->m.id, event))
        d->st->copied += event.len;
    else
        audience_to_catchup(d->st, a);
}

/* A run with this event alone, made for the first audience. NULL: out of memory. */
static struct run *run_with(struct delivery *d,
                            const struct stream_format *format, uint64_t mark)
{
    struct run *run = d->runs[format->number];
    struct slice event;

    if (run != NULL)
        return run;
    run = run_new(&d->st->held);
    if (run == NULL ||
        !frame_event(d->frame, format, &d->st->scratch, &event) ||
        !run_append(run, mark, event)) {
        run_unref(run);
        return NULL;
    }
    d->runs[format->number] = run;
    return run;
}

static struct run *large_run(struct delivery *d,
                             const struct stream_format *format)
{
    return run_with(d, format, d->frame->m.id);
}

static struct run *event_run(struct delivery *d,
                             const struct stream_format *format)
{
    return run_with(d, format, RUN_KEPT);
}

static void add_run_to_audience(void *arg, struct audience *a)
{
    struct delivery *d = arg;

    if (a->live == 0)
        return;
    struct run *run = large_run(d, a->format);
    if (run == NULL)
        audience_to_catchup(d->st, a);
    else
        touch_audience(d->st, a, run_ref(run));
}

static bool is_small(const struct frame *f)
{
    return f->kind == FRAME_MESSAGE && f->event_len < LARGE_EVENT;
}

static void handle_small(struct streamer *st, struct frame *f)
{
    struct delivery d = {.st = st, .frame = f};

    st->last_id = f->m.id;
    stream_index_match(&st->index, f->name, add_to_audience, &d);
}

static void handle_large(struct streamer *st, struct frame *f)
{
    struct delivery d = {.st = st, .frame = f};

    flush_touched(st);
    st->last_id = f->m.id;
    stream_index_match(&st->index, f->name, add_run_to_audience, &d);
    flush_touched(st);
    for (size_t i = 0; i < STREAM_FORMAT_COUNT; i++)
        run_unref(d.runs[i]);
}

/* A small event is copied to each audience's run, so that a socket gets all of a turn in one
 * piece. What a client can make us copy is bounded: large events are not copied, and small
 * ones are flushed before they become too many. */
static void handle_message(struct streamer *st, struct frame *f)
{
    if (!is_small(f)) {
        handle_large(st, f);
        return;
    }
    handle_small(st, f);
    if (st->copied >= COPIES_MAX)
        flush_touched(st);
}

/* Events are given to each stream at once: they do not move its position, and what is
 * behind in the audience's run must not be taken for new. */
static void tell_audience(void *arg, struct audience *a)
{
    struct delivery *d = arg;
    struct stream *s, *next;

    if (a->live == 0 || !a->format->takes_events)
        return;
    struct run *run = event_run(d, a->format);
    if (run == NULL)
        return;
    for (s = LIST_FIRST(&a->streams); s != NULL; s = next) {
        next = LIST_NEXT(s, in_audience);
        if (s->state == STREAM_LIVE)
            stream_tell(s, run);
    }
}

static void handle_event(struct streamer *st, struct frame *f)
{
    struct delivery d = {.st = st, .frame = f};

    flush_touched(st); /* messages that came before it */
    stream_index_match(&st->index, f->name, tell_audience, &d);
    for (size_t i = 0; i < STREAM_FORMAT_COUNT; i++)
        run_unref(d.runs[i]);
}

/* During the last flush of a turn: adds messages that have come in the meantime, as long as
 * they are small and for the audience that is being served. Everything else would make the
 * others wait. true: `run` has grown. */
static bool absorb_frames(struct streamer *st, const struct run *run)
{
    const size_t before = run->count;

    while (clock_mono_us() < st->flush_until_us && run->len < RUN_MOST &&
           STAILQ_EMPTY(&st->touched) && mailbox_count(st->starts) == 0 &&
           receive_frames(st) &&
           atomic_load_explicit(&st->flags, memory_order_relaxed) == 0 &&
           is_small(st->received[st->received_at])) {
        struct frame *f = next_frame(st);
        handle_small(st, f);
        frame_unref(f);
    }
    return run->count > before;
}

static void close_key(struct streamer *st, struct slice name)
{
    const struct slice tenant = topic_first_level(name);
    const size_t before = tenant.len + sizeof(FRAME_KEY_BETWEEN) - 1;

    streamer_close_key(st, tenant,
                       slice_of((const char *)name.data + before,
                                name.len - before));
}

static void handle_frame(struct streamer *st, struct frame *f)
{
    switch (f->kind) {
    case FRAME_MESSAGE: handle_message(st, f); break;
    case FRAME_EVENT: handle_event(st, f); break;
    case FRAME_GRANTED: streamer_granted(st, f->name); break;
    case FRAME_REVOKED:
        flush_touched(st); /* first, because closing frees audiences */
        stream_close_token(st, f->name);
        break;
    case FRAME_KEY_REVOKED:
        flush_touched(st);
        close_key(st, f->name);
        break;
    }
}

static void begin_streams(struct streamer *st)
{
    void *items[BATCH];
    size_t n;

    while ((n = mailbox_receive(st->starts, items, BATCH)) > 0)
        for (size_t i = 0; i < n; i++)
            stream_begin(st, items[i]);
}

/* Checks the flags after frames were received and before they are handled: the link's thread
 * raises LOST before it sends what comes after the hole. */
static void handle_flags(struct streamer *st)
{
    if (atomic_load_explicit(&st->flags, memory_order_relaxed) == 0)
        return;
    const unsigned flags = atomic_exchange(&st->flags, 0);
    flush_touched(st);
    if ((flags & STREAMER_LOST) != 0)
        streamer_lose_all(st);
    if ((flags & STREAMER_REVALIDATE) != 0)
        streamer_check_tokens(st);
    if ((flags & STREAMER_DUMP) != 0)
        streamer_log_state(st);
    if ((flags & STREAMER_STOP) != 0) {
        begin_streams(st); /* no others will come */
        streamer_begin_stop(st);
    }
}

/* Handles everything that waits, up to TURN_BYTES; then flushes each touched audience. */
static void handle_frames(struct streamer *st)
{
    size_t bytes = 0;
    bool some;

    do {
        some = receive_frames(st);
        handle_flags(st);
        while (st->received_at < st->received_count) {
            struct frame *f = next_frame(st);
            bytes += frame_size(f);
            handle_frame(st, f);
            frame_unref(f);
        }
    } while (some && bytes < TURN_BYTES);
    st->flush_until_us =
        clock_mono_us() +
        (TAILQ_EMPTY(&st->runnable) ? FLUSH_US : SHORT_FLUSH_US);
    flush_touched(st);
    st->flush_until_us = 0;
    if (receive_frames(st)) /* the mailbox wakes us once per burst only */
        ev_async_send(st->loop, &st->wake);
}

static void on_wake(struct ev_loop *loop, ev_async *w, int events)
{
    struct streamer *st = w->data;

    (void)loop;
    (void)events;
    streamer_clock(st);
    begin_streams(st);
    handle_frames(st);
    streamer_deliver_replies(st);
    streamer_relieve(st);
}

/* ---- visits -------------------------------------------------------------- */

void streamer_run_visits(struct streamer *st, bool runs)
{
    void *items[BATCH];
    size_t n;

    while ((n = mailbox_receive(st->visits, items, BATCH)) > 0)
        for (size_t i = 0; i < n; i++) {
            struct stream_visit *v = items[i];
            v->run(v, runs ? st : NULL);
        }
}

static void on_visit(struct ev_loop *loop, ev_async *w, int events)
{
    struct streamer *st = w->data;

    (void)loop;
    (void)events;
    streamer_clock(st);
    begin_streams(st); /* whom they visit */
    streamer_run_visits(st, true);
    streamer_relieve(st);
}

/* ---- life ---------------------------------------------------------------- */

static void wake_streamer(void *arg)
{
    struct streamer *st = arg;

    ev_async_send(st->loop, &st->wake);
}

static void wake_for_visits(void *arg)
{
    struct streamer *st = arg;

    ev_async_send(st->loop, &st->visit);
}

static void *run_streamer(void *arg)
{
    struct streamer *st = arg;

    ev_run(st->loop, 0);
    streamer_run_visits(st, false); /* no others will come */
    return NULL;
}

static void on_reap(struct ev_loop *loop, ev_prepare *w, int events)
{
    (void)loop;
    (void)events;
    streamer_reap(w->data);
}

static void make_watchers(struct streamer *st)
{
    ev_async_init(&st->wake, on_wake);
    ev_async_init(&st->visit, on_visit);
    /* What a client sent on its socket goes before the request it made after that. */
    ev_set_priority(&st->visit, EV_MINPRI);
    ev_timer_init(&st->sweep, streamer_on_sweep, SWEEP_S, SWEEP_S);
    ev_timer_init(&st->catchup, streamer_on_catchup, 0., 0.);
    ev_timer_init(&st->stop, streamer_on_stop, 0., STOP_S);
    ev_timer_init(&st->rest, streamer_on_rest, 0., 0.);
    ev_prepare_init(&st->reap, on_reap);
    st->reap.data = st;
    st->wake.data = st->sweep.data = st->catchup.data = st->stop.data = st;
    st->rest.data = st->visit.data = st;
    ev_async_start(st->loop, &st->wake);
    ev_async_start(st->loop, &st->visit);
    ev_timer_start(st->loop, &st->sweep);
    ev_prepare_start(st->loop, &st->reap);
}

static bool make_streamer(struct streamer *st)
{
    const bool indexed = stream_index_init(&st->index);
    TAILQ_INIT(&st->all);
    TAILQ_INIT(&st->runnable);
    TAILQ_INIT(&st->waiting);
    TAILQ_INIT(&st->gone);
    TAILQ_INIT(&st->resting);
    STAILQ_INIT(&st->touched);
    STAILQ_INIT(&st->replies);
    LIST_INIT(&st->requests);
    pthread_mutex_init(&st->replies_mutex, NULL);
    st->starts = mailbox_new(STARTS_BOUND, wake_streamer, st);
    st->frames = mailbox_new(FRAMES_BOUND, wake_streamer, st);
    st->visits = mailbox_new(VISITS_BOUND, wake_for_visits, st);
    st->loop = ev_loop_new(EVFLAG_AUTO);
    st->reader = store_reader_acquire(st->env.store);
    if (!indexed || st->starts == NULL || st->frames == NULL ||
        st->visits == NULL || st->loop == NULL || st->reader == NULL)
        return false;
    make_watchers(st);
    return true;
}

struct streamer *streamer_start(const struct streamer_env *env,
                                unsigned number)
{
    struct streamer *st = calloc(1, sizeof(*st));
    char name[24];

    if (st == NULL)
        return NULL;
    st->env = *env;
    st->number = number;
    (void)snprintf(name, sizeof(name), "streamer-%u", number);
    if (make_streamer(st) && thread_start(&st->thread, name, run_streamer, st))
        return st;
    streamer_free(st);
    return NULL;
}

void streamer_tell_stop(struct streamer *st)
{
    atomic_fetch_or(&st->flags, STREAMER_STOP);
    wake_streamer(st);
}

void streamer_join(struct streamer *st)
{
    pthread_join(st->thread, NULL);
}

static void drop_frames(struct streamer *st)
{
    while (receive_frames(st))
        frame_unref(next_frame(st));
}

void streamer_free(struct streamer *st)
{
    if (st == NULL)
        return;
    streamer_deliver_replies(st); /* replies that came too late */
    pthread_mutex_destroy(&st->replies_mutex);
    if (st->frames != NULL)
        drop_frames(st);
    if (st->loop != NULL)
        streamer_free_requests(st);
    mailbox_free(st->visits);
    mailbox_free(st->frames);
    mailbox_free(st->starts);
    stream_index_release(&st->index);
    if (st->reader != NULL)
        store_reader_release(st->reader);
    if (st->loop != NULL)
        ev_loop_destroy(st->loop);
    buffer_release(&st->scratch);
    free(st->marks);
    free(st);
}

/* ---- any thread ---------------------------------------------------------- */

bool streamer_adopt(struct streamer *st, struct stream_start *start)
{
    atomic_fetch_add(&st->load, 1);
    if (mailbox_send(st->starts, start))
        return true;
    atomic_fetch_sub(&st->load, 1);
    return false;
}

bool streamer_visit(struct streamer *st, struct stream_visit *v)
{
    return mailbox_send(st->visits, v);
}

size_t streamer_load(const struct streamer *st)
{
    return atomic_load(&st->load);
}

static void raise_flag(struct streamer *st, unsigned flag)
{
    atomic_fetch_or(&st->flags, flag);
    wake_streamer(st);
}

void streamer_dump(struct streamer *st)
{
    raise_flag(st, STREAMER_DUMP);
}

void streamer_post(struct streamer *st, struct frame *f)
{
    const size_t size = frame_size(f);

    frame_ref(f);
    if (atomic_fetch_add(&st->frame_bytes, size) + size <= FRAME_BYTES_MAX &&
        mailbox_send(st->frames, f))
        return;
    atomic_fetch_sub(&st->frame_bytes, size);
    /* Losing the others does no harm: a revocation is found in the tokens, and streams
     * that wait for a subscription check once a second anyway. */
    if (f->kind == FRAME_MESSAGE)
        raise_flag(st, STREAMER_LOST);
    else if (f->kind == FRAME_REVOKED || f->kind == FRAME_KEY_REVOKED)
        raise_flag(st, STREAMER_REVALIDATE);
    frame_unref(f);
}

void streamer_lost(struct streamer *st)
{
    raise_flag(st, STREAMER_LOST);
}

void streamer_revalidate(struct streamer *st)
{
    raise_flag(st, STREAMER_REVALIDATE);
}
