#include "bridge/link/link_bundle.h"

#include <string.h>

#include "base/msgpack/append_bundle.h"
#include "base/topic.h"
#include "bridge/link/link_properties.h"

#define NUMBERS_SIZE 32 /* flags, window, and the heads of all fields */

bool link_bundle_takes(const struct link_request *q)
{
    return q->payload.len <= LINK_BUNDLE_PAYLOAD_MAX &&
           (q->topic_checked ||
            topic_split(q->topic, &(struct slice){0}, &(struct slice){0})) &&
           link_idempotency_valid(q->idempotency) &&
           link_idempotency_valid(q->sender) &&
           link_idempotency_valid(q->address);
}

size_t link_bundle_size(const struct link_request *q)
{
    return LINK_OPERATION_SIZE + NUMBERS_SIZE + q->topic.len + q->payload.len +
           q->idempotency.len + q->sender.len + q->address.len;
}

bool link_bundle_write(struct buffer *b, const char *boot,
                       struct link_request *const *requests, size_t count)
{
    char operation[LINK_OPERATION_SIZE];

    buffer_clear(b);
    append_bundle_begin(b, count);
    for (size_t i = 0; i < count; i++) {
        const struct link_request *q = requests[i];
        link_operation(operation, boot, q->operation);
        const struct append_message m = {
            .operation = slice_str(operation),
            .topic = q->topic,
            .payload = q->payload,
            .flags = (q->retain ? APPEND_RETAIN : 0) |
                     (q->is_json ? APPEND_JSON : 0),
            .window_start_us = q->window_start_us,
            .idempotency = q->idempotency,
            .sender = q->sender,
            .address = q->address,
        };
        append_bundle_put(b, &m);
    }
    return buffer_ok(b);
}

/* `q` NULL: its request has ended. */
static bool read_answer(struct append_answers *answers, struct link_request *q)
{
    struct append_answer a;

    if (!append_answer_next(answers, &a))
        return false;
    if (q == NULL)
        return true;
    link_clear_answer(q);
    q->status = a.status;
    q->id = a.id;
    q->seq = a.seq;
    q->at_us = a.at_us;
    q->remaining = a.remaining;
    q->retry_after_s = a.retry_after_s;
    q->repeated = a.repeated;
    if (a.reason.len >= sizeof(q->reason))
        a.reason.len = sizeof(q->reason) - 1;
    memcpy(q->reason, a.reason.data, a.reason.len);
    q->reason[a.reason.len] = 0;
    return true;
}

static void read_refusal(const struct link_request *whole,
                         struct link_request *q)
{
    link_refuse(q, whole->status == 200 ? 500 : whole->status,
                whole->status == 200 ? "the broker's answer makes no sense"
                                     : whole->reason);
}

void link_bundle_read(const struct link_request *whole,
                      struct link_request *const *requests)
{
    struct append_answers a = {.at = whole->result};
    bool is_there = whole->status == 200 && whole->result != NULL;

    if (is_there)
        a.end = a.at + whole->result_len;
    for (size_t i = 0; i < LINK_BUNDLE_MAX; i++) {
        struct link_request *q = requests[i];
        is_there = is_there && read_answer(&a, q);
        if (q != NULL && !is_there)
            read_refusal(whole, q);
    }
}
