#include "broker/share/share.h"

#include <stdlib.h>

#include "broker/share/share_group.h"
#include "broker/share/share_member.h"
#include "broker/worker.h"

#define LETTERS 32 /* in a parcel */
#define PARCEL_BYTES (256 * 1024)
#define PARCELS_AT_ONCE 64
#define HANDLE_BITS 48

struct share_parcel {
    size_t count;
    size_t bytes; /* of messages */
    struct share_letter letters[LETTERS];
};

static void wake(void *arg)
{
    worker_wake(arg);
}

bool share_init(struct worker *w)
{
    struct share *s = &w->share;

    TAILQ_INIT(&s->writing);
    TAILQ_INIT(&s->answering);
    TAILQ_INIT(&s->feeding);
    TAILQ_INIT(&s->moving);
    s->mail = mailbox_new(SHARE_PARCELS_MAX, wake, w);
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
    return (uint64_t)w->number << HANDLE_BITS | ++w->share.last;
}

/* ---- sending ------------------------------------------------------------ */

static size_t bytes_of(const struct share_letter *l)
{
    return l->kind != SHARE_GIVE
               ? 0
               : l->message->topic.len + l->message->payload.len +
                     l->message->user_properties.len;
}

/* false: the receiver has no room, the parcel stays. */
static bool send_parcel(struct worker *w, unsigned to)
{
    struct share_parcel *p = w->share.out[to];
    struct share *there = &w->hub->workers[to]->share;

    /* Before, because the receiver may be faster than the next line. */
    atomic_fetch_add_explicit(&there->bytes, p->bytes, memory_order_relaxed);
    if (!mailbox_send(there->mail, p)) {
        atomic_fetch_sub_explicit(&there->bytes, p->bytes,
                                  memory_order_relaxed);
        return false;
    }
    w->share.out[to] = NULL;
    return true;
}

static bool is_full(const struct share_parcel *p)
{
    return p->count == LETTERS || p->bytes >= PARCEL_BYTES;
}

bool share_write(struct worker *w, unsigned to, const struct share_letter *l)
{
    struct share_parcel **p = &w->share.out[to];
    const struct share *there = &w->hub->workers[to]->share;

    if (l->kind == SHARE_GIVE &&
        atomic_load_explicit(&there->bytes, memory_order_relaxed) >
            SHARE_BYTES_MAX)
        return false;
    if (*p != NULL && is_full(*p) && !send_parcel(w, to))
        return false;
    if (*p == NULL)
        *p = calloc(1, sizeof(**p));
    if (*p == NULL)
        return false;
    (*p)->letters[(*p)->count++] = *l;
    (*p)->bytes += bytes_of(l);
    return true;
}

void share_send(struct worker *w)
{
    const bool members = share_member_write(w);
    bool all =
        share_group_write(w) && members; /* both, whatever comes of one */

    for (unsigned to = 0; to <= w->hub->count; to++)
        if (w->share.out[to] != NULL)
            all &= send_parcel(w, to);
    if (!all)
        worker_try_later(w);
}

bool share_is_quiet(const struct worker *w)
{
    for (unsigned to = 0; to <= w->hub->count; to++)
        if (w->share.out[to] != NULL)
            return false;
    return TAILQ_EMPTY(&w->share.writing) &&
           TAILQ_EMPTY(&w->share.answering) &&
           mailbox_count(w->share.mail) == 0;
}

/* ---- receiving ---------------------------------------------------------- */

static void open_letter(struct worker *w, const struct share_letter *l)
{
    switch ((enum share_kind)l->kind) {
    case SHARE_JOIN: share_group_join(w, l->place); break;
    case SHARE_REPORT: share_group_heed(w, l); break;
    case SHARE_JOINED: share_member_joined(w, l->member, l->good); break;
    case SHARE_GIVE: share_member_take(w, l->member, l->message); break;
    case SHARE_LEFT: share_member_left(w, l->member); break;
    }
}

static struct share_parcel *parcel_from(struct worker *w, void *item)
{
    struct share_parcel *p = item;

    atomic_fetch_sub_explicit(&w->share.bytes, p->bytes, memory_order_relaxed);
    return p;
}

bool share_take(struct worker *w)
{
    void *parcels[PARCELS_AT_ONCE];
    const size_t count =
        mailbox_receive(w->share.mail, parcels, PARCELS_AT_ONCE);

    for (size_t i = 0; i < count; i++) {
        struct share_parcel *p = parcel_from(w, parcels[i]);
        for (size_t j = 0; j < p->count; j++)
            open_letter(w, &p->letters[j]);
        free(p);
    }
    return count == PARCELS_AT_ONCE;
}

/* ---- the end ------------------------------------------------------------ */

static void parcel_free(struct share_parcel *p)
{
    if (p == NULL)
        return;
    for (size_t i = 0; i < p->count; i++) {
        const struct share_letter *l = &p->letters[i];
        switch ((enum share_kind)l->kind) {
        case SHARE_JOIN: share_place_free(l->place); break;
        case SHARE_GIVE: message_unref(l->message); break;
        case SHARE_REPORT: free(l->ids); break;
        case SHARE_JOINED:
        case SHARE_LEFT: break;
        }
    }
    free(p);
}

void share_release(struct worker *w)
{
    struct share *s = &w->share;
    void *item;

    while (s->mail != NULL && mailbox_receive(s->mail, &item, 1) == 1)
        parcel_free(parcel_from(w, item));
    for (unsigned to = 0; s->out != NULL && to <= w->hub->count; to++)
        parcel_free(s->out[to]);
    share_member_release(w);
    share_group_release(w);
    subscription_index_free(s->index);
    mailbox_free(s->mail);
    free(s->out);
}
