/* Shared by share_group.c and share_catchup.c. */
#ifndef CONFAB_BROKER_SHARE_SHARE_GROUP_PRIVATE_H
#define CONFAB_BROKER_SHARE_SHARE_GROUP_PRIVATE_H

#include "base/name_hash.h"
#include "base/subscription_index.h"
#include "broker/client/shard.h"
#include "broker/share/share_group.h"
#include "store/read/catchup.h"

TAILQ_HEAD(share_places, share_place);

struct share_group {
    UT_hash_handle hh; /* share.groups */
    struct subscription where;
    uint64_t since;         /* its messages have greater ids */
    struct catchup *reader; /* NULL: live */
    struct share_returned returned;
    struct share_places ready; /* members with credit, longest wait first */
    /* All, and members that left with messages unsettled. */
    LIST_HEAD(, share_place) places;
    size_t members; /* members that have not left */
    bool stored;    /* a member's session is stored: see share_save.h */
    bool changed;   /* a message was given or returned since the last save */
    /* Saves with the writer; while there are any, the row must not be read. */
    unsigned saves;
    unsigned settling;  /* ticks until the saved position is the real one */
    uint64_t before[2]; /* position one and two ticks ago */
    uint64_t saved;     /* position of the last save */
    /* Ids returned and given again since the last tick, and in the tick
     * before: like the position, kept on disk two ticks longer. */
    struct share_returned again[2];
    uint64_t
        *given; /* owned: QoS 2 messages that were given before a crash …  */
    size_t given_count; /* … which must not be given again */
    unsigned moved;     /* messages given since the last save */
    bool moving;        /* in share.moving */
    TAILQ_ENTRY(share_group) move;
    /* Position when the server began to shut down; 0: it has not. */
    uint64_t final;
    bool catching_up; /* in share.catching_up */
    TAILQ_ENTRY(share_group) in_catching_up;
    /* Where the filter begins, at the end of the name. */
    size_t filter_at, len;
    char name[]; /* token, NUL, group, NUL, filter */
};

static inline struct slice share_group_filter(const struct share_group *g)
{
    return slice_of(g->name + g->filter_at, g->len - g->filter_at);
}

static inline bool share_group_owes(const struct share_group *g)
{
    return g->reader != NULL || g->returned.count > 0;
}

/* Every message given up to this id is settled, or on disk as in flight to
 * its member. At most the position. */
uint64_t share_group_safe_position(const struct worker *w,
                                   const struct share_group *g);

bool share_group_has_given(const struct share_group *g, uint64_t id);

/* A save has completed. */
void share_group_saved(struct worker *w, struct share_group *g);

/* Gives it to the member whose turn it is; that takes a reference. false: no
 * member has credit, or no letter has room. */
bool share_group_give(struct worker *w, struct share_group *g,
                      struct message *m);

#endif
