#include "bridge/streamer.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "bridge/stream_private.h"

#define STARTS_BOUND 8192
#define FRAMES_BOUND 8192
#define FRAME_BYTES_MAX (32UL * 1024 * 1024) /* waiting in `frames` */
#define TURN_BYTES 1048576  /* of messages taken before they are sent */
#define COPIES_MAX 16777216 /* bytes put together for all audiences */
#define LARGE_EVENT 4096    /* sent alone, so that it need not be copied */
#define BATCH 256
#define SWEEP_S 0.5
#define STOP_S 0.05

void streamer_clock(struct streamer *st)
{
    st->now_ms = clock_mono_us() / 1000;
}

/* ---- live messages ------------------------------------------------------- */

static void flush_audience(struct streamer *st, struct audience *a)
{
    struct run *run = a->run;
    struct stream *s, *next;

    a->run = NULL;
    a->refs++; /* its last stream may go */
    for (s = LIST_FIRST(&a->streams); s != NULL; s = next) {
        next = LIST_NEXT(s, in_audience);
        if (s->state == STREAM_LIVE)
            stream_deliver(s, run);
    }
    run_unref(run);
    stream_leave_audience(st, a);
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

/* Its streams stay where the last flush left them and read on from there. */
static void replay_audience(struct streamer *st, struct audience *a)
{
    struct stream *s;

    log_error("stream", "out of memory: streams read on from the log");
    if (a->run != NULL) {
        STAILQ_REMOVE(&st->touched, a, audience, touched);
        run_unref(a->run);
        a->run = NULL;
    }
    LIST_FOREACH (s, &a->streams, in_audience)
        if (s->state == STREAM_LIVE)
            stream_to_replay(s);
}

struct delivery {
    struct streamer *st;
    const struct frame *frame;
    struct run *run; /* LARGE_EVENT: the one for all audiences */
};

static void touch(struct streamer *st, struct audience *a, struct run *run)
{
    a->run = run;
    if (run != NULL)
        STAILQ_INSERT_TAIL(&st->touched, a, touched);
}

static void give(void *arg, struct audience *a)
{
    const struct delivery *d = arg;

    if (a->live == 0)
        return;
    if (a->run == NULL)
        touch(d->st, a, run_new(&d->st->held));
    d->st->copied += d->frame->event.len;
    if (a->run == NULL || !run_append(a->run, d->frame->id, d->frame->event))
        replay_audience(d->st, a);
}

static void give_large(void *arg, struct audience *a)
{
    const struct delivery *d = arg;

    if (a->live == 0)
        return;
    if (d->run == NULL)
        replay_audience(d->st, a);
    else
        touch(d->st, a, run_ref(d->run));
}

/* Events are copied to each audience's run, so that a socket gets all of a turn
 * in one piece. What a client can make us hold that way is bounded: large ones
 * are not copied, and small ones are sent before they become too many. */
static void take_message(struct streamer *st, const struct frame *f)
{
    struct delivery d = {.st = st, .frame = f};

    if (f->event.len < LARGE_EVENT) {
        st->last_id = f->id;
        stream_index_match(&st->index, f->name, give, &d);
        if (st->copied >= COPIES_MAX)
            flush_touched(st);
        return;
    }
    flush_touched(st);
    st->last_id = f->id;
    d.run = run_new(&st->held);
    if (d.run != NULL && !run_append(d.run, f->id, f->event)) {
        run_unref(d.run);
        d.run = NULL;
    }
    stream_index_match(&st->index, f->name, give_large, &d);
    flush_touched(st);
    run_unref(d.run);
}

static void take_frame(struct streamer *st, const struct frame *f)
{
    switch (f->kind) {
    case FRAME_MESSAGE: take_message(st, f); break;
    case FRAME_GRANTED: streamer_granted(st, f->name); break;
    case FRAME_REVOKED:
        flush_touched(st); /* closing takes audiences away */
        stream_close_token(st, f->name);
        break;
    }
}

static void take_starts(struct streamer *st)
{
    void *items[BATCH];
    size_t n;

    while ((n = mailbox_receive(st->starts, items, BATCH)) > 0)
        for (size_t i = 0; i < n; i++)
            stream_begin(st, items[i]);
}

/* Flags are looked at after frames were received and before they are
 * delivered: the link's thread raises LOST before it sends what comes after
 * the hole. */
static void take_flags(struct streamer *st)
{
    if (atomic_load_explicit(&st->flags, memory_order_relaxed) == 0)
        return;
    const unsigned flags = atomic_exchange(&st->flags, 0);
    flush_touched(st);
    if ((flags & STREAMER_LOST) != 0)
        streamer_lose_all(st);
    if ((flags & STREAMER_REVALIDATE) != 0)
        streamer_check_tokens(st);
    if ((flags & STREAMER_STOP) != 0) {
        take_starts(st); /* all that will ever come */
        streamer_begin_stop(st);
    }
}

/* Everything that waits, up to TURN_BYTES; then each touched socket once. */
static void take_frames(struct streamer *st)
{
    void *items[BATCH];
    size_t n, bytes = 0;

    do {
        n = mailbox_receive(st->frames, items, BATCH);
        take_flags(st);
        for (size_t i = 0; i < n; i++) {
            struct frame *f = items[i];
            bytes += frame_size(f);
            take_frame(st, f);
            atomic_fetch_sub(&st->frame_bytes, frame_size(f));
            frame_unref(f);
        }
    } while (n == BATCH && bytes < TURN_BYTES);
    flush_touched(st);
    if (n == BATCH)
        ev_async_send(st->loop, &st->wake); /* there may be more */
}

static void on_wake(struct ev_loop *loop, ev_async *w, int events)
{
    struct streamer *st = w->data;

    (void)loop;
    (void)events;
    streamer_clock(st);
    take_starts(st);
    take_frames(st);
    streamer_relieve(st);
}

/* ---- memory -------------------------------------------------------------- */

static struct stream *longest_blocked(struct streamer *st)
{
    struct stream *s, *found = NULL;

    TAILQ_FOREACH (s, &st->all, in_all)
        if (!output_empty(&s->output) &&
            (found == NULL || s->sent_at_ms < found->sent_at_ms))
            found = s;
    return found;
}

void streamer_relieve(struct streamer *st)
{
    struct stream *s;

    if (st->held <= STREAMER_HELD_MAX)
        return;
    TAILQ_FOREACH (s, &st->all, in_all)
        if (s->state == STREAM_LIVE && !output_empty(&s->output))
            stream_to_replay(s);
    while (st->held > STREAMER_HELD_MAX && (s = longest_blocked(st)) != NULL) {
        stream_drop(s);
        st->dropped++;
    }
}

/* ---- life ---------------------------------------------------------------- */

static void wake(void *arg)
{
    struct streamer *st = arg;

    ev_async_send(st->loop, &st->wake);
}

static void *run(void *arg)
{
    struct streamer *st = arg;

    ev_run(st->loop, 0);
    return NULL;
}

static void make_watchers(struct streamer *st)
{
    ev_async_init(&st->wake, on_wake);
    ev_timer_init(&st->sweep, streamer_on_sweep, SWEEP_S, SWEEP_S);
    ev_timer_init(&st->replay, streamer_on_replay, 0., 0.);
    ev_timer_init(&st->stop, streamer_on_stop, 0., STOP_S);
    st->wake.data = st->sweep.data = st->replay.data = st->stop.data = st;
    ev_async_start(st->loop, &st->wake);
    ev_timer_start(st->loop, &st->sweep);
}

static bool make_streamer(struct streamer *st)
{
    stream_index_init(&st->index);
    TAILQ_INIT(&st->all);
    TAILQ_INIT(&st->runnable);
    TAILQ_INIT(&st->waiting);
    STAILQ_INIT(&st->touched);
    st->starts = mailbox_new(STARTS_BOUND, wake, st);
    st->frames = mailbox_new(FRAMES_BOUND, wake, st);
    st->loop = ev_loop_new(EVFLAG_AUTO);
    st->reader = store_reader_acquire(st->env.store);
    if (st->starts == NULL || st->frames == NULL || st->loop == NULL ||
        st->reader == NULL)
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
    if (make_streamer(st) && thread_start(&st->thread, name, run, st))
        return st;
    streamer_free(st);
    return NULL;
}

void streamer_tell_stop(struct streamer *st)
{
    atomic_fetch_or(&st->flags, STREAMER_STOP);
    wake(st);
}

void streamer_join(struct streamer *st)
{
    pthread_join(st->thread, NULL);
}

static void drop_frames(struct streamer *st)
{
    void *item;

    while (mailbox_receive(st->frames, &item, 1) == 1)
        frame_unref(item);
}

void streamer_free(struct streamer *st)
{
    if (st == NULL)
        return;
    if (st->frames != NULL)
        drop_frames(st);
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

size_t streamer_load(const struct streamer *st)
{
    return atomic_load(&st->load);
}

static void raise_flag(struct streamer *st, unsigned flag)
{
    atomic_fetch_or(&st->flags, flag);
    wake(st);
}

void streamer_post(struct streamer *st, struct frame *f)
{
    const size_t size = frame_size(f);

    frame_ref(f);
    if (atomic_fetch_add(&st->frame_bytes, size) + size <= FRAME_BYTES_MAX &&
        mailbox_send(st->frames, f))
        return;
    atomic_fetch_sub(&st->frame_bytes, size);
    /* A message is in the log, a revocation in the tokens, and who waits for a
     * subscription looks once a second anyway. */
    if (f->kind == FRAME_MESSAGE)
        raise_flag(st, STREAMER_LOST);
    else if (f->kind == FRAME_REVOKED)
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
