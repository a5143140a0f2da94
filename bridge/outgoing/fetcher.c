#include "bridge/outgoing/fetcher.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mailbox.h"
#include "base/thread.h"
#include "bridge/counters/bridge_counters.h"
#include "bridge/outgoing/fetch_private.h"

#define QUEUE 4096
#define QUEUE_BYTES ((size_t)64 << 20)
#define CONCURRENT 256
#define PER_HOST 8
#define PER_OWNER 32
#define BATCH 64
#define KEPT_CONNECTIONS 64L /* idle ones, for further requests */

struct fetcher {
    struct fetcher_opts opts;
    struct address_policy policy;
    int ca_fd; /* of the next; -1: the system's CAs only */
    char ca_file[256];

    /* any thread */
    struct mailbox *mailbox; /* fetches that want something */
    atomic_size_t count, bytes;
    atomic_size_t waiting, under_way; /* copies, for figures */
    atomic_bool stopping;
    atomic_uint callers; /* inside of a function; see wait_for_callers() */

    /* its own thread */
    pthread_t thread;
    struct ev_loop *loop;
    ev_async wake;
    ev_prepare go_on; /* before each wait: what there is to do now */
    ev_timer timer;   /* libcurl's */
    CURLM *multi;
    struct fetches fetches; /* that have not ended */
    struct fetch_turns turns;
};

/* A socket of libcurl's and what it waits for. */
struct fetch_socket {
    ev_io io;
    struct fetcher *fetcher;
};

/* ---- references and wishes: any thread ----------------------------------- */

static void drop(struct fetch *f)
{
    struct fetcher *c = f->fetcher;

    if (atomic_fetch_sub(&f->refs, 1) > 1)
        return;
    const size_t bytes = f->bytes;
    fetch_free(f);
    atomic_fetch_sub(&c->bytes, bytes);
    atomic_fetch_sub(&c->count, 1);
}

static bool enter(struct fetcher *c)
{
    atomic_fetch_add(&c->callers, 1);
    if (!atomic_load(&c->stopping))
        return true;
    atomic_fetch_sub(&c->callers, 1);
    return false;
}

/* They do not block, and once it is stopping no more come in. */
static void wait_for_callers(struct fetcher *c)
{
    while (atomic_load(&c->callers) != 0)
        sched_yield();
}

static void leave(struct fetcher *c)
{
    atomic_fetch_sub(&c->callers, 1);
}

/* Puts it into the mailbox unless it is there already. */
static void post(struct fetch *f, unsigned wants)
{
    if ((atomic_fetch_or(&f->wanted, wants | WANT_POSTED) & WANT_POSTED) != 0)
        return;
    atomic_fetch_add(&f->refs, 1);
    const bool sent = mailbox_send(f->fetcher->mailbox, f);
    (void)sent;
    assert(sent); /* it has as much room as there are fetches */
}

static bool admit(struct fetcher *c, size_t bytes)
{
    if (atomic_fetch_add(&c->count, 1) >= c->opts.queue) {
        atomic_fetch_sub(&c->count, 1);
        return false;
    }
    if (atomic_fetch_add(&c->bytes, bytes) + bytes <= c->opts.queue_bytes)
        return true;
    atomic_fetch_sub(&c->bytes, bytes);
    atomic_fetch_sub(&c->count, 1);
    return false;
}

static enum fetch_outcome refuse(enum fetch_outcome why, char *ret_text)
{
    snprintf(ret_text, FETCH_TEXT_MAX, "%s", fetch_outcome_text(why));
    return why;
}

static enum fetch_outcome submit(struct fetcher *c,
                                 const struct fetch_request *q,
                                 struct fetch **ret_fetch, char *ret_text)
{
    enum fetch_outcome outcome;
    struct fetch *f = fetch_new(q, &outcome, ret_text);

    if (f == NULL)
        return outcome;
    if (!admit(c, f->bytes)) {
        fetch_free(f);
        bridge_count(COUNT_OUTGOING_FULL, 1);
        return refuse(FETCH_QUEUE_FULL, ret_text);
    }
    f->fetcher = c;
    atomic_store(&f->refs, ret_fetch != NULL ? 2 : 1);
    if (ret_fetch != NULL)
        *ret_fetch = f;
    post(f, WANT_START);
    return FETCH_ACCEPTED;
}

