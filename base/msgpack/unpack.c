/* https://github.com/msgpack/msgpack/blob/master/spec.md */
#include "base/msgpack/unpack.h"

#include <endian.h>
#include <string.h>

static const unsigned char *unpack_bytes(struct unpack *u, size_t len)
{
    const unsigned char *at = u->at;

    if (u->failed || len > (size_t)(u->end - at)) {
        u->failed = true;
        return NULL;
    }
    u->at += len;
    return at;
}

/* The first byte of the next value; at the end 0xc1, which msgpack never
 * uses. */
static unsigned char take_type(struct unpack *u)
{
    const unsigned char *p = unpack_bytes(u, 1);

    return p == NULL ? 0xc1 : *p;
}

/* `len` is 1, 2, 4 or 8. */
static uint64_t take_number(struct unpack *u, size_t len)
{
    const unsigned char *p = unpack_bytes(u, len);
    uint16_t two;
    uint32_t four;
    uint64_t eight;

    if (p == NULL)
        return 0;
    switch (len) {
    case 1: return *p;
    case 2: memcpy(&two, p, sizeof(two)); return be16toh(two);
    case 4: memcpy(&four, p, sizeof(four)); return be32toh(four);
    default: memcpy(&eight, p, sizeof(eight)); return be64toh(eight);
    }
}

uint32_t unpack_array(struct unpack *u)
{
    const unsigned char type = take_type(u);

    if (type >> 4 == 0x9)
        return type & 0x0f;
    if (type == 0xdc)
        return (uint32_t)take_number(u, 2);
    if (type == 0xdd)
        return (uint32_t)take_number(u, 4);
    u->failed = true;
    return 0;
}

uint32_t unpack_map(struct unpack *u)
{
    const unsigned char type = take_type(u);

    if (type >> 4 == 0x8)
        return type & 0x0f;
    if (type == 0xde)
        return (uint32_t)take_number(u, 2);
    if (type == 0xdf)
        return (uint32_t)take_number(u, 4);
    u->failed = true;
    return 0;
}

uint64_t unpack_uint(struct unpack *u)
{
    const unsigned char type = take_type(u);

    if (type < 0x80)
        return type;
    if (type >= 0xcc && type <= 0xcf)
        return take_number(u, (size_t)1 << (type - 0xcc));
    u->failed = true;
    return 0;
}

uint64_t unpack_uint_max(struct unpack *u, uint64_t max)
{
    const uint64_t n = unpack_uint(u);

    if (n <= max)
        return n;
    u->failed = true;
    return 0;
}

int64_t unpack_int(struct unpack *u)
{
    if (!u->failed && u->at < u->end && *u->at >= 0xe0)
        return (int8_t)*u->at++;
    if (!u->failed && u->at < u->end && *u->at >= 0xd0 && *u->at <= 0xd3) {
        const size_t len = (size_t)1 << (*u->at++ - 0xd0);
        const unsigned shift = (unsigned)(64 - 8 * len);
        return (int64_t)(take_number(u, len) << shift) >> shift;
    }
    return (int64_t)unpack_uint_max(u, INT64_MAX);
}

bool unpack_bool(struct unpack *u)
{
    const unsigned char type = take_type(u);

    if (type != 0xc2 && type != 0xc3)
        u->failed = true;
    return type == 0xc3;
}

static struct slice take_slice(struct unpack *u, size_t len)
{
    const unsigned char *p = unpack_bytes(u, len);

    return slice_of(p, p == NULL ? 0 : len);
}

struct slice unpack_str(struct unpack *u)
{
    const unsigned char type = take_type(u);

    if (type >> 5 == 0x5)
        return take_slice(u, type & 0x1f);
    if (type >= 0xd9 && type <= 0xdb)
        return take_slice(u,
                          (size_t)take_number(u, (size_t)1 << (type - 0xd9)));
    u->failed = true;
    return slice_of(NULL, 0);
}

struct slice unpack_bin(struct unpack *u)
{
    const unsigned char type = take_type(u);

    if (type >= 0xc4 && type <= 0xc6)
        return take_slice(u,
                          (size_t)take_number(u, (size_t)1 << (type - 0xc4)));
    u->failed = true;
    return slice_of(NULL, 0);
}

bool unpack_nil(struct unpack *u)
{
    if (u->failed || u->at == u->end || *u->at != 0xc0)
        return false;
    u->at++;
    return true;
}
