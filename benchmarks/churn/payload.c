#include "benchmarks/churn/payload.h"

#include <inttypes.h>
#include <stdio.h>

#include "benchmarks/measure/instant.h"

/* Each number begins with a fixed 1: JSON forbids leading zeros. */
#define HEAD                                                                  \
    PAYLOAD_START "%06" PRIu32 ",\"n\":1%09" PRIu32 ",\"t\":1%015" PRId64     \
                  ",\"p\":\""
#define TAIL "\"}"
enum {
    LANE_AT = 6,
    LANE_DIGITS = 6,
    NUMBER_AT = 18,
    NUMBER_DIGITS = 9,
    TIME_AT = 33,
    TIME_DIGITS = 15,
    HEAD_LEN = 54,
    TAIL_LEN = 2,
    USUAL_MAX = 250, /* padding of most messages */
    LARGE_EVERY = 400,
    LARGE = 7000 /* more than an LMDB page: stored on overflow pages */
};

static uint32_t mix(uint32_t lane, uint32_t number)
{
    uint32_t x = lane * 2654435761U ^ number * 2246822519U;

    x ^= x >> 15;
    x *= 2654435769U;
    return x ^ x >> 13;
}

static size_t padding_len(uint32_t mixed)
{
    return mixed % LARGE_EVERY == 0 ? LARGE : mixed / LARGE_EVERY % USUAL_MAX;
}

static char padding_at(uint32_t mixed, size_t i)
{
    return (char)('a' + (mixed + i) % 26);
}

void payload_put(struct bytes *to, const struct churn_payload *p)
{
    const uint32_t mixed = mix(p->lane, p->number);
    const size_t padding = padding_len(mixed);
    char head[96];

    snprintf(head, sizeof(head), HEAD, p->lane, p->number,
             (int64_t)(p->sent_ns / NS_PER_US));
    bytes_put(to, head, HEAD_LEN);
    char *at = bytes_reserve(to, padding);

    for (size_t i = 0; i < padding; i++)
        at[i] = padding_at(mixed, i);
    to->len += padding;
    bytes_put(to, TAIL, TAIL_LEN);
}

static bool read_digits(const char *from, unsigned digits, int64_t *ret_value)
{
    int64_t value = 0;

    for (unsigned i = 0; i < digits; i++) {
        if (from[i] < '0' || from[i] > '9')
            return false;
        value = value * 10 + (from[i] - '0');
    }
    *ret_value = value;
    return true;
}

size_t payload_read(const char *text, size_t len, struct churn_payload *ret_p)
{
    int64_t lane, number, sent_us;
    char head[96];

    if (len < HEAD_LEN + TAIL_LEN ||
        !read_digits(text + LANE_AT, LANE_DIGITS, &lane) ||
        !read_digits(text + NUMBER_AT, NUMBER_DIGITS, &number) ||
        !read_digits(text + TIME_AT, TIME_DIGITS, &sent_us))
        return 0;
    *ret_p = (struct churn_payload){(uint32_t)lane, (uint32_t)number,
                                    sent_us * NS_PER_US};
    snprintf(head, sizeof(head), HEAD, ret_p->lane, ret_p->number, sent_us);
    if (memcmp(text, head, HEAD_LEN) != 0)
        return 0;

    const uint32_t mixed = mix(ret_p->lane, ret_p->number);
    const size_t padding = padding_len(mixed);

    if (len < HEAD_LEN + padding + TAIL_LEN)
        return 0;
    for (size_t i = 0; i < padding; i++)
        if (text[HEAD_LEN + i] != padding_at(mixed, i))
            return 0;
    if (memcmp(text + HEAD_LEN + padding, TAIL, TAIL_LEN) != 0)
        return 0;
    return HEAD_LEN + padding + TAIL_LEN;
}
