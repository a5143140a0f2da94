#include "base/msgpack/append_bundle.h"

#include <string.h>

#include "base/msgpack/pack.h"

/* X(type, member), in the order of the array. `sender` comes last, where there is
 * one, and behind it its `address`: brokers before them take no more than these. */
#define MESSAGE_FIELDS(X)                                                     \
    X(str, operation)                                                         \
    X(str, topic)                                                             \
    X(bin, payload)                                                           \
    X(flags, flags)                                                           \
    X(time, window_start_us)                                                  \
    X(str, idempotency)

#define ANSWER_FIELDS(X)                                                      \
    X(status, status)                                                         \
    X(u64, id)                                                                \
    X(u64, seq)                                                               \
    X(time, at_us)                                                            \
    X(limit, remaining)                                                       \
    X(u32, retry_after_s)                                                     \
    X(yes, repeated)                                                          \
    X(reason, reason)

#define X(type, member) +1
_Static_assert(0 MESSAGE_FIELDS(X) == APPEND_FIELDS, "each field is counted");
#undef X

/* ---- messages ------------------------------------------------------------ */

static void pack_flags(msgpack_packer *p, uint32_t flags)
{
    msgpack_pack_uint32(p, flags);
}

static void pack_time(msgpack_packer *p, int64_t us)
{
    msgpack_pack_int64(p, us);
}

static uint32_t unpack_flags(struct unpack *u)
{
    return (uint32_t)unpack_uint(
        u); /* those we do not know say nothing to us */
}

static int64_t unpack_time(struct unpack *u)
{
    return (int64_t)unpack_uint_max(u, INT64_MAX);
}

void append_bundle_begin(struct buffer *b, size_t count)
{
    msgpack_packer p = packer_of(b);

    msgpack_pack_array(&p, count);
}

void append_bundle_put(struct buffer *b, const struct append_message *m)
{
    const bool has_address = m->sender.len > 0 && m->address.len > 0;
    msgpack_packer p = packer_of(b);

    msgpack_pack_array(&p, APPEND_FIELDS + (size_t)(m->sender.len > 0) +
                               (size_t)has_address);
#define X(type, member) pack_##type(&p, m->member);
    MESSAGE_FIELDS(X)
#undef X
    if (m->sender.len > 0)
        pack_str(&p, m->sender);
    if (has_address)
        pack_str(&p, m->address);
}

static bool read_message(struct unpack *u, struct append_message *ret)
{
    const uint32_t fields = unpack_array(u);

    if (fields < APPEND_FIELDS || fields > APPEND_FIELDS + 2)
        return false;
#define X(type, member) ret->member = unpack_##type(u);
    MESSAGE_FIELDS(X)
#undef X
    ret->sender = fields > APPEND_FIELDS ? unpack_str(u) : slice_of(NULL, 0);
    ret->address =
        fields > APPEND_FIELDS + 1 ? unpack_str(u) : slice_of(NULL, 0);
    return !u->failed;
}

unsigned append_bundle_read(struct slice body,
                            struct append_message *ret_messages)
{
    struct unpack u = unpack_of(body.data, body.len);
    const uint32_t count = unpack_array(&u);

    if (u.failed || count > APPEND_MAX)
        return 0;
    for (uint32_t i = 0; i < count; i++)
        if (!read_message(&u, &ret_messages[i]))
            return 0;
    return u.at == u.end ? count : 0;
}

/* ---- answers: writing ---------------------------------------------------- */

static void put_status(struct json_writer *w, int status)
{
    json_u64(w, (uint64_t)status);
}

static void put_u64(struct json_writer *w, uint64_t v)
{
    json_u64(w, v);
}

static void put_u32(struct json_writer *w, uint32_t v)
{
    json_u64(w, v);
}

static void put_time(struct json_writer *w, int64_t us)
{
    json_i64(w, us);
}

static void put_limit(struct json_writer *w, uint64_t v)
{
    if (v == UINT64_MAX)
        json_null(w);
    else
        json_u64(w, v);
}

static void put_yes(struct json_writer *w, bool yes)
{
    json_u64(w, yes);
}

static void put_reason(struct json_writer *w, struct slice reason)
{
    json_string(w, reason);
}

void append_answer_put(struct json_writer *w, const struct append_answer *a)
{
    json_array(w);
#define X(type, member) put_##type(w, a->member);
    ANSWER_FIELDS(X)
#undef X
    json_array_end(w);
}

/* ---- answers: reading ---------------------------------------------------- */

static bool skip_char(struct append_answers *a, char c)
{
    if (a->at == a->end || *a->at != c)
        return false;
    a->at++;
    return true;
}

/* Without sign; false also above `max`. */
static bool get_number(struct append_answers *a, uint64_t max, uint64_t *ret)
{
    const char *from = a->at;
    uint64_t v = 0;

    for (; a->at < a->end && *a->at >= '0' && *a->at <= '9'; a->at++)
        if (__builtin_mul_overflow(v, UINT64_C(10), &v) ||
            __builtin_add_overflow(v, (uint64_t)(*a->at - '0'), &v))
            return false;
    *ret = v;
    return a->at > from && v <= max;
}

static bool get_status(struct append_answers *a, int *ret)
{
    uint64_t v;

    if (!get_number(a, 599, &v) || v < 100)
        return false;
    *ret = (int)v;
    return true;
}

static bool get_u64(struct append_answers *a, uint64_t *ret)
{
    return get_number(a, UINT64_MAX, ret);
}

static bool get_u32(struct append_answers *a, uint32_t *ret)
{
    uint64_t v;

    if (!get_number(a, UINT32_MAX, &v))
        return false;
    *ret = (uint32_t)v;
    return true;
}

static bool get_time(struct append_answers *a, int64_t *ret)
{
    uint64_t v;

    if (!get_number(a, INT64_MAX, &v))
        return false;
    *ret = (int64_t)v;
    return true;
}

static bool get_limit(struct append_answers *a, uint64_t *ret)
{
    if (a->end - a->at < 4 || memcmp(a->at, "null", 4) != 0)
        return get_u64(a, ret);
    a->at += 4;
    *ret = UINT64_MAX;
    return true;
}

static bool get_yes(struct append_answers *a, bool *ret)
{
    uint64_t v;

    if (!get_u64(a, &v))
        return false;
    *ret = v == 1;
    return true;
}

static bool get_reason(struct append_answers *a, struct slice *ret)
{
    if (!skip_char(a, '"'))
        return false;
    const char *from = a->at;
    const char *quote = memchr(from, '"', (size_t)(a->end - from));
    if (quote == NULL)
        return false;
    *ret = slice_of(from, (size_t)(quote - from));
    a->at = quote + 1;
    return true;
}

bool append_answer_next(struct append_answers *a, struct append_answer *ret)
{
    char before = '['; /* a comma goes before each but the first */

    /* The list begins with a bracket, each other answer with a comma. */
    if (!(skip_char(a, '[') || skip_char(a, ',')))
        return false;
#define X(type, member)                                                       \
    if (!skip_char(a, before) || !get_##type(a, &ret->member))                \
        return false;                                                         \
    before = ',';
    ANSWER_FIELDS(X)
#undef X
    return skip_char(a, ']');
}
