#include "store/write/writer.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/thread.h"
#include "store/write/commit_stats.h"
#include "store/write/group_commit.h"

#define QUEUE_BOUND 65536
/* Most commands and bytes of one transaction: larger groups gain little, and everybody in
 * a group waits for all of it. */
#define GROUP_COMMANDS 4096
#define GROUP_BYTES (16u << 20)
/* How often to free the slots of killed reading processes, which pin old pages. */
#define READERS_US INT64_C(60000000)

struct writer {
    pthread_t thread;
    pthread_mutex_t mutex; /* guards the fields above the line */
    pthread_cond_t wake;
    struct command_list queue;
    size_t
        queued;   /* submitted; the current group is included until the next */
    bool waiting; /* the thread sleeps, and must be signalled */
    bool stopping;
    /* ---- */
    size_t queue_bound;
    struct commit_stats stats;
    /* for the thread only: */
    struct store *store;
    int64_t readers_checked_us; /* mono */
    struct command_list taken;  /* taken off the queue, not yet in a group */
    struct command *group[GROUP_COMMANDS];
    size_t grouped;
    struct group_commit commit;
    uint64_t steps_seen; /* the watchdog's */
};

/* ---- the thread ------------------------------------------------------- */

/* Sleeps until there are commands, or the writer shall stop, or wait_us have passed. Call it
 * with the mutex held. */
static void sleep_until_woken(struct writer *w, int64_t wait_us)
{
    struct timespec until;
    const int64_t until_us = clock_mono_us() + wait_us;
    int rc = 0;

    until.tv_sec = (time_t)(until_us / 1000000);
    until.tv_nsec = (long)(until_us % 1000000 * 1000);
    w->waiting = true;
    while (rc == 0 && STAILQ_EMPTY(&w->queue) && !w->stopping && wait_us != 0)
        rc = pthread_cond_timedwait(&w->wake, &w->mutex, &until);
    w->waiting = false;
}

static size_t command_bytes(const struct command *c)
{
    return c->message == NULL ? 0 : message_size(c->message);
}

/* Forms a group of the next commands, in order: at least one, if there are any. */
static void form_group(struct writer *w)
{
    size_t bytes = 0;
    struct command *c;

    w->grouped = 0;
    while ((c = STAILQ_FIRST(&w->taken)) != NULL &&
           w->grouped < GROUP_COMMANDS) {
        bytes += command_bytes(c);
        if (w->grouped > 0 && bytes > GROUP_BYTES)
            break;
        STAILQ_REMOVE_HEAD(&w->taken, entry);
        w->group[w->grouped++] = c;
    }
}

/* false: stopped, and everything that was submitted is answered. */
static bool next_group(struct writer *w)
{
    int64_t wait_us = housekeeping_wait(&w->commit);

    if (wait_us < 0 || wait_us > READERS_US)
        wait_us = READERS_US;
    pthread_mutex_lock(&w->mutex);
    w->queued -= w->grouped;
    if (STAILQ_EMPTY(&w->taken)) {
        sleep_until_woken(w, wait_us);
        STAILQ_CONCAT(&w->taken, &w->queue);
    }
    const bool stopping = w->stopping;
    pthread_mutex_unlock(&w->mutex);
    form_group(w);
    return w->grouped > 0 || !stopping;
}

static void check_readers(struct writer *w)
{
    const int64_t now_us = clock_mono_us();

    if (now_us - w->readers_checked_us < READERS_US)
        return;
    w->readers_checked_us = now_us;
    store_check_readers(w->store);
}

static void *write_until_stopped(void *arg)
{
    struct writer *w = arg;

    while (next_group(w)) {
        w->commit.housekept = false;
        if (w->grouped > 0)
            group_commit_run(&w->commit, w->group, w->grouped);
        if (!w->commit.housekept && housekeeping_wait(&w->commit) == 0)
            housekeeping_run(&w->commit);
        check_readers(w);
    }
    return NULL;
}

/* ---- the interface ---------------------------------------------------- */

static bool init_locks(struct writer *w)
{
    pthread_condattr_t attr;

    if (!commit_stats_init(&w->stats))
        return false;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC); /* as clock_mono_us() */
    const bool ok = pthread_mutex_init(&w->mutex, NULL) == 0 &&
                    pthread_cond_init(&w->wake, &attr) == 0;
    pthread_condattr_destroy(&attr);
    return ok;
}

