#include "broker/worker.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/thread.h"
#include "broker/accept/connect.h"
#include "broker/accept/make_room.h"
#include "broker/admin/client_query.h"
#include "broker/admin/sys.h"
#include "broker/client/connection_counts.h"
#include "broker/client/key_end.h"
#include "broker/client/lobby.h"
#include "broker/client/spare.h"
#include "broker/deliver/backlog_turn.h"
#include "broker/fan_out/fan_out.h"
#include "broker/fan_out/sys_changes.h"
#include "broker/session/filters.h"
#include "broker/session/session.h"
#include "broker/session/session_restore.h"
#include "broker/session/session_save.h"
#include "broker/session/will.h"
#include "broker/share/share_catchup.h"
#include "broker/share/share_member.h"
#include "broker/share/share_save.h"
#include "broker/state_dump.h"

#define RESULTS_AT_ONCE 256
#define FAN_OUT_US 5000   /* longest fan-out before sockets are read again */
#define SAVE_WITHIN_S 1.0 /* stored sessions */
#define PHASE_TICK_S 0.02
#define CLOSING_US 1200000 /* time for DISCONNECT to reach the clients */

/* ---- events of connections ---------------------------------------------- */

/* connection_input.c accepts only CONNECT as the first packet. */
static void on_packet(struct connection *c, const struct packet_frame *f)
{
    if (c->state == CONNECTION_NEW)
        connect_received(c, f);
    else
        session_packet(c, f);
}

static void on_read(struct worker *w)
{
    publish_flush_if_enough(w, w->publishes);
}

static const struct connection_events connection_events = {
    .place = connect_place,
    .packet = on_packet,
    .broken = session_broken,
    .read = on_read,
    .ended = session_end,
    .hold_over = publish_hold_over,
    .writable = share_member_wake,
    .resume = connection_resume,
    .caught_up = filters_backlog_given,
    .greeted = filters_greeted,
};

/* ---- clocks and wake-ups ------------------------------------------------ */

static void wake_worker(void *arg)
{
    worker_wake(arg);
}

/* The turn does all the work; these only wake the loop. */
static void on_wake(struct ev_loop *loop, ev_async *async, int events)
{
    (void)loop;
    (void)async;
    (void)events;
}

static void on_again(struct ev_loop *loop, ev_idle *idle, int events)
{
    (void)loop;
    (void)idle;
    (void)events;
}

static void on_save_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct worker *w = timer->data;

    (void)loop;
    (void)events;
    w->save_all = true;
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)timer;
    (void)events;
}

static void on_sys_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct worker *w = timer->data;

    (void)loop;
    (void)events;
    sys_sample(w->hub, clock_mono_us());
}

/* Samples of the whole server are taken here, where devices cannot delay
 * them. */
static void start_sampling(struct worker *w)
{
    const double every_s = (double)w->hub->config->mqtt_sys_interval;

    w->sys_tick.data = w;
    ev_timer_init(&w->sys_tick, on_sys_tick, every_s, every_s);
    if (w->number == w->hub->count && every_s > 0)
        ev_timer_start(w->loop, &w->sys_tick);
}

static void update_clocks(struct worker *w)
{
    w->real_us = clock_real_us();
    w->mono_us = clock_mono_us();
}

/* The loop has woken, and is about to read sockets. */
static void on_check(struct ev_loop *loop, ev_check *check, int events)
{
    (void)loop;
    (void)events;
    update_clocks(check->data);
    turns_begin(check->data, connection_take_turn);
}

/* ---- mailboxes ---------------------------------------------------------- */

void worker_offer(struct worker *w, struct batch *b)
{
    /* Once one batch was left out, all are, until the worker has noticed:
     * batches in the mailbox must be older than those that are not. */
    if (atomic_load(&w->missed) == 0 &&
        atomic_load(&w->batch_bytes) < WORKER_BATCH_BYTES_MAX) {
        batch_ref(b);
        atomic_fetch_add(&w->batch_bytes, b->bytes);
        if (mailbox_send(w->batches, b))
            return;
        atomic_fetch_sub(&w->batch_bytes, b->bytes);
        batch_unref(b);
    }
    counter_add(&w->counters.dropped.event_batch, b->events);
    counter_add(&w->counters.batches_dropped, 1);
    atomic_store(&w->missed, b->head + 1);
    worker_wake(w);
}

static void take_results(struct worker *w)
{
    void *results[RESULTS_AT_ONCE];
    size_t count;

    do {
        count = mailbox_receive(w->results, results, RESULTS_AT_ONCE);
        for (size_t i = 0; i < count; i++)
            publish_finished(w, results[i]);
    } while (count == RESULTS_AT_ONCE);
}

static void take_moves(struct worker *w)
{
    void *moves[RESULTS_AT_ONCE];
    size_t count;

    do {
        count = mailbox_receive(w->moves, moves, RESULTS_AT_ONCE);
        for (size_t i = 0; i < count; i++)
            connection_attach(moves[i], w);
    } while (count == RESULTS_AT_ONCE);
}

