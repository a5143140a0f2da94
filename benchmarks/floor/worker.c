#include "benchmarks/floor/worker.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "benchmarks/measure/fatal.h"

enum { SCRATCH_SIZE = 1 << 18, EVENTS_PER_TURN = 256 };

/* What others want of a worker. */
struct parcel {
    STAILQ_ENTRY(parcel) next;
    struct topic *topic;
    enum framing framing;
    struct chunk *chunk; /* NULL: adopt fd */
    int fd;
    const struct floor_door *door;
};
STAILQ_HEAD(parcel_list, parcel);

struct floor_worker {
    pthread_t thread;
    struct committer *const *committer;
    int epoll, wake;
    pthread_mutex_t lock; /* guards the next two */
    struct parcel_list parcels;
    struct entry_list answers;

    /* the thread's own */
    char *scratch;
    struct floor_stream **streams; /* by topic number and framing */
    size_t streams_cap;
    struct floor_stream *touched;
    struct floor_conn *queued;
    struct entry_list published; /* in this turn */
};

static void worker_wake(struct floor_worker *w)
{
    const uint64_t one = 1;

    if (write(w->wake, &one, sizeof(one)) < 0)
        fatal("eventfd: %s", strerror(errno));
}

static void give(struct floor_worker *w, struct parcel *p)
{
    pthread_mutex_lock(&w->lock);
    const bool asleep = STAILQ_EMPTY(&w->parcels) && STAILQ_EMPTY(&w->answers);

    STAILQ_INSERT_TAIL(&w->parcels, p, next);
    pthread_mutex_unlock(&w->lock);
    if (asleep)
        worker_wake(w);
}

void worker_adopt(struct floor_worker *w, int fd,
                  const struct floor_door *door, struct topic *topic)
{
    struct parcel *p = must_zalloc(1, sizeof(*p));

    p->fd = fd;
    p->door = door;
    p->topic = topic;
    give(w, p);
}

void worker_give_chunk(struct floor_worker *w, struct topic *topic,
                       enum framing framing, struct chunk *chunk)
{
    struct parcel *p = must_zalloc(1, sizeof(*p));

    p->topic = topic;
    p->framing = framing;
    p->chunk = chunk;
    give(w, p);
}

void worker_give_answers(struct floor_worker *w, struct entry_list *answers)
{
    if (STAILQ_EMPTY(answers))
        return;
    pthread_mutex_lock(&w->lock);
    const bool asleep = STAILQ_EMPTY(&w->parcels) && STAILQ_EMPTY(&w->answers);

    STAILQ_CONCAT(&w->answers, answers);
    pthread_mutex_unlock(&w->lock);
    if (asleep)
        worker_wake(w);
}

static struct floor_stream *stream_of(struct floor_worker *w,
                                      const struct topic *topic,
                                      enum framing framing)
{
    const size_t at = (size_t)topic->number * FRAMINGS + (size_t)framing;

    if (at >= w->streams_cap) {
        const size_t cap = (at + 1) * 2;

        w->streams =
            must_realloc(w->streams, cap * sizeof(struct floor_stream *));
        memset(w->streams + w->streams_cap, 0,
               (cap - w->streams_cap) * sizeof(struct floor_stream *));
        w->streams_cap = cap;
    }
    if (w->streams[at] == NULL)
        w->streams[at] = must_zalloc(1, sizeof(struct floor_stream));
    return w->streams[at];
}

void conn_queue(struct floor_conn *c)
{
    if (c->queued)
        return;
    c->queued = true;
    c->next_queued = c->worker->queued;
    c->worker->queued = c;
}

static void watch(struct floor_conn *c, int operation, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = c};

    if (epoll_ctl(c->worker->epoll, operation, c->fd, &e) != 0)
        fatal("epoll_ctl: %s", strerror(errno));
}

/* Freed at the end of the turn, when neither list nor writer knows it. */
static void conn_close(struct floor_conn *c)
{
    if (c->closed)
        return;
    c->closed = true;
    if (c->receiver.stream != NULL)
        stream_leave(&c->receiver);
    close(c->fd);
    conn_queue(c);
}

static void receiver_broken(struct receiver *r)
{
    conn_close((struct floor_conn *)r);
}

static void conn_write(struct floor_conn *c)
{
    if (c->out.len == 0)
        return;
    const ssize_t n = send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL);

    if (n < 0 && errno != EAGAIN) {
        conn_close(c);
        return;
    }
    if (n > 0)
        bytes_drop(&c->out, (size_t)n);
    if (c->out.len > 0)
        watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
}

void conn_publish(struct floor_conn *c, struct topic *topic, bool wants_answer,
                  unsigned packet_id, const char *payload, size_t len)
{
    struct floor_entry *e =
        entry_new(topic, wants_answer ? c : NULL, packet_id, payload, len);

    if (wants_answer)
        c->unanswered++;
    STAILQ_INSERT_TAIL(&c->worker->published, e, next);
}

void conn_follow(struct floor_conn *c, struct topic *topic,
                 enum framing framing)
{
    if (c->receiver.stream != NULL)
        fatal("the floor's readers follow one topic each");
    stream_join(stream_of(c->worker, topic, framing), &c->receiver, c->fd);
    atomic_fetch_add(&topic->readers[framing], 1);
    c->door->welcome(c);
    /* At once: streams are flushed behind this buffer's back. */
    conn_write(c);
    if (c->out.len > 0)
        fatal("a new connection takes no bytes");
}

struct log *conn_log(const struct floor_conn *c)
{
    return committer_log(*c->worker->committer);
}

