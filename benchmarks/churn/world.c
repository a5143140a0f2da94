#include "benchmarks/churn/world.h"

#include "benchmarks/measure/fatal.h"
#include "benchmarks/measure/instant.h"

double world_random(struct world *w)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (double)(w->random >> 11) / (double)(1ULL << 53);
}

int64_t world_between(struct world *w, double min_s, double max_s)
{
    return (int64_t)((min_s + (max_s - min_s) * world_random(w)) * 1e9);
}

bool world_patience_ends(const struct world *w, int64_t since_ns,
                         int64_t now_ns, unsigned patience_s)
{
    if (since_ns < w->steady_ns)
        since_ns = w->steady_ns;
    return now_ns - since_ns > patience_s * NS_PER_S;
}

const char *world_token(const struct world *w, unsigned room)
{
    return w->tokens[world_keeps_by_age(room)];
}

void world_put_thing(struct bytes *to, const struct world *w, unsigned thing,
                     const char *slash)
{
    bytes_put_str(to, "room");
    bytes_put_decimal(to, thing / w->room_things);
    bytes_put_str(to, slash);
    bytes_put_str(to, "t");
    bytes_put_decimal(to, thing % w->room_things);
}

static enum lane_kind kind_of(unsigned room, unsigned turn)
{
    static const enum lane_kind answered[] = {LANE_QOS1, LANE_QOS2, LANE_QOS1,
                                              LANE_HTTP};
    static const enum lane_kind mixed[] = {LANE_QOS0, LANE_QOS1, LANE_QOS0,
                                           LANE_HTTP};

    return (world_has_qos0(room) ? mixed : answered)[turn % 4];
}

void world_init_lanes(struct world *w, unsigned publishers)
{
    const unsigned things = w->rooms * w->room_things;

    w->lanes_per_thing = (publishers + things - 1) / things;
    w->lane_count = things * w->lanes_per_thing;
    w->lanes = must_zalloc(w->lane_count, sizeof(*w->lanes));
    for (unsigned i = 0; i < w->lane_count; i++) {
        struct lane *l = &w->lanes[i];

        l->thing = i / w->lanes_per_thing;
        /* Shifted by the thing, so that few publishers are of all kinds. */
        l->kind = kind_of(l->thing / w->room_things,
                          i % w->lanes_per_thing + l->thing);
    }
}
