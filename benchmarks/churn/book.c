#include "benchmarks/churn/book.h"

#include "benchmarks/churn/report.h"
#include "benchmarks/measure/fatal.h"

void book_init(struct book *b, const char *who, const struct lane *lanes,
               unsigned first, unsigned count)
{
    *b = (struct book){
        .who = who, .lanes = lanes + first, .first = first, .count = count};
    b->lines = must_zalloc(count, sizeof(*b->lines));
}

void book_ask(struct book *b, bool replays)
{
    b->replays = replays;
    b->taken = 0;
    for (unsigned i = 0; i < b->count; i++) {
        const uint32_t next = replays ? 0 : b->lanes[i].owed;

        b->lines[i] = (struct book_line){.next = next,
                                         .before = {next, next},
                                         .must_from = UINT32_MAX,
                                         .joining = true};
    }
}

void book_follow(struct book *b, unsigned second, unsigned kept_s)
{
    for (unsigned i = 0; i < b->count; i++) {
        const struct lane *lane = &b->lanes[i];

        b->lines[i].must_from = b->replays && kept_s > 0
                                    ? lane_owed_before(lane, second, kept_s)
                                    : lane->sent;
    }
}

void book_gap(struct book *b, unsigned second, unsigned kept_s)
{
    for (unsigned i = 0; i < b->count; i++)
        b->lines[i].joining = true;
    book_follow(b, second, kept_s);
    for (unsigned i = 0; i < b->count; i++)
        if (b->lines[i].must_from < b->lines[i].next)
            b->lines[i].must_from = b->lines[i].next;
}

static bool may_repeat(const struct book_line *line,
                       const struct churn_payload *p, enum book_repeat repeat,
                       bool marked)
{
    switch (repeat) {
    case BOOK_NEVER: return false;
    case BOOK_MARKED: return marked;
    case BOOK_LAST_SECONDS: return marked || p->number >= line->before[1];
    }
    return false;
}

/* Where on this lane the reader's duty begins. */
static uint32_t due(const struct book_line *line)
{
    return line->joining ? line->must_from : line->next;
}

enum book_verdict book_take(struct book *b, const struct churn_payload *p,
                            enum book_repeat repeat, bool marked)
{
    const unsigned i = p->lane - b->first; /* wraps when below */

    if (i >= b->count) {
        report_error("%s got message %u of publisher %u, which is not for it",
                     b->who, p->number, p->lane);
        return BOOK_ERROR;
    }
    struct book_line *line = &b->lines[i];
    const struct lane *lane = &b->lanes[i];

    if (p->number >= lane->sent) {
        report_error("%s got message %u of publisher %u before it was sent",
                     b->who, p->number, p->lane);
        return BOOK_ERROR;
    }
    b->taken++;
    if (p->number < line->next) {
        if (may_repeat(line, p, repeat, marked))
            return BOOK_REPEATED;
        report_error("%s got message %u of publisher %u %s (next is %u)",
                     b->who, p->number, p->lane,
                     line->joining ? "from before it asked"
                                   : "twice or out of order",
                     line->next);
        return BOOK_ERROR;
    }
    const uint32_t from = due(line);
    const bool lost = from < p->number && !b->slow &&
                      !lane_all_doubtful(lane, from, p->number);

    if (lost)
        report_error("%s got message %u of publisher %u instead of %u: lost "
                     "or out of order",
                     b->who, p->number, p->lane, from);
    line->next = p->number + 1;
    line->joining = false;
    return lost ? BOOK_ERROR : BOOK_NEW;
}

void book_tick(struct book *b)
{
    for (unsigned i = 0; i < b->count; i++) {
        b->lines[i].before[1] = b->lines[i].before[0];
        b->lines[i].before[0] = b->lines[i].next;
    }
}

bool book_complete(const struct book *b)
{
    for (unsigned i = 0; i < b->count; i++)
        if (!lane_all_doubtful(&b->lanes[i], due(&b->lines[i]),
                               b->lanes[i].owed))
            return false;
    return true;
}

void book_check(struct book *b, unsigned second, unsigned patience_s)
{
    for (unsigned i = 0; i < b->count; i++) {
        struct book_line *line = &b->lines[i];
        const uint32_t owed =
            lane_owed_before(&b->lanes[i], second, patience_s);

        if (due(line) >= owed ||
            lane_all_doubtful(&b->lanes[i], due(line), owed))
            continue;
        report_error("%s has not got message %u of publisher %u, acknowledged "
                     "%u s ago: missing",
                     b->who, due(line), b->first + i, patience_s);
        line->next = owed;
        line->joining = false;
    }
}