enum fetch_outcome fetcher_submit(struct fetcher *c,
                                  const struct fetch_request *q,
                                  struct fetch **ret_fetch, char *ret_text)
{
    char unread[FETCH_TEXT_MAX];

    if (ret_text == NULL)
        ret_text = unread;
    if (!enter(c))
        return refuse(FETCH_STOPPED, ret_text);
    const enum fetch_outcome outcome = submit(c, q, ret_fetch, ret_text);
    leave(c);
    return outcome;
}

static void want(struct fetch *f, unsigned what)
{
    struct fetcher *c = f->fetcher;

    if (!enter(c))
        return; /* everything ends anyway */
    post(f, what);
    leave(c);
}

void fetch_cancel(struct fetch *f)
{
    want(f, WANT_CANCEL);
}

void fetch_resume(struct fetch *f)
{
    want(f, WANT_RESUME);
}

void fetch_unref(struct fetch *f)
{
    if (f != NULL)
        drop(f);
}

void fetcher_stats(struct fetcher *c, struct fetcher_stats *ret_stats)
{
    *ret_stats = (struct fetcher_stats){
        .fetches = atomic_load(&c->count),
        .waiting = atomic_load(&c->waiting),
        .under_way = atomic_load(&c->under_way),
        .bytes = atomic_load(&c->bytes),
    };
}

void fetcher_dump(struct fetcher *c)
{
    struct fetcher_stats s;

    fetcher_stats(c, &s);
    log_info("state",
             "outgoing: %zu of %zu requests, %zu waiting, %zu in flight; %zu "
             "of %zu bytes",
             s.fetches, c->opts.queue, s.waiting, s.under_way, s.bytes,
             c->opts.queue_bytes);
}

/* ---- the end of a fetch: the fetcher's thread from here on --------------- */

static void count_outcome(enum fetch_outcome outcome)
{
    switch (outcome) {
    case FETCH_ANSWERED: bridge_count(COUNT_OUTGOING_ANSWERED, 1); break;
    case FETCH_ADDRESS_REFUSED: bridge_count(COUNT_OUTGOING_REFUSED, 1); break;
    case FETCH_CONNECT_TIMEOUT:
    case FETCH_IDLE_TIMEOUT:
    case FETCH_TOTAL_TIMEOUT: bridge_count(COUNT_OUTGOING_TIMEOUT, 1); break;
    case FETCH_CANCELLED:
    case FETCH_STOPPED: bridge_count(COUNT_OUTGOING_CANCELLED, 1); break;
    default: bridge_count(COUNT_OUTGOING_FAILED, 1);
    }
}

/* Not inside of a callback of libcurl's. */
static void finish(struct fetcher *c, struct fetch *f,
                   enum fetch_outcome outcome)
{
    f->ended = true;
    ev_timer_stop(c->loop, &f->idle);
    if (f->easy != NULL) {
        /* Closes the connection unless all of the answer was read. */
        curl_multi_remove_handle(c->multi, f->easy);
        curl_easy_cleanup(f->easy);
        f->easy = NULL;
    }
    if (f->turn.lane != NULL)
        fetch_turns_leave(&c->turns, &f->turn);
    TAILQ_REMOVE(&c->fetches, f, entry);
    count_outcome(outcome);
    fetch_end(f, outcome);
    drop(f);
}

static void finish_done(struct fetcher *c)
{
    struct CURLMsg *m;
    int left;

    while ((m = curl_multi_info_read(c->multi, &left)) != NULL) {
        char *f = NULL;
        if (m->msg != CURLMSG_DONE)
            continue;
        const CURLcode result = m->data.result; /* m goes with the handle */
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &f);
        finish(c, (void *)f, fetch_outcome_of((void *)f, result));
    }
}

/* ---- libcurl on the loop ------------------------------------------------- */

static void act(struct fetcher *c, curl_socket_t s, int events)
{
    int running;

    curl_multi_socket_action(c->multi, s, events, &running);
    finish_done(c);
}

