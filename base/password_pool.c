#include "base/password_pool.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <sodium.h>

#include "base/thread.h"

_Static_assert(PASSWORD_HASH_SIZE == crypto_pwhash_STRBYTES,
               "password_pool.h says how long a hash is");

enum password_task { TASK_HASH, TASK_VERIFY, TASK_VERIFY_NOBODY };

struct password_job {
    enum password_task task;
    password_done *done;
    void *arg;
    char hash[PASSWORD_HASH_SIZE]; /* NUL-terminated */
    size_t len;
    char password[];
};

struct password_pool {
    struct password_costs costs;
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* a job more, or it stops */
    bool stopping;
    size_t bound, first, count;
    struct password_job **jobs; /* a ring */
    unsigned thread_count;
    pthread_t threads[];
};

/* ---- jobs ---------------------------------------------------------------- */

static struct password_job *password_job_new(enum password_task task,
                                             struct slice password,
                                             password_done *done, void *arg)
{
    struct password_job *job = malloc(sizeof(*job) + password.len);

    if (job == NULL)
        return NULL;
    job->task = task;
    job->done = done;
    job->arg = arg;
    memset(job->hash, 0, sizeof(job->hash));
    job->len = password.len;
    if (password.len > 0)
        memcpy(job->password, password.data, password.len);
    return job;
}

static void password_job_free(struct password_job *job)
{
    sodium_memzero(job, sizeof(*job) + job->len);
    free(job);
}

static void password_job_end(struct password_job *job,
                             const struct password_result *result)
{
    sodium_memzero(job->password, job->len);
    job->done(job->arg, result);
    password_job_free(job);
}

/* ---- argon2id ------------------------------------------------------------ */

/* Reads digits at *at. false: there are none, or it is above `max`. */
static bool read_cost(const char **at, unsigned long max, unsigned long *ret)
{
    unsigned long n = 0;
    const char *p = *at;

    for (; *p >= '0' && *p <= '9'; p++) {
        n = n * 10 + (unsigned long)(*p - '0');
        if (n > max)
            return false;
    }
    if (p == *at)
        return false;
    *at = p;
    *ret = n;
    return true;
}

static bool skip_text(const char **at, const char *text)
{
    const size_t len = strlen(text);

    if (strncmp(*at, text, len) != 0)
        return false;
    *at += len;
    return true;
}

/* Whether it is a hash that costs no more than the pool may spend. */
static bool hash_is_affordable(const char *hash)
{
    unsigned long kibibytes, ops;

    return skip_text(&hash, "$argon2id$v=19$m=") &&
           read_cost(&hash, PASSWORD_MEMORY_MAX >> 10, &kibibytes) &&
           skip_text(&hash, ",t=") &&
           read_cost(&hash, PASSWORD_OPS_MAX, &ops) &&
           skip_text(&hash, ",p=1$");
}

static bool make_hash(const struct password_costs *costs,
                      const struct password_job *job,
                      char ret_hash[PASSWORD_HASH_SIZE])
{
    return crypto_pwhash_str_alg(ret_hash, job->password, job->len, costs->ops,
                                 costs->memory,
                                 crypto_pwhash_ALG_ARGON2ID13) == 0;
}

static enum password_outcome compare_hash(const struct password_job *job)
{
    if (!hash_is_affordable(job->hash))
        return PASSWORD_FAILED;
    errno = 0;
    if (crypto_pwhash_str_verify(job->hash, job->password, job->len) == 0)
        return PASSWORD_RIGHT;
    /* libsodium sets it for another password, and for nothing else here. */
    return errno == EINVAL ? PASSWORD_WRONG : PASSWORD_FAILED;
}

static void do_job(const struct password_costs *costs,
                   struct password_job *job)
{
    struct password_result result = {.outcome = PASSWORD_FAILED};
    char hash[PASSWORD_HASH_SIZE];

    switch (job->task) {
    case TASK_HASH:
        if (make_hash(costs, job, hash)) {
            result.outcome = PASSWORD_HASHED;
            result.hash = hash;
        }
        break;
    case TASK_VERIFY:
        result.outcome = compare_hash(job);
        result.needs_rehash =
            result.outcome == PASSWORD_RIGHT &&
            crypto_pwhash_str_needs_rehash(job->hash, costs->ops,
                                           costs->memory) != 0;
        break;
    case TASK_VERIFY_NOBODY:
        if (make_hash(costs, job, hash))
            result.outcome = PASSWORD_WRONG;
        break;
    }
    password_job_end(job, &result);
    sodium_memzero(hash, sizeof(hash));
}

/* ---- the queue ----------------------------------------------------------- */

/* Under the mutex. */
static struct password_job *take_first_job(struct password_pool *p)
{
    struct password_job *job = p->jobs[p->first];

    p->first = (p->first + 1) % p->bound;
    p->count--;
    return job;
}

/* NULL: the pool ends. */
static struct password_job *wait_for_job(struct password_pool *p)
{
    struct password_job *job = NULL;

