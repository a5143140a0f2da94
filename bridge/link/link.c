#include "bridge/link/link_private.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "bridge/counters/bridge_counters.h"
#include "bridge/link/link_bundle.h"
#include "bridge/link/link_properties.h"

#define DEADLINES_S 0.1 /* how often deadlines are checked */
#define BATCH 64

/* ---- the link's thread --------------------------------------------------- */

static void take_requests(struct link *l)
{
    void *items[BATCH];
    size_t n;

    while ((n = mailbox_receive(l->requests, items, BATCH)) > 0)
        for (size_t i = 0; i < n; i++)
            link_queue_accept(&l->queue, items[i]);
    if (l->queue.count > 0 && !ev_is_active(&l->deadlines))
        ev_timer_again(l->loop, &l->deadlines);
}

static void answer_expired(struct link *l, int64_t now_us)
{
    struct link_request_queue expired = TAILQ_HEAD_INITIALIZER(expired);
    struct link_request *q;
    const int64_t down_since_us = atomic_load(&l->down_since_us);
    const bool away =
        down_since_us != 0 && now_us - down_since_us >= LINK_PATIENCE_US;

    link_queue_expire(&l->queue, now_us, away, &expired);
    while ((q = TAILQ_FIRST(&expired)) != NULL) {
        TAILQ_REMOVE(&expired, q, entry);
        link_queue_answer(&l->queue, q);
    }
}

/* While stopping: goes on until everything is answered, or the grace period is over.
 * (The timer of the deadlines runs as long as a request is unanswered.) */
static void stop_when_done(struct link *l)
{
    const int64_t now_us = clock_mono_us();

    if (!atomic_load(&l->stopping))
        return;
    if (l->stop_at_us == 0)
        l->stop_at_us = now_us + (int64_t)l->grace_ms * 1000;
    if (l->queue.count == 0 || now_us >= l->stop_at_us)
        ev_break(l->loop, EVBREAK_ALL);
}

static void log_state(struct link *l)
{
    if (!atomic_exchange(&l->dump, false))
        return;
    log_info("state",
             "link: %s; %zu requests, %zu of them waiting, in %u of %u "
             "PUBLISHes in flight; %u subscriptions in flight; mailboxes: %zu "
             "requests, %zu filters",
             atomic_load(&l->generation) != 0 ? "up" : "down", l->queue.count,
             l->queue.waiting_count, l->in_flight, l->window,
             l->filters_in_flight_count, mailbox_count(l->requests),
             mailbox_count(l->filters));
}

/* Called before the loop waits again, since a callback may have freed room or brought
 * work: publishes requests that wait, subscribes to filters that wait, and watches the
 * socket for what is needed. */
static void on_go_on(struct ev_loop *loop, ev_prepare *w, int events)
{
    struct link *l = w->data;

    (void)loop;
    (void)events;
    log_state(l);
    take_requests(l);
    link_check(l, link_filters_ask(l));
    link_publish_waiting(l);
    link_watch(l);
    bridge_note_oldest_request(link_queue_oldest_us(&l->queue));
    stop_when_done(l);
}

static void on_wake(struct ev_loop *loop, ev_async *w, int events)
{
    (void)loop;
    (void)w;
    (void)events; /* on_go_on() runs next and does the work */
}

static void on_deadlines(struct ev_loop *loop, ev_timer *w, int events)
{
    struct link *l = w->data;

    (void)events;
    answer_expired(l, clock_mono_us());
    if (l->queue.count == 0)
        ev_timer_stop(loop, w);
    stop_when_done(l);
}

static void on_gather(struct ev_loop *loop, ev_timer *w, int events)
{
    struct link *l = w->data;

    (void)loop;
    (void)events;
    l->gathered = true;
}

static void on_misc(struct ev_loop *loop, ev_timer *w, int events)
{
    struct link *l = w->data;

    (void)loop;
    (void)events;
    if (l->mosq == NULL)
        return;
    link_filters_say_refused(l);
    l->reason = 0;
    link_check(l, mosquitto_loop_misc(l->mosq));
}

