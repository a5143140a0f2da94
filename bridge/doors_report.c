#include "bridge/doors_report.h"

#include <stdlib.h>
#include <string.h>

#include "base/vocabulary.h"
#include "bridge/link/link.h"

#define DEADLINE_US INT64_C(5000000)

struct doors_message {
    struct link_request request;
    char body[];
};

static void message_done(struct link_request *q)
{
    free(q->result);
    free(q->owner);
}

void doors_report(struct doors_report *r, struct link *link, struct slice json,
                  int64_t mono_us)
{
    if (mono_us < r->due_us || !link_is_up(link))
        return;
    struct doors_message *m = calloc(1, sizeof(*m) + json.len);
    if (m == NULL)
        return;
    memcpy(m->body, json.data, json.len);
    m->request = (struct link_request){
        .topic = slice_str(COMMAND_PREFIX COMMAND_DOORS_NAME),
        .payload = slice_of(m->body, json.len),
        .deadline_us = mono_us + DEADLINE_US,
        .done = message_done,
        .owner = m,
    };
    r->due_us = mono_us + DOORS_TOLD_US / 3;
    if (!link_publish(link, &m->request))
        message_done(&m->request);
}
