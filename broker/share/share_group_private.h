/* Between share_group.c and share_catchup.c. */
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
    struct share_places ready;       /* have credit, longest wait first */
    LIST_HEAD(, share_place) places; /* all, those with debts who left too */
    size_t members;                  /* that have not left */
    bool stored;    /* some member's session is: see share_save.h */
    bool changed;   /* something was given or came back since the last save */
    unsigned saves; /* with the writer: until then the row is not to be read */
    unsigned settling;  /* ticks until the saved position is the real one */
    uint64_t before[2]; /* position one and two ticks ago */
    uint64_t saved;     /* position of the last save */
    /* Ids that came back and were given again since, and a tick before: like the
     * position, on disk for two ticks longer. */
    struct share_returned again[2];
    uint64_t
        *given; /* owned: QoS 2 messages that were given before a crash …  */
    size_t given_count; /* … ids growing; not to be given again */
    unsigned moved;     /* messages given since the last save */
    bool moving;        /* in share.moving */
    TAILQ_ENTRY(share_group) move;
    uint64_t final; /* position when the server began to end; 0: it has not */
    bool catching_up; /* in share.catching_up */
    TAILQ_ENTRY(share_group) in_catching_up;
    size_t filter_at, len; /* the filter is the end of the name */
    char name[];           /* token, NUL, group, NUL, filter */
};

static inline struct slice share_group_filter(const struct share_group *g)
{
    return slice_of(g->name + g->filter_at, g->len - g->filter_at);
}

static inline bool share_group_owes(const struct share_group *g)
{
    return g->reader != NULL || g->returned.count > 0;
}

/* Everything up to this id that was given away is settled, or on disk as in flight
 * to its member. At most the position. */
uint64_t share_group_safe_position(const struct worker *w,
                                   const struct share_group *g);

bool share_group_has_given(const struct share_group *g, uint64_t id);

/* A save is back. */
void share_group_saved(struct worker *w, struct share_group *g);

/* To the member whose turn it is, which takes a reference; false: nobody has
 * credit, or no letter has room. */
bool share_group_give(struct worker *w, struct share_group *g,
                      struct message *m);

#endif
