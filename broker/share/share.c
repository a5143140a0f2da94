#include "broker/share/share_private.h"

#include <stdlib.h>

#include "broker/client/shard.h"

#define PARCEL_BYTES (256 * 1024)
#define HANDLE_BITS 48

static void share_wake(void *arg)
{
    worker_wake(arg);
}

bool share_init(struct worker *w)
{
    struct share *s = w->share;

    TAILQ_INIT(&s->writing);
    TAILQ_INIT(&s->answering);
    TAILQ_INIT(&s->catching_up);
    TAILQ_INIT(&s->moving);
    s->mail = mailbox_new(SHARE_PARCELS_MAX, share_wake, w);
    s->out = calloc(w->hub->count + 1, sizeof(struct share_parcel *));
    s->index = subscription_index_new();
    return s->mail != NULL && s->out != NULL && s->index != NULL;
}

/* ---- handles ------------------------------------------------------------ */

unsigned share_worker_of(uint64_t handle)
{
    return (unsigned)(handle >> HANDLE_BITS);
}

uint64_t share_handle_new(struct worker *w)
{
    return (uint64_t)w->number << HANDLE_BITS | ++w->share->last;
}

/* ---- sending ------------------------------------------------------------ */

static size_t share_letter_bytes(const struct share_letter *l)
{
    return l->kind != SHARE_GIVE
               ? 0
               : l->message->topic.len + l->message->payload.len +
                     l->message->sender.len + l->message->user_properties.len;
}

bool share_send_parcel(struct worker *w, unsigned to)
{
    struct share_parcel *p = w->share->out[to];
    struct share *there = w->hub->workers[to]->share;

    /* before sending, because the receiver may be faster than the next line */
    atomic_fetch_add_explicit(&there->bytes, p->bytes, memory_order_relaxed);
    if (!mailbox_send(there->mail, p)) {
        atomic_fetch_sub_explicit(&there->bytes, p->bytes,
                                  memory_order_relaxed);
        return false;
    }
    w->share->out[to] = NULL;
    return true;
}

static bool share_parcel_is_full(const struct share_parcel *p)
{
    return p->count == SHARE_LETTERS || p->bytes >= PARCEL_BYTES;
}

bool share_write(struct worker *w, unsigned to, const struct share_letter *l)
{
    struct share_parcel **p = &w->share->out[to];
    const struct share *there = w->hub->workers[to]->share;

    if (l->kind == SHARE_GIVE &&
        atomic_load_explicit(&there->bytes, memory_order_relaxed) >
            SHARE_BYTES_MAX)
        return false;
    if (*p != NULL && share_parcel_is_full(*p) && !share_send_parcel(w, to))
        return false;
    if (*p == NULL)
        *p = calloc(1, sizeof(**p));
    if (*p == NULL)
        return false;
    (*p)->letters[(*p)->count++] = *l;
    (*p)->bytes += share_letter_bytes(l);
    return true;
}

bool share_is_quiet(const struct worker *w)
{
    for (unsigned to = 0; to <= w->hub->count; to++)
        if (w->share->out[to] != NULL)
            return false;
    return TAILQ_EMPTY(&w->share->writing) &&
           TAILQ_EMPTY(&w->share->answering) &&
           mailbox_count(w->share->mail) == 0;
}

/* ---- parcels ------------------------------------------------------------ */

struct share_parcel *share_parcel_from(struct worker *w, void *item)
{
    struct share_parcel *p = item;

    atomic_fetch_sub_explicit(&w->share->bytes, p->bytes,
                              memory_order_relaxed);
    return p;
}
