#include "benchmarks/churn/population.h"

#include <stdio.h>

#include "benchmarks/churn/report.h"
#include "benchmarks/measure/fatal.h"
#include "benchmarks/measure/instant.h"

enum { GROUP_MEMBERS = 12 };

/* On rooms without QoS 0, in turn. */
static void init_groups(struct population *p, unsigned members)
{
    const struct world *w = p->world;
    const unsigned per_room = w->lanes_per_thing * w->room_things;

    p->group_count = (members + GROUP_MEMBERS - 1) / GROUP_MEMBERS;
    p->groups = must_zalloc(p->group_count, sizeof(*p->groups));
    for (unsigned i = 0; i < p->group_count; i++) {
        const unsigned room = (i / 2 * 4 + i % 2) % w->rooms;
        char name[24];

        snprintf(name, sizeof(name), "g%u", i);
        group_init(&p->groups[i], name, w->lanes, room * per_room, per_room);
    }
}

void population_init(struct population *p, struct world *w, unsigned readers)
{
    unsigned members = 0;

    *p = (struct population){.world = w, .reader_count = readers};
    p->publishers = must_zalloc(w->lane_count, sizeof(*p->publishers));
    p->readers = must_zalloc(readers, sizeof(*p->readers));
    for (unsigned i = 0; i < w->lane_count; i++)
        publisher_init(&p->publishers[i], w, i);
    for (unsigned i = 0; i < readers; i++)
        members += reader_kind_of(i) == READER_SHARE;
    init_groups(p, members);
    members = 0;
    for (unsigned i = 0; i < readers; i++) {
        const enum reader_kind kind = reader_kind_of(i);
        struct group *group = NULL;
        bool anchor = false;

        if (kind == READER_SHARE) {
            group = &p->groups[members % p->group_count];
            anchor = members++ < p->group_count;
        }
        reader_init(&p->readers[i], w, kind, i, group, anchor);
    }
}

void population_tick(struct population *p, int64_t now_ns)
{
    for (unsigned i = 0; i < p->world->lane_count; i++)
        publisher_tick(&p->publishers[i], now_ns);
    for (unsigned i = 0; i < p->reader_count; i++)
        reader_tick(&p->readers[i], now_ns);
}

static void check_groups(struct population *p, int64_t now_ns)
{
    const struct world *w = p->world;
    /* What the anchor has not acknowledged waits until it comes back. */
    const unsigned patience_s = w->patience_s + (unsigned)w->away_max_s;

    for (unsigned i = 0; i < p->group_count; i++) {
        struct group *g = &p->groups[i];

        if (!g->follows)
            continue;
        group_tick(g);
        if (world_patience_ends(w, g->since_ns, now_ns, patience_s))
            group_check(g, w->second, patience_s);
    }
}

void population_second(struct population *p, int64_t now_ns)
{
    struct world *w = p->world;

    w->second++;
    for (unsigned i = 0; i < w->lane_count; i++)
        lane_mark(&w->lanes[i], w->second);
    if (w->down)
        return;
    for (unsigned i = 0; i < p->reader_count; i++)
        reader_second(&p->readers[i], now_ns);
    check_groups(p, now_ns);
}

void population_server_back(struct population *p, int64_t now_ns)
{
    for (unsigned i = 0; i < p->group_count; i++) {
        group_killed(&p->groups[i]);
        p->groups[i].since_ns = now_ns;
    }
    for (unsigned i = 0; i < p->world->lane_count; i++)
        publisher_server_back(&p->publishers[i], now_ns);
    for (unsigned i = 0; i < p->reader_count; i++)
        reader_server_back(&p->readers[i], now_ns);
}

struct attendance population_count(const struct population *p)
{
    struct attendance a = {0};

    for (unsigned i = 0; i < p->world->lane_count; i++)
        a.publishers += p->publishers[i].state != PUBLISHER_AWAY;
    for (unsigned i = 0; i < p->reader_count; i++) {
        const struct churn_reader *r = &p->readers[i];

        a.readers += r->state != READER_AWAY;
        a.slow += r->state != READER_AWAY && reader_is_slow(r);
    }
    return a;
}

static bool publisher_is_done(const struct churn_publisher *p)
{
    return p->state == PUBLISHER_AWAY && p->pending_count == 0;
}

bool population_settled(const struct population *p)
{
    for (unsigned i = 0; i < p->world->lane_count; i++)
        if (!publisher_is_done(&p->publishers[i]))
            return false;
    for (unsigned i = 0; i < p->reader_count; i++)
        if (!reader_complete(&p->readers[i]))
            return false;
    for (unsigned i = 0; i < p->group_count; i++)
        if (!group_complete(&p->groups[i]))
            return false;
    return true;
}

void population_report_unsettled(struct population *p)
{
    const unsigned second = p->world->second;

    for (unsigned i = 0; i < p->world->lane_count; i++)
        if (!publisher_is_done(&p->publishers[i]))
            report_error("publisher %u is not done: state %d, %u unanswered",
                         i, (int)p->publishers[i].state,
                         p->publishers[i].pending_count);
    for (unsigned i = 0; i < p->reader_count; i++) {
        struct churn_reader *r = &p->readers[i];

        if (reader_complete(r))
            continue;
        if (r->state == READER_HERE)
            book_check(&r->book, second, 1);
        else
            report_error("%s is still owed messages and not here (state %d)",
                         r->name, (int)r->state);
    }
    for (unsigned i = 0; i < p->group_count; i++)
        group_check(&p->groups[i], second, 1);
}