    pthread_mutex_lock(&p->mutex);
    while (p->count == 0 && !p->stopping)
        pthread_cond_wait(&p->changed, &p->mutex);
    if (!p->stopping)
        job = take_first_job(p);
    pthread_mutex_unlock(&p->mutex);
    return job;
}

static void *run_pool_thread(void *argument)
{
    struct password_pool *p = argument;
    struct password_job *job;

    while ((job = wait_for_job(p)) != NULL)
        do_job(&p->costs, job);
    return NULL;
}

/* Takes the job, or frees it. */
static enum password_submit submit_job(struct password_pool *p,
                                       struct password_job *job)
{
    pthread_mutex_lock(&p->mutex);
    const bool taken = !p->stopping && p->count < p->bound;
    if (taken) {
        p->jobs[(p->first + p->count) % p->bound] = job;
        p->count++;
        pthread_cond_signal(&p->changed);
    }
    pthread_mutex_unlock(&p->mutex);
    if (taken)
        return PASSWORD_TAKEN;
    password_job_free(job);
    return PASSWORD_BUSY;
}

enum password_submit password_pool_hash(struct password_pool *p,
                                        struct slice password,
                                        password_done *done, void *arg)
{
    if (password.len > PASSWORD_MAX)
        return PASSWORD_TOO_LONG;
    struct password_job *job =
        password_job_new(TASK_HASH, password, done, arg);
    return job == NULL ? PASSWORD_BUSY : submit_job(p, job);
}

enum password_submit password_pool_verify(struct password_pool *p,
                                          struct slice password,
                                          struct slice hash,
                                          password_done *done, void *arg)
{
    if (password.len > PASSWORD_MAX)
        return PASSWORD_TOO_LONG;
    struct password_job *job =
        password_job_new(hash.len == 0 ? TASK_VERIFY_NOBODY : TASK_VERIFY,
                         password, done, arg);
    if (job == NULL)
        return PASSWORD_BUSY;
    /* One that does not fit is none; the job says so. */
    if (hash.len > 0 && hash.len < sizeof(job->hash))
        memcpy(job->hash, hash.data, hash.len);
    return submit_job(p, job);
}

size_t password_pool_waiting(struct password_pool *p)
{
    pthread_mutex_lock(&p->mutex);
    const size_t count = p->count;
    pthread_mutex_unlock(&p->mutex);
    return count;
}

/* ---- the pool ------------------------------------------------------------ */

static bool start_threads(struct password_pool *p, unsigned threads)
{
    char name[32];

    for (; p->thread_count < threads; p->thread_count++) {
        (void)snprintf(name, sizeof(name), "password-%u", p->thread_count);
        if (!thread_start(&p->threads[p->thread_count], name, run_pool_thread,
                          p))
            return false;
    }
    return true;
}

static struct password_pool *password_pool_allocate(
    unsigned threads, size_t queue, const struct password_costs *costs)
{
    struct password_pool *p =
        malloc(sizeof(*p) + threads * sizeof(p->threads[0]));
    struct password_job **jobs = malloc(queue * sizeof(struct password_job *));

    if (p == NULL || jobs == NULL) {
        free(p);
        free(jobs);
        return NULL;
    }
    *p = (struct password_pool){.costs = *costs, .bound = queue, .jobs = jobs};
    /* Neither can fail in glibc with default attributes. */
    (void)pthread_mutex_init(&p->mutex, NULL);
    (void)pthread_cond_init(&p->changed, NULL);
    return p;
}

struct password_pool *password_pool_new(unsigned threads, size_t queue,
                                        const struct password_costs *costs)
{
    assert(threads > 0 && queue > 0);
    assert(costs->memory >= PASSWORD_MEMORY_MIN &&
           costs->memory <= PASSWORD_MEMORY_MAX);
    assert(costs->ops >= PASSWORD_OPS_MIN && costs->ops <= PASSWORD_OPS_MAX);
    struct password_pool *p = password_pool_allocate(threads, queue, costs);

    if (p != NULL && !start_threads(p, threads)) {
        password_pool_stop(p);
        password_pool_free(p);
        return NULL;
    }
    return p;
}

static struct password_job *take_waiting_job(struct password_pool *p)
{
    struct password_job *job = NULL;

    pthread_mutex_lock(&p->mutex);
    if (p->count > 0)
        job = take_first_job(p);
    pthread_mutex_unlock(&p->mutex);
    return job;
}

void password_pool_stop(struct password_pool *p)
{
    const struct password_result stopped = {.outcome = PASSWORD_STOPPED};
    struct password_job *job;

    pthread_mutex_lock(&p->mutex);
    p->stopping = true;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->mutex);
    while ((job = take_waiting_job(p)) != NULL)
        password_job_end(job, &stopped);
    for (unsigned i = 0; i < p->thread_count; i++)
        pthread_join(p->threads[i], NULL);
}

void password_pool_free(struct password_pool *p)
{
    if (p == NULL)
        return;
    assert(p->count == 0);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->mutex);
    free(p->jobs);
    free(p);
}
