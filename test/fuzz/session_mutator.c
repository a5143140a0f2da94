/* Inputs of session_fuzz that make sense: most of the time a packet or a step is
 * put in, left out, repeated or moved, so that sequences arise that random bytes
 * never find, such as PUBREC after a reconnect. Only in the fuzz preset. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "test/fuzz/session_script.h"

#define ITEMS_MAX 256

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
                               unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size,
                                 const uint8_t *b, size_t b_size, uint8_t *out,
                                 size_t max_size, unsigned seed);

static unsigned state;

static unsigned below(unsigned bound)
{
    state = state * 1103515245U + 12345U;
    return (state >> 16) % bound;
}

static bool one_in(unsigned n)
{
    return below(n) == 0;
}

/* ---- writing ------------------------------------------------------------- */

struct fuzz_bytes {
    size_t len;
    uint8_t at[1024];
};

static void put(struct fuzz_bytes *b, unsigned byte)
{
    if (b->len < sizeof(b->at))
        b->at[b->len++] = (uint8_t)byte;
}

static void put_16(struct fuzz_bytes *b, unsigned value)
{
    put(b, value >> 8 & 0xff);
    put(b, value & 0xff);
}

static void put_32(struct fuzz_bytes *b, uint32_t value)
{
    put_16(b, value >> 16);
    put_16(b, value & 0xffff);
}

static void put_string(struct fuzz_bytes *b, const char *text)
{
    const size_t len = strlen(text);

    put_16(b, (unsigned)len);
    for (size_t i = 0; i < len; i++)
        put(b, (uint8_t)text[i]);
}

static void put_length(struct fuzz_bytes *b, size_t len)
{
    for (; len >= 0x80; len >>= 7)
        put(b, (unsigned)(len & 0x7f) | 0x80);
    put(b, (unsigned)len);
}

static void put_bytes(struct fuzz_bytes *b, const struct fuzz_bytes *inner)
{
    for (size_t i = 0; i < inner->len; i++)
        put(b, inner->at[i]);
}

static void put_block(struct fuzz_bytes *b,
                      const struct fuzz_bytes *properties)
{
    put_length(b, properties->len);
    put_bytes(b, properties);
}

static const char *one_of(const char *const *texts, size_t count)
{
    return texts[below((unsigned)count)];
}

