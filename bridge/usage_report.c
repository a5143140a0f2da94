#include "bridge/usage_report.h"

#include <stdlib.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/vocabulary.h"
#include "bridge/http/reads.h"
#include "bridge/link/link.h"
#include "store/command.h"
#include "store/command/token.h"

#define REPORTS_PER_TURN 256
#define REPORT_DEADLINE_US INT64_C(5000000)

struct usage_report {
    struct link_request request;
    struct buffer body;
};

static void report_done(struct link_request *q)
{
    struct usage_report *r = q->owner;

    free(q->result);
    buffer_release(&r->body);
    free(r);
}

static struct usage_report *report_new(const struct reads_change *change)
{
    struct usage_report *r = calloc(1, sizeof(*r));

    if (r == NULL)
        return NULL;
    struct token_reads reads = {
        .token = slice_of(change->token, change->token_len),
        .window_start_us = change->start_us,
        .reads = change->reads,
    };
    const struct command c = {.kind = COMMAND_USAGE, .args = &reads};
    command_encode(&r->body, &c);
    r->request = (struct link_request){
        .topic = slice_str(COMMAND_PREFIX "usage"),
        .payload = buffer_slice(&r->body),
        .deadline_us = clock_mono_us() + REPORT_DEADLINE_US,
        .done = report_done,
        .owner = r,
    };
    return r;
}

void usage_report(struct reads *rs, struct link *link, int64_t now_us)
{
    struct reads_change changes[REPORTS_PER_TURN];
    const size_t count = reads_changed(rs, changes, REPORTS_PER_TURN, now_us);

    for (size_t i = 0; i < count; i++) {
        struct usage_report *r = report_new(&changes[i]);
        /* what is lost here is part of the next report */
        if (r != NULL && !link_publish(link, &r->request))
            report_done(&r->request);
    }
}
