#include "bridge/outgoing/webhook_saves.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include <uthash.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/topic.h"
#include "base/vocabulary.h"
#include "bridge/link/link.h"
#include "store/command.h"
#include "store/command/webhook.h"

#define DEADLINE_US INT64_C(5000000)
#define LOOK_US 5000

/* A message that died, or one that was dead and is delivered. */
struct saved_outcome {
    TAILQ_ENTRY(saved_outcome) entry;
    bool is_dead;
    uint64_t id;
    int64_t at_us;
    unsigned attempts;
    int status;
    size_t topic_len, text_len;
    char bytes[]; /* topic, text */
};

/* The newest position that was told; its slices point into `bytes`. */
struct position {
    struct webhook_position p;
    char *bytes;
};

/* What is still to be stored of a tenant's webhook. */
struct saves_of {
    UT_hash_handle hh;
    struct webhook_saves *all;
    struct position position; /* bytes NULL: none */
    TAILQ_HEAD(, saved_outcome) outcomes;
    size_t count;
    uint64_t forgotten;
    bool failed; /* webhook_saves_again() goes on */
    /* Under way: the first outcome, or the position. */
    bool busy, sends_position;
    struct saved_outcome *sent;
    uint64_t sent_forgotten;
    struct link_request request;
    struct buffer body;
    size_t tenant_len;
    char tenant[TOKEN_MAX];
};

struct webhook_saves {
    void (*on_outcome)(void *arg, struct slice tenant, uint64_t id);
    void *arg;
    struct link *link;
    pthread_mutex_t mutex; /* guards the rest */
    struct saves_of *by_tenant;
    size_t bytes; /* of outcomes */
};

static struct slice tenant_of(const struct saves_of *o)
{
    return slice_of(o->tenant, o->tenant_len);
}

/* ---- what is to be stored; all with the mutex held ------------------------ */

static size_t size_of(const struct saved_outcome *x)
{
    return sizeof(*x) + x->topic_len + x->text_len;
}

static void remove_outcome(struct saves_of *o, struct saved_outcome *x)
{
    TAILQ_REMOVE(&o->outcomes, x, entry);
    o->count--;
    o->all->bytes -= size_of(x);
    free(x);
}

static void drop_position(struct saves_of *o)
{
    free(o->position.bytes);
    o->position.bytes = NULL;
}

static void drop_all(struct saves_of *o)
{
    while (!TAILQ_EMPTY(&o->outcomes))
        remove_outcome(o, TAILQ_FIRST(&o->outcomes));
    drop_position(o);
    o->forgotten = 0;
}

static struct saves_of *saves_of(struct webhook_saves *s, struct slice tenant)
{
    struct saves_of *o;

    HASH_FIND(hh, s->by_tenant, tenant.data, tenant.len, o);
    if (o != NULL || tenant.len > TOKEN_MAX)
        return o;
    o = calloc(1, sizeof(*o));
    if (o == NULL)
        return NULL;
    o->all = s;
    TAILQ_INIT(&o->outcomes);
    o->tenant_len = tenant.len;
    memcpy(o->tenant, tenant.data, tenant.len);
    HASH_ADD_KEYPTR(hh, s->by_tenant, o->tenant, o->tenant_len, o);
    return o;
}

static bool is_idle(const struct saves_of *o)
{
    return !o->busy && TAILQ_EMPTY(&o->outcomes) &&
           o->position.bytes == NULL && o->forgotten == 0;
}

static void free_if_idle(struct saves_of *o)
{
    if (!is_idle(o))
        return;
    HASH_DEL(o->all->by_tenant, o);
    buffer_release(&o->body);
    free(o);
}

/* What was to be said of the same message is out of date; not what is under way. */
static void drop_older(struct saves_of *o, uint64_t id)
{
    struct saved_outcome *x, *next;

    for (x = TAILQ_FIRST(&o->outcomes); x != NULL; x = next) {
        next = TAILQ_NEXT(x, entry);
        if (x->id == id && x != o->sent)
            remove_outcome(o, x);
    }
}

static void forget_oldest(struct saves_of *o)
{
    struct saved_outcome *x = TAILQ_FIRST(&o->outcomes);

    if (x == o->sent && x != NULL)
        x = TAILQ_NEXT(x, entry);
    if (x == NULL)
        return;
    o->forgotten += x->is_dead;
    remove_outcome(o, x);
}

static void add_outcome(struct saves_of *o, struct saved_outcome *x)
{
    drop_older(o, x->id);
    TAILQ_INSERT_TAIL(&o->outcomes, x, entry);
    o->count++;
    o->all->bytes += size_of(x);
    if (o->count > WEBHOOK_DEAD_MAX || o->all->bytes > SAVES_BYTES_MAX)
        forget_oldest(o);
}