/* Urgent sessions now, all others within a second. */
static void save_sessions(struct worker *w)
{
    session_save_turn(w, w->save_all);
    if (w->save_all || w->phase == HUB_DRAINING)
        share_save_all(w, w->phase == HUB_DRAINING);
    share_save_moving(w);
    w->save_all = false;
    if ((TAILQ_EMPTY(&w->unsaved) && w->share->groups == NULL) ||
        ev_is_active(&w->save_tick))
        return;
    ev_timer_set(&w->save_tick, SAVE_WITHIN_S, 0.);
    ev_timer_start(w->loop, &w->save_tick);
}

/* ---- the end of a turn -------------------------------------------------- */

/* Frees connections that have ended. Very many filters are removed over
 * several turns. true: some are left. */
static bool free_dead(struct worker *w, size_t filters)
{
    struct connection *c;

    while ((c = SLIST_FIRST(&w->dead)) != NULL) {
        if (c->filter_count > 0 && !filters_forget(c, &filters))
            return true;
        SLIST_REMOVE_HEAD(&w->dead, dead);
        connection_free(c);
    }
    return false;
}

/* ---- phases ------------------------------------------------------------- */

static void begin_draining(struct worker *w)
{
    struct connection *c, *next;

    listeners_stop(w);
    for (c = TAILQ_FIRST(&w->connections); c != NULL; c = next) {
        next = TAILQ_NEXT(c, all);
        if (c->state == CONNECTION_NEW)
            connection_close(c, CLOSE_SHUTDOWN, NULL);
        else if (c->state == CONNECTION_OPEN) {
            connection_stall(c);
            session_drain(c);
        }
    }
    share_save_all(w, true);
    w->is_busy = true;
    ev_timer_stop(w->loop, &w->tick);
    ev_timer_set(&w->tick, PHASE_TICK_S, PHASE_TICK_S);
    ev_timer_start(w->loop, &w->tick);
}

/* The writer has ended: all results are in the mailboxes. */
static void begin_closing(struct worker *w)
{
    struct connection *c, *next;

    take_results(w);
    (void)fan_out_turn(w, 0);
    for (c = TAILQ_FIRST(&w->connections); c != NULL; c = next) {
        next = TAILQ_NEXT(c, all);
        connection_close(c, CLOSE_SHUTDOWN, NULL);
    }
    w->closing_until_us = clock_mono_us() + CLOSING_US;
}

static void end_all(struct worker *w)
{
    struct connection *c, *next;

    for (c = TAILQ_FIRST(&w->connections); c != NULL; c = next) {
        next = TAILQ_NEXT(c, all);
        connection_end(c);
    }
}

static void follow_phase(struct worker *w)
{
    const enum hub_phase phase = (enum hub_phase)atomic_load(&w->hub->phase);

    if (w->phase == HUB_SERVING && phase != HUB_SERVING) {
        w->phase = HUB_DRAINING;
        begin_draining(w);
    }
    if (w->phase == HUB_DRAINING && w->is_busy && share_is_quiet(w) &&
        credits_all_back(&w->credits)) {
        w->is_busy = false;
        atomic_fetch_sub(&w->hub->busy, 1);
    }
    if (w->phase == HUB_DRAINING && phase == HUB_CLOSING) {
        w->phase = HUB_CLOSING;
        begin_closing(w);
    }
    if (w->phase != HUB_CLOSING)
        return;
    if (w->mono_us > w->closing_until_us)
        end_all(w);
    if (TAILQ_EMPTY(&w->connections))
        ev_break(w->loop, EVBREAK_ALL);
}

/* ---- the turn ----------------------------------------------------------- */

static void on_turn(struct ev_loop *loop, ev_prepare *prepare, int events)
{
    struct worker *w = prepare->data;
    bool more;

    (void)events;
    update_clocks(w);
    atomic_store_explicit(&w->liveness_round,
                          atomic_load(&w->hub->liveness_round),
                          memory_order_relaxed);
    state_dump_turn(w);
    ev_idle_stop(loop, &w->again);
    publish_flush(w); /* the writer works while this turn does the rest */
    make_room_turn(w);
    take_moves(w);
    take_results(w);
    publish_submit_waiting(w);
    wills_turn(w);
    more = session_restore_turn(w);
    credits_resume_waiting(w);
    more |= share_take(w);
    more |= fan_out_turn(w, FAN_OUT_US);
    key_end_turn(w);
    connection_resume_behind(w);
    sys_changes_turn(w);
    more |= share_catchup_turn(w);
    more |= backlog_turn(w);
    more |= client_query_turn(w);
    save_sessions(w);
    connection_flush_touched(w);
    follow_phase(w);
    connection_flush_touched(w);
    publish_flush(w);
    share_send(w);
    more |= free_dead(w, SESSION_ROWS_PER_TURN);
    if (more || !TAILQ_EMPTY(&w->turns.waiting))
        worker_again(w);
}

static void *worker_serve(void *arg)
{
    struct worker *w = arg;

    ev_run(w->loop, 0);
    return NULL;
}

/* ---- life --------------------------------------------------------------- */

