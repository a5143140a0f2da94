#include "bridge/link/link_bundle.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/flat_json.h"
#include "base/msgpack/pack.h"
#include "base/topic.h"
#include "bridge/link/link_properties.h"

#define NUMBERS_SIZE 32 /* flags, window, and the heads of all fields */

bool link_bundle_takes(const struct link_request *q)
{
    return q->payload.len <= LINK_BUNDLE_PAYLOAD_MAX &&
           topic_split(q->topic, &(struct slice){0}, &(struct slice){0}) &&
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

/* A number, without sign; false also above 2^64 - 1. */
static bool read_number(struct slice array, size_t *at, uint64_t *ret)
{
    struct slice value;
    char text[24];

    if (!flat_json_next(array, at, &value) || value.len >= sizeof(text))
        return false;
    memcpy(text, value.data, value.len);
    text[value.len] = 0;
    return link_read_u64(text, ret);
}

/* `null` is no limit. */
static bool read_remaining(struct slice array, size_t *at, uint64_t *ret)
{
    struct slice value;
    size_t after = *at;

    if (!flat_json_next(array, &after, &value) ||
        !slice_eq(value, slice_str("null")))
        return read_number(array, at, ret);
    *at = after;
    *ret = UINT64_MAX;
    return true;
}

/* Reasons are the broker's own words: nothing in them is escaped. */
static bool read_reason(struct slice array, size_t *at, char *ret, size_t size)
{
    struct slice value;

    if (!flat_json_next(array, at, &value) || value.len < 2)
        return false;
    snprintf(ret, size, "%.*s", (int)value.len - 2,
             (const char *)value.data + 1);
    return true;
}

static bool read_answer(struct slice array, struct link_request *q)
{
    uint64_t status, at_us, retry_after_s, repeated;
    size_t at = 0;

    link_clear_answer(q);
    if (!read_number(array, &at, &status) || status < 100 || status > 599 ||
        !read_number(array, &at, &q->id) ||
        !read_number(array, &at, &q->seq) ||
        !read_number(array, &at, &at_us) || at_us > INT64_MAX ||
        !read_remaining(array, &at, &q->remaining) ||
        !read_number(array, &at, &retry_after_s) ||
        retry_after_s > UINT32_MAX || !read_number(array, &at, &repeated) ||
        !read_reason(array, &at, q->reason, sizeof(q->reason)))
        return false;
    q->status = (int)status;
    q->at_us = (int64_t)at_us;
    q->retry_after_s = (uint32_t)retry_after_s;
    q->repeated = repeated == 1;
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
    const struct slice list = slice_of(whole->result, whole->result_len);
    struct slice answer = {0};
    size_t at = 0;

    for (size_t i = 0; i < LINK_BUNDLE_MAX; i++) {
        const bool is_there =
            whole->status == 200 && flat_json_next(list, &at, &answer);
        struct link_request *q = requests[i];
        if (q != NULL && !(is_there && read_answer(answer, q)))
            read_refusal(whole, q);
    }
}