static void free_all(struct writer *w)
{
    group_commit_release(&w->commit);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->mutex);
    commit_stats_release(&w->stats);
    free(w);
}

enum store_err writer_start(struct store *st, const struct writer_opts *opts,
                            struct writer **ret_writer)
{
    struct writer *w = calloc(1, sizeof(*w));

    if (w == NULL || !init_locks(w)) {
        free(w);
        return STORE_NOMEM;
    }
    STAILQ_INIT(&w->queue);
    STAILQ_INIT(&w->taken);
    w->store = st;
    w->readers_checked_us = clock_mono_us();
    w->queue_bound = opts->queue_bound != 0 ? opts->queue_bound : QUEUE_BOUND;
    enum store_err err = group_commit_init(&w->commit, st, opts, &w->stats);
    if (err == STORE_OK &&
        !thread_start(&w->thread, "writer", write_until_stopped, w))
        err = STORE_NOMEM;
    if (err != STORE_OK) {
        free_all(w);
        return err;
    }
    *ret_writer = w;
    return STORE_OK;
}

static void answer_stopped(struct command_list *list)
{
    struct command *c;

    while ((c = STAILQ_FIRST(list)) != NULL) {
        STAILQ_REMOVE_HEAD(list, entry);
        c->result = RESULT_STOPPED;
        c->repeated = false;
        c->id = c->seq = c->remaining = 0;
        c->done(&c, 1);
    }
}

/* Appends as many of `count` commands to the queue as fit. Call it with the mutex held. */
static size_t enqueue(struct writer *w, struct command_list *list,
                      size_t count)
{
    const size_t room = w->queue_bound - w->queued;
    size_t taken = count;

    if (count <= room) {
        STAILQ_CONCAT(&w->queue, list);
    } else {
        for (taken = 0; taken < room; taken++) {
            struct command *c = STAILQ_FIRST(list);
            STAILQ_REMOVE_HEAD(list, entry);
            STAILQ_INSERT_TAIL(&w->queue, c, entry);
        }
    }
    w->queued += taken;
    return taken;
}

size_t writer_submit_all(struct writer *w, struct command_list *list,
                         size_t count)
{
    pthread_mutex_lock(&w->mutex);
    if (w->stopping) {
        pthread_mutex_unlock(&w->mutex);
        answer_stopped(list);
        return count;
    }
    const size_t taken = enqueue(w, list, count);
    const bool wake = w->waiting && taken > 0;
    if (wake)
        w->waiting = false; /* one signal per sleep, not per command */
    pthread_mutex_unlock(&w->mutex);
    if (wake)
        pthread_cond_signal(&w->wake);
    return taken;
}

bool writer_submit(struct writer *w, struct command *c)
{
    struct command_list one = STAILQ_HEAD_INITIALIZER(one);

    STAILQ_INSERT_TAIL(&one, c, entry);
    return writer_submit_all(w, &one, 1) == 1;
}

void writer_stop(struct writer *w)
{
    pthread_mutex_lock(&w->mutex);
    assert(!w->stopping); /* once */
    w->stopping = true;
    pthread_mutex_unlock(&w->mutex);
    pthread_cond_signal(&w->wake);
    pthread_join(w->thread, NULL);
}

void writer_free(struct writer *w)
{
    if (w == NULL)
        return;
    assert(w->stopping && STAILQ_EMPTY(&w->queue));
    free_all(w);
}

bool writer_is_alive(struct writer *w)
{
    const uint64_t steps = atomic_load(&w->commit.steps);
    const bool got_on = steps != w->steps_seen;

    w->steps_seen = steps;
    pthread_mutex_lock(&w->mutex);
    const bool waiting = w->waiting;
    pthread_mutex_unlock(&w->mutex);
    return got_on || waiting || atomic_load(&w->commit.committing);
}

void writer_stats(struct writer *w, struct writer_stats *ret_stats)
{
    commit_stats_read(&w->stats, ret_stats);
}

void writer_load(struct writer *w, struct writer_load *ret_load)
{
    pthread_mutex_lock(&w->mutex);
    *ret_load = (struct writer_load){
        .queued = w->queued,
        .bound = w->queue_bound,
        .sleeping = w->waiting,
    };
    pthread_mutex_unlock(&w->mutex);
    ret_load->committing = atomic_load(&w->commit.committing);
}