static bool make_parts(struct worker *w)
{
    w->results = mailbox_new(WORKER_COMMANDS_MAX, wake_worker, w);
    w->batches = mailbox_new(WORKER_BATCHES_MAX, wake_worker, w);
    w->moves = mailbox_new(WORKER_MOVES_MAX, wake_worker, w);
    w->questions = mailbox_new(WORKER_QUESTIONS_MAX, wake_worker, w);
    w->loop = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
    w->index = subscription_index_new();
    w->read_buffer = malloc(2 * WORKER_READ_SIZE);
    return w->results != NULL && w->batches != NULL && w->moves != NULL &&
           w->questions != NULL && w->loop != NULL && w->index != NULL &&
           w->read_buffer != NULL && lobby_open(w, connection_readable) &&
           share_init(w);
}

/* A worker, and the data of the layers above client/, in one block. */
struct worker_block {
    struct worker worker;
    struct publish_pool publishes;
    struct share share;
    struct sys_values sys;
    struct listeners listeners;
};

/* NULL: out of memory. */
static struct worker *make_block(void)
{
    struct worker_block *block = calloc(1, sizeof(*block));

    if (block == NULL)
        return NULL;
    struct worker *w = &block->worker;
    w->publishes = &block->publishes;
    w->share = &block->share;
    w->sys = &block->sys;
    w->listeners = &block->listeners;
    w->events = &connection_events;
    return w;
}

static void free_block(struct worker *w)
{
    free((struct worker_block *)((char *)w -
                                 offsetof(struct worker_block, worker)));
}

struct worker *worker_new(struct hub *hub, unsigned number, uint64_t head)
{
    struct worker *w = make_block();

    if (w == NULL)
        return NULL;
    w->hub = hub;
    w->number = number;
    w->lobby_fd = -1;

    w->head = head;
    TAILQ_INIT(&w->connections);
    spare_init(w);
    turns_init(&w->turns);
    TAILQ_INIT(&w->starving);
    TAILQ_INIT(&w->behind);
    TAILQ_INIT(&w->unsaved);
    TAILQ_INIT(&w->due_wills);
    TAILQ_INIT(&w->restores);
    SLIST_INIT(&w->dead);
    publish_pool_init(w->publishes);
    if (!make_parts(w)) {
        worker_free(w);
        return NULL;
    }
    ev_async_init(&w->wake, on_wake);
    ev_prepare_init(&w->turn, on_turn);
    ev_check_init(&w->check, on_check);
    ev_set_priority(&w->check, EV_MAXPRI); /* before the sockets' callbacks */
    ev_idle_init(&w->again, on_again);
    ev_init(&w->tick, on_tick);
    ev_init(&w->save_tick, on_save_tick);
    key_end_init(w);
    listeners_init(w);
    w->turn.data = w->check.data = w->save_tick.data = w;
    ev_async_start(w->loop, &w->wake);
    ev_prepare_start(w->loop, &w->turn);
    ev_check_start(w->loop, &w->check);
    start_sampling(w);
    update_clocks(w);
    return w;
}

bool worker_start(struct worker *w)
{
    char name[24] = "admin";

    if (w->number != w->hub->count)
        (void)snprintf(name, sizeof(name), "worker-%u", w->number);
    w->started = thread_start(&w->thread, name, worker_serve, w);
    return w->started;
}

void worker_join(struct worker *w)
{
    if (w->started)
        pthread_join(w->thread, NULL);
    w->started = false;
}

/* Items that arrived after the thread ended, or before it started. */
static void empty_mailboxes(struct worker *w)
{
    void *item;

    while (w->moves != NULL && mailbox_receive(w->moves, &item, 1) == 1) {
        connection_counts_closed(w->hub, item);
        connection_free(item);
    }
    while (w->results != NULL && w->hub->writer != NULL &&
           !credits_all_back(&w->credits)) {
        publish_submit_waiting(w);
        publish_flush(w); /* answered at once: the writer has ended */
        take_results(w);
    }
    while (w->batches != NULL && mailbox_receive(w->batches, &item, 1) == 1)
        batch_unref(item);
    if (w->current != NULL)
        batch_unref(w->current);
}

void worker_free(struct worker *w)
{
    if (w == NULL)
        return;
    client_query_release(
        w); /* the admin worker, which asked, is the last to go */
    empty_mailboxes(w);
    share_release(w);
    (void)free_dead(w, SIZE_MAX);
    wills_release(w);
    lobby_close(w);
    publish_pool_release(w->publishes);
    refusals_release(&w->refusals);
    for (unsigned i = 0; i < IMAGE_SHAPES; i++)
        arena_release(&w->arenas[i], &w->pool);
    block_pool_release(&w->pool);
    buffer_release(&w->scratch);
    buffer_release(&w->mounted);
    subscription_index_free(w->index);
    mailbox_free(w->results);
    mailbox_free(w->batches);
    mailbox_free(w->moves);
    if (w->loop != NULL)
        ev_loop_destroy(w->loop);
    free(w->hits);
    free(w->identifiers.items);
    free(w->read_buffer);
    free_block(w);
}