static void on_reconnect(struct ev_loop *loop, ev_timer *w, int events)
{
    (void)loop;
    (void)events;
    link_connect(w->data);
}

/* Requests still unanswered when the grace period ends: report "unknown" or "never
 * sent", not a guess. */
static void answer_rest(struct link *l)
{
    struct link_request_queue rest = TAILQ_HEAD_INITIALIZER(rest);
    struct link_request *q;

    take_requests(l);
    link_queue_expire(&l->queue, INT64_MAX, true, &rest);
    while ((q = TAILQ_FIRST(&rest)) != NULL) {
        TAILQ_REMOVE(&rest, q, entry);
        link_queue_answer(&l->queue, q);
    }
}

static void *run_link(void *arg)
{
    struct link *l = arg;

    link_connect(l);
    ev_run(l->loop, 0);
    answer_rest(l);
    link_disconnect(l);
    atomic_store(&l->generation, 0);
    return NULL;
}

/* ---- start and end ------------------------------------------------------- */

static void wake_link(void *arg)
{
    struct link *l = arg;

    ev_async_send(l->loop, &l->wake);
}

/* connect(2) accepts paths of up to 107 bytes; a longer one is reached through a
 * descriptor of its folder. */
static bool make_address(struct link *l)
{
    char *slash = strrchr(l->path, '/');
    int n;

    if (strlen(l->path) < sizeof(l->address) || slash == NULL) {
        n = snprintf(l->address, sizeof(l->address), "%s", l->path);
        return n > 0 && (size_t)n < sizeof(l->address);
    }
    *slash = 0;
    l->dir_fd = open(l->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    *slash = '/';
    n = snprintf(l->address, sizeof(l->address), "/proc/self/fd/%d/%s",
                 l->dir_fd, slash + 1);
    return l->dir_fd >= 0 && n > 0 && (size_t)n < sizeof(l->address);
}

static bool make_boot_id(struct link *l)
{
    uint64_t id;

    if (getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id))
        return false;
    snprintf(l->boot, sizeof(l->boot), "%016llx", (unsigned long long)id);
    return true;
}

static void make_watchers(struct link *l)
{
    ev_async_init(&l->wake, on_wake);
    ev_prepare_init(&l->go_on, on_go_on);
    ev_timer_init(&l->misc, on_misc, 1.0, 1.0);
    ev_timer_init(&l->deadlines, on_deadlines, 0, DEADLINES_S);
    ev_timer_init(&l->reconnect, on_reconnect, 0, 0);
    ev_timer_init(&l->gather, on_gather, 0, 0);
    l->wake.data = l->go_on.data = l->misc.data = l->deadlines.data =
        l->reconnect.data = l->gather.data = l;
    ev_async_start(l->loop, &l->wake);
    ev_prepare_start(l->loop, &l->go_on);
    ev_timer_start(l->loop, &l->misc);
}

static bool make_link(struct link *l, const struct link_opts *opts)
{
    l->opts = *opts;
    l->dir_fd = -1;
    l->queue_bound =
        opts->queue_bound == 0 ? LINK_QUEUE_BOUND : opts->queue_bound;
    l->path = strdup(opts->socket_path);
    if (l->path == NULL || !make_address(l) || !make_boot_id(l))
        return false;
    l->opts.socket_path = l->path;
    if (l->opts.gather_s <= 0)
        l->opts.gather_s = LINK_GATHER_S;
    link_queue_init(&l->queue);
    for (size_t i = 0; i < LINK_FILTER_SLOTS; i++)
        LIST_INIT(&l->filters_in_flight[i]);
    l->backoff_s = LINK_BACKOFF_S;
    atomic_store(&l->down_since_us, clock_mono_us());
    l->requests = mailbox_new(l->queue_bound, wake_link, l);
    l->filters = mailbox_new(LINK_FILTERS_BOUND, wake_link, l);
    l->loop = ev_loop_new(EVFLAG_AUTO);
    if (l->requests == NULL || l->filters == NULL || l->loop == NULL)
        return false;
    make_watchers(l);
    return true;
}