#define ONE_OF(...)                                                           \
    one_of((const char *const[]){__VA_ARGS__},                                \
           sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static uint32_t interval(void)
{
    return (const uint32_t[]){0, 1, 3600, UINT32_MAX}[below(4)];
}

static unsigned packet_id(void)
{
    return one_in(50) ? below(0x10000) : 1 + below(4);
}

/* ---- one packet of each type ---------------------------------------------- */

static void user_property(struct fuzz_bytes *b, const char *name,
                          const char *value)
{
    put(b, 0x26);
    put_string(b, name);
    put_string(b, value);
}

static void connect_properties(struct fuzz_bytes *b)
{
    if (!one_in(3)) {
        put(b, 0x11); /* Session Expiry Interval */
        put_32(b, interval());
    }
    if (one_in(3)) {
        put(b, 0x21); /* Receive Maximum */
        put_16(b, one_in(2) ? 1 : 3);
    }
    if (one_in(3)) {
        put(b, 0x22); /* Topic Alias Maximum */
        put_16(b, below(4));
    }
    if (one_in(8)) {
        put(b, 0x27); /* Maximum Packet Size */
        put_32(b, 24 + below(100));
    }
    if (one_in(8)) {
        put(b, 0x17); /* Request Problem Information */
        put(b, below(2));
    }
    if (one_in(4))
        user_property(b, "confab", ONE_OF("stamp", "receipts"));
}

static const char *topic(void)
{
    return ONE_OF("t/a", "t/a", "t/b", "t/a/b", "u/a", "$events/t/x", "$x");
}

static void will_properties(struct fuzz_bytes *b)
{
    if (one_in(2)) {
        put(b, 0x18); /* Will Delay Interval */
        put_32(b, interval());
    }
    if (one_in(4)) {
        put(b, 0x02); /* Message Expiry Interval */
        put_32(b, interval());
    }
}

static void make_connect(struct fuzz_bytes *b, unsigned version)
{
    const bool will = one_in(3), user = !one_in(8);
    struct fuzz_bytes properties = {0};

    put_string(b, version == 3 ? "MQIsdp" : "MQTT");
    put(b, version);
    put(b, (user ? 0x80U : 0) | (one_in(3) ? 2U : 0) |
               (will ? 4U | below(3) << 3 | below(2) << 5 : 0));
    put_16(b, one_in(4) ? 60 : 0);
    if (version == 5) {
        connect_properties(&properties);
        put_block(b, &properties);
    }
    put_string(b, one_in(20) ? "" : ONE_OF("a", "a", "b"));
    if (will && version == 5) {
        properties.len = 0;
        will_properties(&properties);
        put_block(b, &properties);
    }
    if (will) {
        put_string(b, topic());
        put_string(b, ONE_OF("gone", ""));
    }
    if (user)
        put_string(b, ONE_OF("t", "t", "t", "u"));
}

static void publish_properties(struct fuzz_bytes *b, unsigned alias)
{
    if (alias > 0) {
        put(b, 0x23);
        put_16(b, alias);
    }
    if (one_in(6)) {
        put(b, 0x02);
        put_32(b, interval());
    }
    if (one_in(6))
        user_property(b, ONE_OF("k", "confab-op"), "v");
    if (one_in(8)) {
        put(b, 0x08); /* Response Topic */
        put_string(b, topic());
    }
    if (one_in(8)) {
        put(b, 0x01); /* Payload Format Indicator */
        put(b, below(2));
    }
}

static unsigned make_publish(struct fuzz_bytes *b, unsigned version)
{
    const unsigned qos = below(3);
    const unsigned alias = version == 5 && one_in(3) ? 1 + below(3) : 0;

    put_string(b, alias > 0 && one_in(2) ? "" : topic());
    if (qos > 0)
        put_16(b, packet_id());
    if (version == 5) {
        struct fuzz_bytes properties = {0};
        publish_properties(&properties, alias);
        put_block(b, &properties);
    }
    for (unsigned n = one_in(10) ? 500 : below(8); n > 0; n--)
        put(b, 'x');
    return qos << 1 | (qos > 0 && one_in(4) ? 8U : 0) | (one_in(4) ? 1U : 0);
}

static void make_subscribe(struct fuzz_bytes *b, unsigned version, bool un)
{
    put_16(b, packet_id());
    if (version == 5) {
        struct fuzz_bytes properties = {0};
        if (!un && one_in(3)) {
            put(&properties, 0x0b); /* Subscription Identifier */
            put_length(&properties, one_in(4) ? 268435455 : 1 + below(200));
        }
        put_block(b, &properties);
    }
    for (unsigned n = 1 + below(2); n > 0; n--) {
        put_string(b, ONE_OF("t/#", "t/+", "t/a", "t/a/#", "$share/g/t/#",
                             "$share/g/t/a", "$share/h/t/+", "$events/t/#",
                             "#", "$share//t", "t/#/x"));
        if (un)
            continue;
        /* QoS, No Local, Retain As Published, Retain Handling */
        put(b, version == 5 && one_in(2)
                   ? below(3) | below(4) << 2 | below(3) << 4
                   : below(3));
    }
}

static void make_ack(struct fuzz_bytes *b, unsigned version)
{
    put_16(b, packet_id());
    if (version == 5 && one_in(4))
        put(b, one_in(2) ? 0x92 : 0x80);
}

static void make_disconnect(struct fuzz_bytes *b, unsigned version)
{
    struct fuzz_bytes properties = {0};

    if (version != 5 || one_in(3))
        return;
    put(b, one_in(2) ? 0x00 : 0x04);
    if (one_in(2)) {
        put(&properties, 0x11);
        put_32(&properties, interval());
    }
    put_block(b, &properties);
}

/* first: type and flags. */
static unsigned make_body(struct fuzz_bytes *b, unsigned version)
{
    switch (below(16)) {
    case 0:
    case 1: make_connect(b, version); return 0x10;
    case 2:
    case 3:
    case 4:
    case 5: return 0x30 | make_publish(b, version);
    case 6:
    case 7: make_subscribe(b, version, false); return 0x82;
    case 8: make_subscribe(b, version, true); return 0xa2;
    case 9: make_ack(b, version); return 0x40;
    case 10: make_ack(b, version); return 0x50;
    case 11: make_ack(b, version); return 0x62;
    case 12: make_ack(b, version); return 0x70;
    case 13: make_disconnect(b, version); return 0xe0;
    case 14:
        if (!one_in(8))
            return 0xc0;
        put(b, 0x18); /* Continue authentication, with no method */
        return 0xf0;
    default: return below(SCRIPT_STEPS);
    }
}

static void make_item(struct fuzz_bytes *to, unsigned version)
{
    struct fuzz_bytes body = {0};
    const unsigned first = make_body(&body, version);

    to->len = 0;
    put(to, first);
    if (first < SCRIPT_STEPS)
        return;
    put_length(to, body.len);
    put_bytes(to, &body);
}

/* ---- the script as items --------------------------------------------------- */

struct items {
    unsigned count;
    size_t start[ITEMS_MAX + 1]; /* of each, and the end */
};

static void split(const uint8_t *data, size_t size, struct items *ret)
{
    size_t at = 2;

    ret->count = 0;
    while (at < size && ret->count < ITEMS_MAX) {
        ret->start[ret->count++] = at;
        at += script_item(data + at, size - at);
    }
    ret->start[ret->count] = at;
}

/* Of the last CONNECT before item `i`. */
static unsigned version_before(const uint8_t *data, const struct items *items,
                               unsigned i)
{
    while (i-- > 0) {
        const uint8_t *p = data + items->start[i];
        const size_t len = items->start[i + 1] - items->start[i];
        if (p[0] == 0x10 && len > 10)
            return p[8] >= 3 && p[8] <= 5 ? p[8] : p[10] == 3 ? 3 : 5;
    }
    return one_in(3) ? 4 : 5;
}

static size_t insert(uint8_t *data, size_t size, size_t max_size, size_t at,
                     const uint8_t *what, size_t len)
{
    if (size + len > max_size)
        return size;
    memmove(data + at + len, data + at, size - at);
    memcpy(data + at, what, len);
    return size + len;
}

static size_t cut(uint8_t *data, size_t size, size_t from, size_t to)
{
    memmove(data + from, data + to, size - to);
    return size - (to - from);
}

static size_t add_item(uint8_t *data, size_t size, size_t max_size,
                       const struct items *items)
{
    struct fuzz_bytes item;
    const unsigned i = below(items->count + 1);
    const unsigned version = version_before(data, items, i);

    make_item(&item, items->count == 0 ? 5 : version);
    return insert(data, size, max_size, items->start[i], item.at, item.len);
}

/* Its own bytes again, there or elsewhere. */
static size_t repeat_item(uint8_t *data, size_t size, size_t max_size,
                          const struct items *items)
{
    struct fuzz_bytes copy = {0};
    const unsigned i = below(items->count), to = below(items->count + 1);

    copy.len = items->start[i + 1] - items->start[i];
    if (copy.len > sizeof(copy.at))
        return size;
    memcpy(copy.at, data + items->start[i], copy.len);
    return insert(data, size, max_size, items->start[to], copy.at, copy.len);
}

/* The bytes of one packet, its length put right again. */
static size_t bend_item(uint8_t *data, size_t size, size_t max_size,
                        const struct items *items)
{
    const unsigned i = below(items->count);
    const size_t at = items->start[i], end = items->start[i + 1];
    struct fuzz_bytes bent = {0};

    if (end - at < 3 || end - at > 120 || data[at + 1] != end - at - 2)
        return LLVMFuzzerMutate(data, size, max_size);
    memcpy(bent.at, data + at, end - at);
    bent.len = 2 + LLVMFuzzerMutate(bent.at + 2, end - at - 2, 125);
    bent.at[1] = (uint8_t)(bent.len - 2);
    size = cut(data, size, at, end);
    return insert(data, size, max_size, at, bent.at, bent.len);
}

static size_t begin_script(uint8_t *data, size_t max_size)
{
    struct fuzz_bytes connect = {0}, body = {0};

    if (max_size < 64)
        return 0;
    make_connect(&body, one_in(3) ? 4 : 5);
    put(&connect, 0x10);
    put_block(&connect, &body);
    data[0] = (uint8_t)(SCRIPT_FLAG | below(4));
    data[1] = 0;
    return insert(data, 2, max_size, 2, connect.at, connect.len);
}

static size_t mutate_once(uint8_t *data, size_t size, size_t max_size)
{
    struct items items;

    if (size < 3)
        return begin_script(data, max_size);
    split(data, size, &items);
    switch (below(10)) {
    case 0: return LLVMFuzzerMutate(data, size, max_size);
    case 1: data[0] ^= (uint8_t)(1U << below(2)); return size;
    case 2: return bend_item(data, size, max_size, &items);
    case 3: return repeat_item(data, size, max_size, &items);
    case 4:
        if (items.count > 1) {
            const unsigned i = below(items.count);
            return cut(data, size, items.start[i], items.start[i + 1]);
        }
        return size;
    default: return add_item(data, size, max_size, &items);
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
                               unsigned seed)
{
    state = seed;
    for (unsigned n = 1 + below(4); n > 0; n--)
        size = mutate_once(data, size, max_size);
    return size;
}

/* The beginning of one and the end of the other, cut between packets. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size,
                                 const uint8_t *b, size_t b_size, uint8_t *out,
                                 size_t max_size, unsigned seed)
{
    struct items of_a, of_b;

    state = seed;
    if (a_size < 3 || b_size < 3)
        return 0;
    split(a, a_size, &of_a);
    split(b, b_size, &of_b);
    const size_t head = of_a.start[below(of_a.count + 1)];
    const size_t tail = of_b.start[below(of_b.count + 1)];
    if (head + (b_size - tail) > max_size)
        return 0;
    memcpy(out, a, head);
    memcpy(out + head, b + tail, b_size - tail);
    return head + (b_size - tail);
}
