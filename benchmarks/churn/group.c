#include "benchmarks/churn/group.h"

#include <stdio.h>
#include <string.h>

#include "benchmarks/churn/report.h"
#include "benchmarks/measure/fatal.h"

void group_init(struct group *g, const char *name, const struct lane *lanes,
                unsigned first, unsigned count)
{
    *g =
        (struct group){.lanes = lanes + first, .first = first, .count = count};
    snprintf(g->name, sizeof(g->name), "%s", name);
    g->lines = must_zalloc(count, sizeof(*g->lines));
}

void group_follow(struct group *g, int64_t now_ns)
{
    g->follows = true;
    g->since_ns = now_ns;
    for (unsigned i = 0; i < g->count; i++) {
        const uint32_t from = g->lanes[i].sent;

        g->lines[i] = (struct group_line){.from = from, .base = from};
        for (unsigned k = 0; k < GROUP_TAKEN_BACK_S; k++)
            g->lines[i].before[k] = from;
    }
}

static uint64_t *word_of(struct group_line *line, uint32_t number)
{
    return &line->came[number % GROUP_WINDOW / 64];
}

static void advance(const struct lane *lane, struct group_line *line)
{
    for (;;) {
        const uint64_t bit = 1ULL << line->base % 64;
        uint64_t *word = word_of(line, line->base);

        if ((*word & bit) == 0 &&
            (line->base >= lane->owed ||
             !lane_all_doubtful(lane, line->base, line->base + 1)))
            return;
        *word &= ~bit;
        line->base++;
    }
}

bool group_take(struct group *g, const struct churn_payload *p)
{
    const unsigned i = p->lane - g->first;

    if (i >= g->count || p->number >= g->lanes[i].sent) {
        report_error("group %s got message %u of publisher %u, which is not "
                     "for it or was not sent",
                     g->name, p->number, p->lane);
        return false;
    }
    struct group_line *line = &g->lines[i];

    if (!g->follows || p->number < line->from)
        return true; /* sent while its first member subscribed */
    advance(&g->lanes[i], line);
    if (p->number >= line->base + GROUP_WINDOW) {
        report_error("group %s got message %u of publisher %u and still "
                     "waits for %u",
                     g->name, p->number, p->lane, line->base);
        return false;
    }
    const uint64_t bit = 1ULL << p->number % 64;
    uint64_t *word = word_of(line, p->number);

    if (p->number < line->base || (*word & bit) != 0) {
        if ((p->number >= line->again_from && p->number < line->again_to) ||
            lane_all_doubtful(&g->lanes[i], p->number, p->number + 1)) {
            report.repeated++;
            return false;
        }
        report_error("group %s got message %u of publisher %u twice", g->name,
                     p->number, p->lane);
        return false;
    }
    *word |= bit;
    advance(&g->lanes[i], line);
    return true;
}

void group_tick(struct group *g)
{
    for (unsigned i = 0; i < g->count; i++) {
        advance(&g->lanes[i], &g->lines[i]);
        uint32_t *before = g->lines[i].before;

        memmove(before + 1, before,
                (GROUP_TAKEN_BACK_S - 1) * sizeof(*before));
        before[0] = g->lines[i].base;
    }
}

void group_killed(struct group *g)
{
    for (unsigned i = 0; i < g->count; i++) {
        g->lines[i].again_from = g->lines[i].before[GROUP_TAKEN_BACK_S - 1];
        g->lines[i].again_to = g->lanes[i].sent;
    }
}

bool group_complete(const struct group *g)
{
    if (!g->follows)
        return true;
    for (unsigned i = 0; i < g->count; i++) {
        advance(&g->lanes[i], &g->lines[i]);
        if (g->lines[i].base < g->lanes[i].owed)
            return false;
    }
    return true;
}

void group_check(struct group *g, unsigned second, unsigned patience_s)
{
    for (unsigned i = 0; g->follows && i < g->count; i++) {
        struct group_line *line = &g->lines[i];
        const uint32_t owed =
            lane_owed_before(&g->lanes[i], second, patience_s);

        advance(&g->lanes[i], line);
        if (line->base >= owed)
            continue;
        report_error("group %s has not got message %u of publisher %u, "
                     "acknowledged %u s ago: missing",
                     g->name, line->base, g->first + i, patience_s);
        while (line->base < owed) {
            *word_of(line, line->base) &= ~(1ULL << line->base % 64);
            line->base++;
        }
    }
}
