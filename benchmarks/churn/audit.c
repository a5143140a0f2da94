#include "benchmarks/churn/audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "benchmarks/churn/report.h"
#include "benchmarks/measure/fatal.h"
#include "benchmarks/measure/instant.h"

enum {
    QUIET_S = 3,  /* nothing more comes */
    SWEEP_S = 150 /* the server looks for old messages once a minute; a
                     stored message may be this much older than its plan
                     says, busy seconds included */
};

void audit_begin(struct audit *a, struct world *w, int64_t now_ns)
{
    /* Their connections were not cut since: QoS 0 messages, too, are there. */
    for (unsigned i = 0; i < w->lane_count; i++)
        w->lanes[i].owed = w->lanes[i].sent;
    *a = (struct audit){.world = w,
                        .things = w->rooms * w->room_things,
                        .begun_ns = now_ns,
                        .changed_ns = now_ns};
    a->readers = must_zalloc(a->things, sizeof(*a->readers));
    for (unsigned i = 0; i < a->things; i++)
        reader_init_audit(&a->readers[i], w, i);
}

/* Messages that are there for certain, unless retention removed them. */
static uint64_t certain(const struct book *b)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < b->count; i++) {
        const struct lane *l = &b->lanes[i];

        total += l->owed;
        for (unsigned k = 0; k < l->doubtful_count; k++)
            total -= l->doubtful[k].to - l->doubtful[k].from;
    }
    return total;
}

static void judge_count(const struct churn_reader *r)
{
    const uint64_t owed = certain(&r->book);
    const unsigned keep = r->world->keep_count;

    if (r->book.taken < (owed < keep ? owed : keep))
        report_error("thing %u: %" PRIu64 " messages are stored, %" PRIu64
                     " were acknowledged, %u are to be kept",
                     r->thing, r->book.taken, owed, keep);
    if (r->book.taken > keep)
        report_error("thing %u: %" PRIu64 " messages are stored, %u are to be "
                     "kept: retention does not work",
                     r->thing, r->book.taken, keep);
}

static void judge_age(const struct churn_reader *r, int64_t now_ns)
{
    const int64_t age_s = (now_ns - r->oldest_ns) / NS_PER_S;

    if (r->oldest_ns != INT64_MAX && age_s > r->world->keep_s + SWEEP_S)
        report_error("thing %u: a message of %" PRId64 " s ago is stored, %u "
                     "s are to be kept: retention does not work",
                     r->thing, age_s, r->world->keep_s);
}

static void judge(struct churn_reader *r, int64_t now_ns)
{
    if (r->state != READER_HERE) {
        report_error("thing %u cannot be read", r->thing);
        return;
    }
    book_check(&r->book, r->world->second, 1);
    if (world_keeps_by_age(r->room))
        judge_age(r, now_ns);
    else
        judge_count(r);
}

bool audit_step(struct audit *a, int64_t now_ns)
{
    uint64_t messages = 0;
    bool all_here = true;

    for (unsigned i = 0; i < a->things; i++) {
        messages += a->readers[i].book.taken;
        all_here = all_here && a->readers[i].state == READER_HERE;
    }
    if (messages != a->messages || !all_here)
        a->changed_ns = now_ns;
    a->messages = messages;
    if (now_ns - a->changed_ns < QUIET_S * NS_PER_S &&
        now_ns - a->begun_ns < 4 * a->world->patience_s * NS_PER_S)
        return false;

    for (unsigned i = 0; i < a->things; i++) {
        judge(&a->readers[i], now_ns);
        socket_close(&a->readers[i].socket, false);
        free(a->readers[i].book.lines);
    }
    free(a->readers);
    a->readers = NULL;
    return true;
}