static void on_io(struct ev_loop *loop, ev_io *w, int events)
{
    struct fetch_socket *s = w->data;

    (void)loop;
    act(s->fetcher, w->fd,
        ((events & EV_READ) != 0 ? CURL_CSELECT_IN : 0) |
            ((events & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0));
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int events)
{
    (void)loop;
    (void)events;
    act(w->data, CURL_SOCKET_TIMEOUT, 0);
}

static int set_timer(CURLM *multi, long ms, void *arg)
{
    struct fetcher *c = arg;

    (void)multi;
    ev_timer_stop(c->loop, &c->timer);
    if (ms < 0)
        return 0;
    ev_now_update(c->loop); /* so that it is not early */
    ev_timer_set(&c->timer, (double)ms / 1000, 0);
    ev_timer_start(c->loop, &c->timer);
    return 0;
}

static int forget_socket(struct fetcher *c, struct fetch_socket *s)
{
    if (s == NULL)
        return 0;
    ev_io_stop(c->loop, &s->io);
    free(s);
    return 0;
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg,
                        void *socket)
{
    struct fetcher *c = arg;
    struct fetch_socket *s = socket;

    (void)easy;
    if (what == CURL_POLL_REMOVE)
        return forget_socket(c, s);
    if (s == NULL) {
        s = calloc(1, sizeof(*s));
        if (s == NULL)
            return -1;
        s->fetcher = c;
        ev_init(&s->io, on_io);
        s->io.data = s;
        curl_multi_assign(c->multi, fd, s);
    }
    ev_io_stop(c->loop, &s->io);
    ev_io_set(&s->io, fd,
              ((what & CURL_POLL_IN) != 0 ? EV_READ : 0) |
                  ((what & CURL_POLL_OUT) != 0 ? EV_WRITE : 0));
    ev_io_start(c->loop, &s->io);
    return 0;
}

/* ---- what is wanted ------------------------------------------------------ */

static void on_idle(struct ev_loop *loop, ev_timer *w, int events)
{
    struct fetch *f = (void *)((char *)w - offsetof(struct fetch, idle));

    (void)loop;
    (void)events;
    finish(f->fetcher, f, FETCH_IDLE_TIMEOUT);
}

static void start(struct fetcher *c, struct fetch *f)
{
    TAILQ_INSERT_TAIL(&c->fetches, f, entry);
    ev_init(&f->idle, on_idle);
    f->idle.repeat = (double)f->request.idle_ms / 1000;
    f->idle.data = c->loop;
    /* Bytes that came in the same turn are looked at first. */
    ev_set_priority(&f->idle, EV_MINPRI);
    if (!fetch_turns_wait(&c->turns, &f->turn, f->owner, f->host))
        finish(c, f, FETCH_NO_MEMORY);
}

static void resume(struct fetcher *c, struct fetch *f)
{
    if (!f->paused)
        return;
    f->paused = false;
    fetch_touch(f);
    /* Calls on_data with what was not taken. */
    const CURLcode result = curl_easy_pause(f->easy, CURLPAUSE_CONT);
    if (result != CURLE_OK)
        finish(c, f, fetch_outcome_of(f, result));
}

static void do_what_it_wants(struct fetcher *c, struct fetch *f)
{
    const unsigned wants = atomic_exchange(&f->wanted, 0);

    if ((wants & WANT_START) != 0)
        start(c, f);
    if (f->ended)
        return;
    if ((wants & WANT_CANCEL) != 0)
        finish(c, f, FETCH_CANCELLED);
    else if ((wants & WANT_RESUME) != 0)
        resume(c, f);
}

static void read_mailbox(struct fetcher *c)
{
    void *items[BATCH];
    size_t n;

    while ((n = mailbox_receive(c->mailbox, items, BATCH)) > 0)
        for (size_t i = 0; i < n; i++) {
            do_what_it_wants(c, items[i]);
            drop(items[i]);
        }
}

static void begin_next(struct fetcher *c)
{
    struct fetch_turn *turn;

    while ((turn = fetch_turns_next(&c->turns)) != NULL) {
        struct fetch *f =
            (void *)((char *)turn - offsetof(struct fetch, turn));
        if (!fetch_begin(f, &c->policy, c->ca_file) ||
            curl_multi_add_handle(c->multi, f->easy) != CURLM_OK)
            finish(c, f, FETCH_NO_MEMORY);
    }
    atomic_store(&c->waiting, c->turns.waiting);
    atomic_store(&c->under_way, c->turns.under_way);
}

static void on_go_on(struct ev_loop *loop, ev_prepare *w, int events)
{
    struct fetcher *c = w->data;

    (void)events;
    read_mailbox(c);
    if (atomic_load(&c->stopping))
        ev_break(loop, EVBREAK_ALL);
    else
        begin_next(c);
}

static void on_wake(struct ev_loop *loop, ev_async *w, int events)
{
    (void)loop;
    (void)w;
    (void)events; /* on_go_on() is next */
}

static void *run(void *arg)
{
    struct fetcher *c = arg;
    struct fetch *f;

    ev_run(c->loop, 0);
    wait_for_callers(c); /* then all that was accepted is in the mailbox */
    read_mailbox(c);
    while ((f = TAILQ_FIRST(&c->fetches)) != NULL)
        finish(c, f, FETCH_STOPPED);
    if (c->opts.on_stop != NULL)
        c->opts.on_stop(c->opts.arg);
    curl_multi_cleanup(c->multi); /* its callbacks are the loop's */
    c->multi = NULL;
    return NULL;
}

/* ---- start and end ------------------------------------------------------- */

static void wake(void *arg)
{
    struct fetcher *c = arg;

    ev_async_send(c->loop, &c->wake);
}

static void set_defaults(struct fetcher_opts *o)
{
    if (o->queue == 0)
        o->queue = QUEUE;
    if (o->queue_bytes == 0)
        o->queue_bytes = QUEUE_BYTES;
    if (o->concurrent == 0)
        o->concurrent = CONCURRENT;
    if (o->per_host == 0)
        o->per_host = PER_HOST;
    if (o->per_owner == 0)
        o->per_owner = PER_OWNER;
}

static void make_watchers(struct fetcher *c)
{
    ev_async_init(&c->wake, on_wake);
    ev_prepare_init(&c->go_on, on_go_on);
    ev_timer_init(&c->timer, on_timer, 0, 0);
    c->wake.data = c->go_on.data = c->timer.data = c;
    ev_async_start(c->loop, &c->wake);
    ev_prepare_start(c->loop, &c->go_on);
}

static bool make_multi(struct fetcher *c)
{
    c->multi = curl_multi_init();
    if (c->multi == NULL)
        return false;
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, KEPT_CONNECTIONS);
    return true;
}

