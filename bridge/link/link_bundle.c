#include "bridge/link/link_bundle.h"

#include <string.h>

#include "base/msgpack/pack.h"
#include "base/topic.h"
#include "bridge/link/link_properties.h"

#define NUMBERS_SIZE 32 /* flags, window, and the heads of all fields */

bool link_bundle_takes(const struct link_request *q)
{
    return q->payload.len <= LINK_BUNDLE_PAYLOAD_MAX &&
           (q->topic_checked ||
            topic_split(q->topic, &(struct slice){0}, &(struct slice){0})) &&
           link_idempotency_valid(q->idempotency) &&
           link_idempotency_valid(q->sender);
}

size_t link_bundle_size(const struct link_request *q)
{
    return LINK_OPERATION_SIZE + NUMBERS_SIZE + q->topic.len + q->payload.len +
           q->idempotency.len + q->sender.len;
}

bool link_bundle_write(struct buffer *b, const char *boot,
                       struct link_request *const *requests, size_t count)
{
    msgpack_packer pk = packer_of(b);
    char operation[LINK_OPERATION_SIZE];

    buffer_clear(b);
    msgpack_pack_array(&pk, count);
    for (size_t i = 0; i < count; i++) {
        const struct link_request *q = requests[i];
        link_operation(operation, boot, q->operation);
        msgpack_pack_array(&pk, APPEND_FIELDS + (q->sender.len > 0));
        pack_str(&pk, slice_str(operation));
        pack_str(&pk, q->topic);
        pack_bin(&pk, q->payload);
        msgpack_pack_uint32(&pk, (q->retain ? APPEND_RETAIN : 0) |
                                     (q->is_json ? APPEND_JSON : 0));
        msgpack_pack_int64(&pk, q->window_start_us);
        pack_str(&pk, q->idempotency);
        if (q->sender.len > 0)
            pack_str(&pk, q->sender);
    }
    return buffer_ok(b);
}

/* What is left of the broker's list. Only that writes it, so each element is read
 * where it stands, in one pass: a PUBACK has up to 64. */
struct answers {
    const char *at, *end;
};

static bool skip(struct answers *a, const char *text)
{
    const size_t len = strlen(text);

    if ((size_t)(a->end - a->at) < len || memcmp(a->at, text, len) != 0)
        return false;
    a->at += len;
    return true;
}

/* A number, without sign, and the comma; false also above 2^64 - 1. */
static bool read_number(struct answers *a, uint64_t *ret)
{
    const char *from = a->at;
    uint64_t v = 0;

    for (; a->at < a->end && *a->at >= '0' && *a->at <= '9'; a->at++)
        if (__builtin_mul_overflow(v, UINT64_C(10), &v) ||
            __builtin_add_overflow(v, (uint64_t)(*a->at - '0'), &v))
            return false;
    *ret = v;
    return a->at > from && skip(a, ",");
}

/* `null` is no limit. */
static bool read_remaining(struct answers *a, uint64_t *ret)
{
    *ret = UINT64_MAX;
    return skip(a, "null,") || read_number(a, ret);
}

/* Reasons are the broker's own words: nothing in them is escaped. */
static bool read_reason(struct answers *a, struct slice *ret)
{
    const char *from = a->at + 1;

    if (!skip(a, "\""))
        return false;
    const char *quote = memchr(from, '"', (size_t)(a->end - from));
    if (quote == NULL)
        return false;
    *ret = slice_of(from, (size_t)(quote - from));
    a->at = quote + 1;
    return true;
}

/* The next one; `q` NULL: its request has ended. */
static bool read_answer(struct answers *a, struct link_request *q)
{
    uint64_t status, id, seq, at_us, remaining, retry_after_s, repeated;
    struct slice reason;

    /* A bracket begins the list, a comma goes before each other answer. */
    if (!(skip(a, "[[") || skip(a, ",[")) || !read_number(a, &status) ||
        status < 100 || status > 599 || !read_number(a, &id) ||
        !read_number(a, &seq) || !read_number(a, &at_us) ||
        at_us > INT64_MAX || !read_remaining(a, &remaining) ||
        !read_number(a, &retry_after_s) || retry_after_s > UINT32_MAX ||
        !read_number(a, &repeated) || !read_reason(a, &reason) ||
        !skip(a, "]"))
        return false;
    if (q == NULL)
        return true;
    link_clear_answer(q);
    q->status = (int)status;
    q->id = id;
    q->seq = seq;
    q->at_us = (int64_t)at_us;
    q->remaining = remaining;
    q->retry_after_s = (uint32_t)retry_after_s;
    q->repeated = repeated == 1;
    if (reason.len >= sizeof(q->reason))
        reason.len = sizeof(q->reason) - 1;
    memcpy(q->reason, reason.data, reason.len);
    q->reason[reason.len] = 0;
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
    struct answers a = {.at = whole->result};
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