static void adopt(struct floor_worker *w, const struct parcel *p)
{
    const int on = 1;
    struct floor_conn *c = must_zalloc(1, sizeof(*c));

    c->worker = w;
    c->door = p->door;
    c->fd = p->fd;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    watch(c, EPOLL_CTL_ADD, EPOLLIN);
    if (p->topic != NULL)
        conn_follow(c, p->topic, FRAMING_SSE);
}

static void take_chunk(struct floor_worker *w, const struct parcel *p)
{
    struct floor_stream *s = stream_of(w, p->topic, p->framing);

    if (s->count == 0) {
        chunk_unref(p->chunk);
        return;
    }
    stream_append(s, p->chunk);
    if (!s->touched) {
        s->touched = true;
        s->next_touched = w->touched;
        w->touched = s;
    }
}

static void take_answer(struct floor_entry *e)
{
    struct floor_conn *c = e->from;

    c->unanswered--;
    if (!c->closed)
        c->door->answer(c, e);
    conn_queue(c);
    free(e);
}

static void empty_inbox(struct floor_worker *w)
{
    struct parcel_list parcels = STAILQ_HEAD_INITIALIZER(parcels);
    struct entry_list answers = STAILQ_HEAD_INITIALIZER(answers);
    uint64_t ignored;

    if (read(w->wake, &ignored, sizeof(ignored)) < 0 && errno != EAGAIN)
        fatal("eventfd: %s", strerror(errno));
    pthread_mutex_lock(&w->lock);
    STAILQ_CONCAT(&parcels, &w->parcels);
    STAILQ_CONCAT(&answers, &w->answers);
    pthread_mutex_unlock(&w->lock);

    while (!STAILQ_EMPTY(&answers)) {
        struct floor_entry *e = STAILQ_FIRST(&answers);

        STAILQ_REMOVE_HEAD(&answers, next);
        take_answer(e);
    }
    while (!STAILQ_EMPTY(&parcels)) {
        struct parcel *p = STAILQ_FIRST(&parcels);

        STAILQ_REMOVE_HEAD(&parcels, next);
        if (p->chunk != NULL)
            take_chunk(w, p);
        else
            adopt(w, p);
        free(p);
    }
}

static void conn_read(struct floor_conn *c)
{
    char *scratch = c->worker->scratch;
    size_t len = c->rest.len;

    if (len > 0)
        memcpy(scratch, c->rest.data, len);
    const ssize_t n = recv(c->fd, scratch + len, SCRATCH_SIZE - len, 0);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        conn_close(c);
        return;
    }
    len += (size_t)n;
    const ssize_t used = c->door->take(c, scratch, len);

    if (used < 0 || (used == 0 && len == SCRATCH_SIZE)) {
        conn_close(c);
        return;
    }
    bytes_clear(&c->rest);
    bytes_put(&c->rest, scratch + used, len - (size_t)used);
}

static void handle(struct floor_conn *c, uint32_t events)
{
    if (c->closed)
        return;
    if (events & EPOLLOUT) {
        watch(c, EPOLL_CTL_MOD, EPOLLIN);
        conn_queue(c);
        if (c->receiver.stream != NULL && !receiver_flush(&c->receiver)) {
            conn_close(c);
            return;
        }
        if (c->receiver.blocked)
            watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    }
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        conn_read(c);
}

static void watch_blocked(struct floor_stream *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->receivers[i]->blocked)
            watch((struct floor_conn *)s->receivers[i], EPOLL_CTL_MOD,
                  EPOLLIN | EPOLLOUT);
}

static void write_all(struct floor_worker *w)
{
    while (w->touched != NULL) {
        struct floor_stream *s = w->touched;

        w->touched = s->next_touched;
        s->touched = false;
        stream_flush(s, receiver_broken);
        watch_blocked(s);
    }
    while (w->queued != NULL) {
        struct floor_conn *c = w->queued;

        w->queued = c->next_queued;
        c->queued = false;
        if (!c->closed)
            conn_write(c);
        if (c->closed && !c->queued && c->unanswered == 0) {
            bytes_release(&c->rest);
            bytes_release(&c->out);
            free(c);
        }
    }
}

static void *run(void *arg)
{
    struct floor_worker *w = arg;
    struct epoll_event events[EVENTS_PER_TURN];

    for (;;) {
        const int n = epoll_wait(w->epoll, events, EVENTS_PER_TURN, -1);

        if (n < 0 && errno != EINTR)
            fatal("epoll_wait: %s", strerror(errno));
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr == NULL)
                empty_inbox(w);
            else
                handle(events[i].data.ptr, events[i].events);
        }
        committer_submit(*w->committer, &w->published);
        write_all(w);
    }
    return NULL;
}

struct floor_worker *worker_start(struct committer *const *committer)
{
    struct floor_worker *w = must_zalloc(1, sizeof(*w));
    struct epoll_event inbox = {.events = EPOLLIN};

    w->committer = committer;
    w->epoll = epoll_create1(EPOLL_CLOEXEC);
    w->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (w->epoll < 0 || w->wake < 0 ||
        epoll_ctl(w->epoll, EPOLL_CTL_ADD, w->wake, &inbox) != 0)
        fatal("epoll: %s", strerror(errno));
    pthread_mutex_init(&w->lock, NULL);
    STAILQ_INIT(&w->parcels);
    STAILQ_INIT(&w->answers);
    STAILQ_INIT(&w->published);
    w->scratch = must_alloc(SCRATCH_SIZE);
    if (pthread_create(&w->thread, NULL, run, w) != 0)
        fatal("no thread for a worker");
    return w;
}