static bool open_cas(struct fetcher *c, char *ret_text)
{
    const char *file = c->opts.ca_file;

    c->ca_fd = -1;
    snprintf(c->ca_file, sizeof(c->ca_file), "%s", fetch_ca_system());
    if (file == NULL || file[0] == '\0')
        return true;
    c->ca_fd = fetch_ca_open(file, ret_text);
    snprintf(c->ca_file, sizeof(c->ca_file), "/proc/self/fd/%d", c->ca_fd);
    return c->ca_fd >= 0;
}

static bool make_fetcher(struct fetcher *c, const struct fetcher_opts *opts,
                         char *ret_text)
{
    c->opts = *opts;
    c->policy = *opts->policy;
    set_defaults(&c->opts);
    TAILQ_INIT(&c->fetches);
    fetch_turns_init(&c->turns, c->opts.concurrent, c->opts.per_host,
                     c->opts.per_owner);
    if (!open_cas(c, ret_text))
        return false;
    c->mailbox = mailbox_new(c->opts.queue, wake, c);
    c->loop = ev_loop_new(EVFLAG_AUTO);
    if (c->mailbox == NULL || c->loop == NULL || !make_multi(c))
        return false;
    make_watchers(c);
    if (c->opts.on_start != NULL)
        c->opts.on_start(c->opts.arg, c->loop);
    return true;
}

struct fetcher *fetcher_start(const struct fetcher_opts *opts, char *ret_text)
{
    snprintf(ret_text, FETCH_TEXT_MAX, "outgoing: out of memory or threads");
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return NULL;
    struct fetcher *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        curl_global_cleanup();
        return NULL;
    }
    if (make_fetcher(c, opts, ret_text) &&
        thread_start(&c->thread, "outgoing", run, c))
        return c;
    if (c->multi != NULL)
        curl_multi_cleanup(c->multi);
    fetcher_free(c);
    return NULL;
}

void fetcher_stop(struct fetcher *c)
{
    if (c == NULL)
        return;
    atomic_store(&c->stopping, true);
    wake(c);
    pthread_join(c->thread, NULL);
}

void fetcher_free(struct fetcher *c)
{
    if (c == NULL)
        return;
    mailbox_free(c->mailbox);
    if (c->loop != NULL)
        ev_loop_destroy(c->loop);
    if (c->ca_fd >= 0)
        close(c->ca_fd);
    free(c);
    curl_global_cleanup();
}
