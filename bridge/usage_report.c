#include "bridge/usage_report.h"

#include <stdlib.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/vocabulary.h"
#include "bridge/counters/key_uses.h"
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

static struct usage_report *report_new(const char *topic,
                                       const struct command *c)
{
    struct usage_report *r = calloc(1, sizeof(*r));

    if (r == NULL)
        return NULL;
    command_encode(&r->body, c);
    r->request = (struct link_request){
        .topic = slice_str(topic),
        .payload = buffer_slice(&r->body),
        .deadline_us = clock_mono_us() + REPORT_DEADLINE_US,
        .done = report_done,
        .owner = r,
    };
    return r;
}

/* What is lost here is part of the next report. */
static void send_report(struct link *link, const char *topic,
                        const struct command *c)
{
    struct usage_report *r = report_new(topic, c);

    if (r != NULL && !link_publish(link, &r->request))
        report_done(&r->request);
}

void usage_report(struct reads *rs, struct link *link, int64_t now_us)
{
    struct reads_change changes[REPORTS_PER_TURN];
    const size_t count = reads_changed(rs, changes, REPORTS_PER_TURN, now_us);

    for (size_t i = 0; i < count; i++) {
        struct token_reads reads = {
            .token = slice_of(changes[i].token, changes[i].token_len),
            .window_start_us = changes[i].start_us,
            .reads = changes[i].reads,
        };
        send_report(link, COMMAND_PREFIX "usage",
                    &(struct command){.kind = COMMAND_USAGE, .args = &reads});
    }
}

void key_uses_report(struct key_uses *uses, struct link *link, int64_t now_us)
{
    unsigned char hashes[KEYS_USED_MAX * SECRET_HASH_BYTES];
    const size_t count = key_uses_take(uses, hashes);
    struct keys_used used = {slice_of(hashes, count * SECRET_HASH_BYTES),
                             now_us};

    if (count > 0)
        send_report(link, COMMAND_PREFIX "keys_used",
                    &(struct command){.kind = COMMAND_KEYS_USED,
                                      .args = &used});
}