/* ---- sending; with the mutex held ----------------------------------------- */

static void put_outcome(struct webhook_save *a, const struct saved_outcome *x)
{
    if (!x->is_dead) {
        a->delivered_id = x->id;
        return;
    }
    a->dead_id = x->id;
    a->dead_topic = slice_of(x->bytes, x->topic_len);
    a->dead_text = slice_of(x->bytes + x->topic_len, x->text_len);
    a->dead_at_us = x->at_us;
    a->dead_attempts = x->attempts;
    a->dead_status = (uint32_t)x->status;
}

static void encode_position(struct buffer *b, struct webhook_save *a,
                            const struct webhook_position *p)
{
    struct slice topics[WEBHOOK_BEHIND_MAX];
    uint64_t ids[WEBHOOK_BEHIND_MAX];
    const struct command c = {.kind = COMMAND_WEBHOOK_SAVE, .args = a};

    for (size_t i = 0; i < p->behind_count; i++) {
        topics[i] = p->behind[i].topic;
        ids[i] = p->behind[i].id;
    }
    a->id = p->id;
    a->behind_topics = topics;
    a->behind_ids = ids;
    a->behind_topic_count = a->behind_id_count = p->behind_count;
    a->tried_us = p->tried_us;
    a->status = (uint32_t)p->status;
    a->text = slice_str(p->text);
    command_encode(b, &c);
}

static void encode(struct saves_of *o)
{
    struct webhook_save a = {.tenant = tenant_of(o),
                             .forgotten = o->forgotten};
    const struct command c = {.kind = COMMAND_WEBHOOK_SAVE, .args = &a};

    buffer_clear(&o->body);
    if (o->sends_position) {
        encode_position(&o->body, &a, &o->position.p);
        return;
    }
    if (o->sent != NULL)
        put_outcome(&a, o->sent);
    command_encode(&o->body, &c);
}

static void on_done(struct link_request *q);

static void send_next(struct saves_of *o)
{
    if (o->busy || o->failed || is_idle(o))
        return;
    o->sent = TAILQ_FIRST(&o->outcomes);
    o->sends_position = o->sent == NULL && o->position.bytes != NULL;
    o->sent_forgotten = o->forgotten;
    encode(o);
    o->request = (struct link_request){
        .topic = slice_str(COMMAND_PREFIX "webhook_save"),
        .payload = buffer_slice(&o->body),
        .deadline_us = clock_mono_us() + DEADLINE_US,
        .done = on_done,
        .owner = o,
    };
    o->busy = true;
    if (buffer_ok(&o->body) && link_publish(o->all->link, &o->request))
        return;
    o->busy = false;
    o->failed = true;
    o->sent = NULL;
}

/* ---- the answer; the link's thread ---------------------------------------- */

enum saved { SAVED, SAVE_LATER, SAVE_POINTLESS };

static enum saved saved_of(const struct link_request *q)
{
    if (q->outcome != LINK_ANSWERED)
        return SAVE_LATER;
    if (q->status == 200)
        return SAVED;
    /* No such tenant or webhook any more, or a bug of ours. */
    return q->status >= 400 && q->status < 500 ? SAVE_POINTLESS : SAVE_LATER;
}

/* Returns the id of the message it was about, or 0. */
static uint64_t settle(struct saves_of *o, enum saved saved)
{
    uint64_t id = 0;

    if (saved == SAVE_LATER) {
        o->failed = true;
    } else if (saved == SAVE_POINTLESS) {
        drop_all(o);
    } else {
        o->forgotten -= o->sent_forgotten;
        if (o->sent != NULL) {
            id = o->sent->id;
            remove_outcome(o, o->sent);
        }
        if (o->sends_position)
            drop_position(o);
    }
    o->sent = NULL;
    o->busy = o->sends_position = false;
    return id;
}

static void on_done(struct link_request *q)
{
    struct saves_of *o = q->owner;
    struct webhook_saves *s = o->all;
    const enum saved saved = saved_of(q);
    char tenant[TOKEN_MAX];
    const size_t len = o->tenant_len;

    if (saved == SAVE_POINTLESS && q->status != 404 && q->status != 401)
        log_error("webhook", "the broker refused a webhook's position: %s",
                  q->reason);
    free(q->result);
    memcpy(tenant, o->tenant, len);
    pthread_mutex_lock(&s->mutex);
    const uint64_t id = settle(o, saved);
    send_next(o);
    free_if_idle(o);
    pthread_mutex_unlock(&s->mutex);
    if (id != 0)
        s->on_outcome(s->arg, slice_of(tenant, len), id);
}

/* ---- what webhooks tell; the fetcher's thread ----------------------------- */

