/* What a shared subscription has given out, over all its members: each message
 * of its lanes once, to one of them, in any order. */
#ifndef CONFAB_BENCHMARKS_CHURN_GROUP_H
#define CONFAB_BENCHMARKS_CHURN_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "benchmarks/churn/lane.h"
#include "benchmarks/churn/payload.h"

enum {
    GROUP_WINDOW = 4096, /* messages of a lane under way at most */
    /* How far back a kill of the server may take a group: the place that is
     * saved every second is the one of two seconds ago, so that what members
     * have in flight is not taken for settled. */
    GROUP_TAKEN_BACK_S = 4
};

struct group_line {
    uint32_t from; /* earlier ones are of no interest */
    uint32_t base; /* all of [from, base) came */
    uint32_t
        before[GROUP_TAKEN_BACK_S]; /* `base`, each second; newest first */
    uint32_t again_from, again_to;  /* may come twice: the server was killed */
    uint64_t came[GROUP_WINDOW / 64]; /* bits, by number modulo the window */
};

struct group {
    char name[24];
    const struct lane *lanes;
    unsigned first, count;
    struct group_line *lines; /* owned */
    bool asked;               /* its first member subscribes */
    bool follows;             /* and has been told that it does */
    int64_t since_ns;         /* has had members without a break since */
};

void group_init(struct group *g, const char *name, const struct lane *lanes,
                unsigned first, unsigned count);
void group_follow(struct group *g, int64_t now_ns); /* SUBACK of its first */
/* false: a repeat that is allowed, or an error. */
bool group_take(struct group *g, const struct churn_payload *p);
void group_tick(struct group *g);
void group_killed(struct group *g);
bool group_complete(const struct group *g);
void group_check(struct group *g, unsigned second, unsigned patience_s);

#endif
