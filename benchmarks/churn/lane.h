/* A lane: the messages of one publisher on one thing, numbered from 0. The
 * server owes their order, and every one it acknowledged.
 *
 *     0 ......... owed ......... sent
 *      on disk, or    under way
 *      doubtful
 *
 * A message is doubtful when its connection ended before the answer came and
 * nobody sends it again: it may be there or not, but not twice.
 *
 * QoS 0 has no answers; there a message counts as owed to all once one reader
 * has got it, because no reader gets what is not on disk. */
#ifndef CONFAB_BENCHMARKS_CHURN_LANE_H
#define CONFAB_BENCHMARKS_CHURN_LANE_H

#include <stdbool.h>
#include <stdint.h>

enum lane_kind { LANE_QOS0, LANE_QOS1, LANE_QOS2, LANE_HTTP };

enum { LANE_MARKS = 256 }; /* seconds of history */

struct lane_range {
    uint32_t from, to;
};

struct lane {
    enum lane_kind kind;
    unsigned thing;
    uint32_t sent;
    uint32_t owed;
    struct lane_range *doubtful; /* increasing; owned */
    unsigned doubtful_count;
    uint32_t marks[LANE_MARKS]; /* `owed` at the end of each second */
};

void lane_acknowledge(struct lane *l);           /* the oldest one under way */
void lane_seen(struct lane *l, uint32_t number); /* by a reader */
/* All that is under way is doubtful. */
void lane_give_up(struct lane *l);

/* Are all of [from, to) doubtful? An empty range is. */
bool lane_all_doubtful(const struct lane *l, uint32_t from, uint32_t to);

/* Once a second, with the number of that second, from 0. */
void lane_mark(struct lane *l, unsigned second);
/* `owed` as it was `ago` seconds before `second`; 0 before the beginning. */
uint32_t lane_owed_before(const struct lane *l, unsigned second, unsigned ago);

#endif
