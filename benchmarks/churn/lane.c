#include "benchmarks/churn/lane.h"

#include "benchmarks/churn/report.h"
#include "benchmarks/measure/fatal.h"

void lane_acknowledge(struct lane *l)
{
    if (l->owed == l->sent)
        report_error("lane of thing %u: an answer to nothing", l->thing);
    else
        l->owed++;
}

void lane_seen(struct lane *l, uint32_t number)
{
    if (l->kind == LANE_QOS0 && number >= l->owed)
        l->owed = number + 1;
}

void lane_give_up(struct lane *l)
{
    if (l->owed == l->sent)
        return;
    l->doubtful = must_realloc(l->doubtful,
                               (l->doubtful_count + 1) * sizeof(*l->doubtful));
    l->doubtful[l->doubtful_count++] = (struct lane_range){l->owed, l->sent};
    l->owed = l->sent;
}

bool lane_all_doubtful(const struct lane *l, uint32_t from, uint32_t to)
{
    /* From the newest: what is asked for is as a rule near the end. */
    for (unsigned i = l->doubtful_count; i-- > 0 && from < to;) {
        const struct lane_range *r = &l->doubtful[i];

        if (r->to < to)
            return false;
        if (r->from < to)
            to = r->from;
    }
    return from >= to;
}

void lane_mark(struct lane *l, unsigned second)
{
    l->marks[second % LANE_MARKS] = l->owed;
}

uint32_t lane_owed_before(const struct lane *l, unsigned second, unsigned ago)
{
    if (ago > second)
        return 0;
    if (ago >= LANE_MARKS - 1)
        fatal("lanes remember %d seconds", LANE_MARKS);
    return l->marks[(second - ago) % LANE_MARKS];
}