static void release_link(struct link *l)
{
    if (l->filters != NULL)
        link_filters_drop(l);
    mailbox_free(l->filters);
    mailbox_free(l->requests);
    if (l->loop != NULL)
        ev_loop_destroy(l->loop);
    if (l->dir_fd >= 0)
        close(l->dir_fd);
    buffer_release(&l->topic);
    buffer_release(&l->bundle);
    free(l->path);
    free(l);
    mosquitto_lib_cleanup();
}

struct link *link_start(const struct link_opts *opts)
{
    struct link *l = calloc(1, sizeof(*l));

    if (l == NULL)
        return NULL;
    mosquitto_lib_init();
    /* The thread gets no signals, not even SIGPIPE: libmosquitto uses write(). */
    if (make_link(l, opts) && thread_start(&l->thread, "link", run_link, l))
        return l;
    release_link(l);
    return NULL;
}

void link_stop(struct link *l, unsigned grace_ms)
{
    if (l == NULL)
        return;
    l->grace_ms = grace_ms;
    atomic_store(&l->stopping, true);
    /* Calls that began before have sent by then, so nothing is sent unnoticed. */
    while (atomic_load(&l->callers) != 0)
        sched_yield();
    wake_link(l);
    pthread_join(l->thread, NULL);
}

void link_free(struct link *l)
{
    if (l != NULL)
        release_link(l);
}

/* ---- any thread ---------------------------------------------------------- */

void link_dump(struct link *l)
{
    atomic_store(&l->dump, true);
    wake_link(l);
}

bool link_is_up(const struct link *l)
{
    return atomic_load(&l->generation) != 0;
}

static bool link_enter(struct link *l)
{
    atomic_fetch_add(&l->callers, 1);
    if (!atomic_load(&l->stopping))
        return true;
    atomic_fetch_sub(&l->callers, 1);
    return false;
}

static void link_leave(struct link *l)
{
    atomic_fetch_sub(&l->callers, 1);
}

static bool is_away(struct link *l)
{
    const int64_t since_us = atomic_load(&l->down_since_us);

    return since_us != 0 && clock_mono_us() - since_us >= LINK_PATIENCE_US;
}

static bool send_request(struct link *l, struct link_request *q)
{
    if (is_away(l)) {
        q->outcome = LINK_AWAY;
        return false;
    }
    q->outcome = LINK_FULL;
    if (!link_queue_admit(&l->queue, q, l->queue_bound)) {
        bridge_count(COUNT_LINK_FULL, 1);
        return false;
    }
    q->asked_us = clock_mono_us();
    bridge_count(COUNT_LINK_WAITING, 1);
    if (mailbox_send(l->requests, q)) /* q may be answered and gone by now */
        return true;
    bridge_uncount(COUNT_LINK_WAITING, 1);
    link_queue_dismiss(&l->queue, q);
    return false;
}

bool link_publish(struct link *l, struct link_request *q)
{
    q->outcome = LINK_AWAY;
    if (!link_enter(l))
        return false;
    link_clear_answer(q);
    q->operation = 0;
    q->may_share = link_bundle_takes(q);
    const bool ok = send_request(l, q);
    link_leave(l);
    return ok;
}

bool link_subscribe(struct link *l, struct slice filter)
{
    if (!link_enter(l))
        return false;
    const bool ok = link_filter_send(l, filter, true);
    link_leave(l);
    return ok;
}

bool link_unsubscribe(struct link *l, struct slice filter)
{
    if (!link_enter(l))
        return false;
    const bool ok = link_filter_send(l, filter, false);
    link_leave(l);
    return ok;
}
