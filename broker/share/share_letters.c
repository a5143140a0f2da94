#include <stdlib.h>

#include "broker/client/shard.h"
#include "broker/share/share_group.h"
#include "broker/share/share_member.h"
#include "broker/share/share_private.h"

#define PARCELS_AT_ONCE 64

/* ---- sending ------------------------------------------------------------ */

void share_send(struct worker *w)
{
    const bool members = share_member_write(w);
    bool all = share_group_write(w) && members; /* both, even if one fails */

    for (unsigned to = 0; to <= w->hub->count; to++)
        if (w->share->out[to] != NULL)
            all &= share_send_parcel(w, to);
    if (!all)
        worker_try_later(w);
}

/* ---- receiving ---------------------------------------------------------- */

static void share_open_letter(struct worker *w, const struct share_letter *l)
{
    switch ((enum share_kind)l->kind) {
    case SHARE_JOIN: share_group_join(w, l->place); break;
    case SHARE_REPORT: share_group_reported(w, l); break;
    case SHARE_JOINED: share_member_joined(w, l->member, l->good); break;
    case SHARE_GIVE: share_member_take(w, l->member, l->message); break;
    case SHARE_LEFT: share_member_left(w, l->member); break;
    }
}

bool share_take(struct worker *w)
{
    void *parcels[PARCELS_AT_ONCE];
    const size_t count =
        mailbox_receive(w->share->mail, parcels, PARCELS_AT_ONCE);

    for (size_t i = 0; i < count; i++) {
        struct share_parcel *p = share_parcel_from(w, parcels[i]);
        for (size_t j = 0; j < p->count; j++)
            share_open_letter(w, &p->letters[j]);
        free(p);
    }
    return count == PARCELS_AT_ONCE;
}

/* ---- the end ------------------------------------------------------------ */

static void share_parcel_free(struct share_parcel *p)
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
    struct share *s = w->share;
    void *item;

    while (s->mail != NULL && mailbox_receive(s->mail, &item, 1) == 1)
        share_parcel_free(share_parcel_from(w, item));
    for (unsigned to = 0; s->out != NULL && to <= w->hub->count; to++)
        share_parcel_free(s->out[to]);
    share_member_release(w);
    share_group_release(w);
    subscription_index_free(s->index);
    mailbox_free(s->mail);
    free(s->out);
}
