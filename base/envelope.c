#include "base/envelope.h"

#include <endian.h>

#include "base/vocabulary.h"

#define LENGTH_SIZE 2

bool envelope_needed(struct slice topic)
{
    const unsigned char *p = topic.data;

    for (size_t i = 0; i < topic.len; i++)
        if (p[i] < 0x20 || p[i] > 0x7e)
            return true;
    return false;
}

/* A topic with its length before it, and the payload. */
static bool open_body(struct slice body, struct slice *ret_topic,
                      struct slice *ret_payload)
{
    const unsigned char *p = body.data;

    if (body.len < LENGTH_SIZE)
        return false;
    const size_t len = (size_t)p[0] << 8 | p[1];
    if (len > body.len - LENGTH_SIZE)
        return false;
    *ret_topic = slice_of(p + LENGTH_SIZE, len);
    *ret_payload =
        slice_of(p + LENGTH_SIZE + len, body.len - LENGTH_SIZE - len);
    return true;
}

bool envelope_open(struct slice *topic, struct slice *payload)
{
    return !slice_eq(*topic, slice_str(ENVELOPE_TOPIC)) ||
           open_body(*payload, topic, payload);
}

static uint8_t *put_number(uint8_t *to, uint64_t v)
{
    v = htobe64(v);
    memcpy(to, &v, sizeof(v));
    return to + sizeof(v);
}

static uint64_t number_at(const uint8_t *from)
{
    uint64_t v;

    memcpy(&v, from, sizeof(v));
    return be64toh(v);
}

static void write_stamp(const struct stamped *s, uint8_t flags,
                        uint8_t ret_bytes[STAMP_SIZE])
{
    uint8_t *to = ret_bytes;

    *to++ = (uint8_t)(s->payload_class | s->kind << 4 | flags);
    to = put_number(to, s->id);
    to = put_number(to, s->seq);
    put_number(to, (uint64_t)s->at_us);
}

void stamp_write(const struct stamped *s, uint8_t ret_bytes[STAMP_SIZE])
{
    write_stamp(s, 0, ret_bytes);
}

size_t stamp_write_all(const struct stamped *s,
                       uint8_t ret_bytes[STAMP_SIZE_MAX])
{
    const size_t len = s->sender.len;
    uint8_t *to = ret_bytes + STAMP_SIZE;

    if (len == 0 || len > STAMP_SIZE_MAX - STAMP_SIZE - LENGTH_SIZE) {
        write_stamp(s, 0, ret_bytes);
        return STAMP_SIZE;
    }
    write_stamp(s, STAMP_SENDER, ret_bytes);
    *to++ = (uint8_t)(len >> 8);
    *to++ = (uint8_t)len;
    memcpy(to, s->sender.data, len);
    return STAMP_SIZE + LENGTH_SIZE + len;
}

bool stamped_open(struct slice body, struct stamped *ret)
{
    const uint8_t *p = body.data;

    if (body.len < STAMP_SIZE)
        return false;
    ret->payload_class = p[0] & STAMP_CLASS;
    ret->kind = p[0] >> 4;
    ret->sender = slice_of(NULL, 0);
    ret->id = number_at(p + 1);
    ret->seq = number_at(p + 9);
    ret->at_us = (int64_t)number_at(p + 17);
    struct slice rest = slice_of(p + STAMP_SIZE, body.len - STAMP_SIZE);
    if ((p[0] & STAMP_SENDER) != 0 &&
        !open_body(rest, &ret->sender, &rest)) /* of the same form */
        return false;
    return ret->at_us >= 0 && open_body(rest, &ret->topic, &ret->payload);
}