static bool copy_position(struct position *to,
                          const struct webhook_position *p)
{
    const size_t text_size = strlen(p->text) + 1;
    size_t size = text_size;

    for (size_t i = 0; i < p->behind_count; i++)
        size += p->behind[i].topic.len;
    char *at = malloc(size);
    if (at == NULL)
        return false;
    *to = (struct position){*p, at};
    memcpy(at, p->text, text_size);
    to->p.text = at;
    at += text_size;
    for (size_t i = 0; i < p->behind_count; i++) {
        const struct slice topic = p->behind[i].topic;
        memcpy(at, topic.data, topic.len);
        to->p.behind[i].topic = slice_of(at, topic.len);
        at += topic.len;
    }
    return true;
}

/* One that is under way was encoded; the newer one follows it. */
static void replace_position(struct saves_of *o, struct position position)
{
    drop_position(o);
    o->position = position;
    o->sends_position = false;
}

static void on_moved(void *arg, struct slice tenant,
                     const struct webhook_position *p)
{
    struct webhook_saves *s = arg;
    struct position position;

    if (!copy_position(&position, p))
        return; /* the next one is newer, anyway */
    pthread_mutex_lock(&s->mutex);
    struct saves_of *o = saves_of(s, tenant);
    if (o == NULL) {
        free(position.bytes);
    } else {
        replace_position(o, position);
        send_next(o);
    }
    pthread_mutex_unlock(&s->mutex);
}

static void add(struct webhook_saves *s, struct slice tenant,
                struct saved_outcome *x)
{
    pthread_mutex_lock(&s->mutex);
    struct saves_of *o = saves_of(s, tenant);
    if (o != NULL && x != NULL) {
        add_outcome(o, x);
    } else {
        free(x);
        if (o != NULL)
            o->forgotten++; /* out of memory */
    }
    if (o != NULL)
        send_next(o);
    pthread_mutex_unlock(&s->mutex);
}

static void on_died(void *arg, const struct webhook_dead *d)
{
    const size_t text_len = strnlen(d->text, WEBHOOK_TEXT_MAX);
    struct saved_outcome *x = malloc(sizeof(*x) + d->topic.len + text_len);

    if (x != NULL) {
        *x = (struct saved_outcome){
            .is_dead = true,
            .id = d->id,
            .at_us = d->at_us,
            .attempts = d->attempts,
            .status = d->status,
            .topic_len = d->topic.len,
            .text_len = text_len,
        };
        if (d->topic.len > 0)
            memcpy(x->bytes, d->topic.data, d->topic.len);
        memcpy(x->bytes + d->topic.len, d->text, text_len);
    }
    add(arg, d->tenant, x);
}

static void on_redelivered(void *arg, struct slice tenant, uint64_t id)
{
    struct saved_outcome *x = calloc(1, sizeof(*x));

    if (x == NULL)
        return; /* it stays dead, and can be sent again */
    x->id = id;
    add(arg, tenant, x);
}

struct webhook_events webhook_saves_events(struct webhook_saves *s)
{
    return (struct webhook_events){
        .arg = s,
        .moved = on_moved,
        .died = on_died,
        .redelivered = on_redelivered,
    };
}

/* ---- life ----------------------------------------------------------------- */

struct webhook_saves *webhook_saves_new(
    void (*on_outcome)(void *arg, struct slice tenant, uint64_t id), void *arg)
{
    struct webhook_saves *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return NULL;
    s->on_outcome = on_outcome;
    s->arg = arg;
    pthread_mutex_init(&s->mutex, NULL);
    return s;
}

void webhook_saves_use(struct webhook_saves *s, struct link *link)
{
    s->link = link;
}

void webhook_saves_again(struct webhook_saves *s)
{
    struct saves_of *o, *next;

    pthread_mutex_lock(&s->mutex);
    HASH_ITER (hh, s->by_tenant, o, next) {
        o->failed = false;
        send_next(o);
    }
    pthread_mutex_unlock(&s->mutex);
}

static bool is_all_stored(struct webhook_saves *s)
{
    pthread_mutex_lock(&s->mutex);
    const bool is_stored = HASH_COUNT(s->by_tenant) == 0;
    pthread_mutex_unlock(&s->mutex);
    return is_stored;
}

void webhook_saves_finish(struct webhook_saves *s, unsigned most_ms)
{
    const int64_t until_us = clock_mono_us() + INT64_C(1000) * most_ms;

    while (!is_all_stored(s) && clock_mono_us() < until_us)
        usleep(LOOK_US);
}

void webhook_saves_free(struct webhook_saves *s)
{
    struct saves_of *o, *next;

    if (s == NULL)
        return;
    HASH_ITER (hh, s->by_tenant, o, next) {
        drop_all(o);
        free_if_idle(o);
    }
    pthread_mutex_destroy(&s->mutex);
    free(s);
}
