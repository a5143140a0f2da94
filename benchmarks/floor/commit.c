#include "benchmarks/floor/commit.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "benchmarks/floor/log.h"
#include "benchmarks/measure/fatal.h"
#include "benchmarks/measure/histogram.h"
#include "benchmarks/measure/instant.h"

enum { BATCH_MAX = 4096 }; /* messages in one transaction */

struct committer {
    pthread_t thread;
    pthread_mutex_t lock; /* guards the next three */
    pthread_cond_t filled;
    struct entry_list waiting;
    bool stopping;

    /* the writer's alone */
    void (*committed)(struct entry_list *batch);
    struct log *log; /* NULL: nothing is stored */
    uint64_t last_id;
    uint64_t commits;
    struct histogram durations;
};

struct floor_entry *entry_new(struct topic *topic, void *from,
                              unsigned packet_id, const char *payload,
                              size_t len)
{
    struct floor_entry *e = must_alloc(sizeof(*e) + len);

    e->topic = topic;
    e->from = from;
    e->packet_id = packet_id;
    e->len = len;
    memcpy(e->payload, payload, len);
    return e;
}

static void store(struct committer *c, const struct entry_list *batch)
{
    const int64_t begin_ns = instant_ns();

    log_append(c->log, batch);
    c->commits++;
    histogram_add(&c->durations, instant_ns() - begin_ns);
}

static void number(struct committer *c, struct entry_list *batch)
{
    struct timespec now;
    struct floor_entry *e;

    clock_gettime(CLOCK_REALTIME, &now);
    STAILQ_FOREACH (e, batch, next) {
        e->id = ++c->last_id;
        e->created_us = now.tv_sec * 1000000 + now.tv_nsec / NS_PER_US;
    }
}

/* Moves at most BATCH_MAX entries from `all` to `batch`. */
static void split(struct entry_list *all, struct entry_list *batch)
{
    STAILQ_INIT(batch);
    for (unsigned i = 0; i < BATCH_MAX && !STAILQ_EMPTY(all); i++) {
        struct floor_entry *e = STAILQ_FIRST(all);

        STAILQ_REMOVE_HEAD(all, next);
        STAILQ_INSERT_TAIL(batch, e, next);
    }
}

static void finish(struct committer *c, struct entry_list *all)
{
    struct entry_list batch;

    while (!STAILQ_EMPTY(all)) {
        split(all, &batch);
        number(c, &batch);
        if (c->log != NULL)
            store(c, &batch);
        c->committed(&batch);
    }
}

static void *run(void *arg)
{
    struct committer *c = arg;
    struct entry_list all = STAILQ_HEAD_INITIALIZER(all);
    bool stopping;

    do {
        pthread_mutex_lock(&c->lock);
        while (STAILQ_EMPTY(&c->waiting) && !c->stopping)
            pthread_cond_wait(&c->filled, &c->lock);
        STAILQ_CONCAT(&all, &c->waiting);
        stopping = c->stopping;
        pthread_mutex_unlock(&c->lock);
        finish(c, &all);
    } while (!stopping);
    return NULL;
}

struct committer *committer_start(const char *dir,
                                  void (*committed)(struct entry_list *batch))
{
    struct committer *c = must_zalloc(1, sizeof(*c));

    c->committed = committed;
    STAILQ_INIT(&c->waiting);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->filled, NULL);
    if (dir != NULL)
        c->log = log_open(dir);
    if (pthread_create(&c->thread, NULL, run, c) != 0)
        fatal("no thread for the writer");
    return c;
}

void committer_submit(struct committer *c, struct entry_list *list)
{
    if (STAILQ_EMPTY(list))
        return;
    pthread_mutex_lock(&c->lock);
    const bool asleep = STAILQ_EMPTY(&c->waiting);

    STAILQ_CONCAT(&c->waiting, list);
    pthread_mutex_unlock(&c->lock);
    if (asleep)
        pthread_cond_signal(&c->filled);
}

struct log *committer_log(const struct committer *c)
{
    return c->log;
}

void committer_stop(struct committer *c, FILE *to)
{
    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    pthread_mutex_unlock(&c->lock);
    pthread_cond_signal(&c->filled);
    pthread_join(c->thread, NULL);
    fprintf(to,
            "{\"commits\":%llu,\"messages\":%llu,\"commit_p50_us\":%.0f,"
            "\"commit_p99_us\":%.0f}\n",
            (unsigned long long)c->commits, (unsigned long long)c->last_id,
            histogram_us(&c->durations, 0.5),
            histogram_us(&c->durations, 0.99));
}
