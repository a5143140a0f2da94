/* Reads and writes MQTT's data types (MQTT 5 §1.5). Internal to packet*.c.
 *
 * A reader keeps its first error and from then on returns zeros and empty
 * slices, so a decoder can read a group of fields and check `error` once;
 * whatever it says, the packet is malformed (0x81). Slices that were read
 * have data, even if they are empty. The writer does not check for room:
 * sizes are computed before. */
#ifndef CONFAB_BROKER_WIRE_PACKET_WIRE_H
#define CONFAB_BROKER_WIRE_PACKET_WIRE_H

#include <assert.h>
#include <string.h>

#include "base/utf8.h"
#include "broker/wire/packet.h"
#include "broker/wire/reason.h"

#define WIRE_VARINT_MAX 268435455U
#define WIRE_STRING_MAX 65535U

struct wire_in {
    const uint8_t *at, *end;
    const char *error; /* static; NULL: none so far */
};

static inline struct wire_in wire_in_of(struct slice s)
{
    const uint8_t *p = s.data;
    return (struct wire_in){p, p + s.len, NULL};
}

static inline size_t wire_left(const struct wire_in *in)
{
    return (size_t)(in->end - in->at);
}

static inline void wire_fail(struct wire_in *in, const char *text)
{
    if (!in->error)
        in->error = text;
    in->at = in->end;
}

static inline bool wire_need(struct wire_in *in, size_t n)
{
    if (wire_left(in) >= n)
        return true;
    wire_fail(in, "field runs past the end of the packet or block");
    return false;
}

static inline uint8_t wire_u8(struct wire_in *in)
{
    return wire_need(in, 1) ? *in->at++ : 0;
}

static inline uint16_t wire_u16(struct wire_in *in)
{
    if (!wire_need(in, 2))
        return 0;
    const uint16_t v = (uint16_t)(in->at[0] << 8 | in->at[1]);
    in->at += 2;
    return v;
}

static inline uint32_t wire_u32(struct wire_in *in)
{
    const uint32_t high = wire_u16(in);
    return high << 16 | wire_u16(in);
}

/* Variable Byte Integer in its shortest form (MQTT-1.5.5-1). */
static inline uint32_t wire_varint(struct wire_in *in)
{
    uint32_t v = 0;

    for (unsigned shift = 0; shift < 28; shift += 7) {
        const uint8_t byte = wire_u8(in);
        v |= (uint32_t)(byte & 0x7f) << shift;
        if (byte & 0x80)
            continue;
        if (byte == 0 && shift > 0)
            wire_fail(in, "Variable Byte Integer in more bytes than needed");
        return in->error ? 0 : v;
    }
    wire_fail(in, "Variable Byte Integer of more than four bytes");
    return 0;
}

static inline struct slice wire_bytes(struct wire_in *in, size_t len)
{
    if (!wire_need(in, len))
        len = 0;
    const struct slice s = slice_of(in->at, len);
    in->at += len;
    return s;
}

static inline struct slice wire_binary(struct wire_in *in)
{
    return wire_bytes(in, wire_u16(in));
}

/* UTF-8 Encoded String (MQTT-1.5.4-1, MQTT-1.5.4-2; MQTT-1.5.3-1 and -2 of
 * 3.1.1). U+FEFF is kept like any other character (MQTT-1.5.4-3). */
static inline struct slice wire_string(struct wire_in *in)
{
    const struct slice s = wire_binary(in);
    if (!utf8_valid_without_nul(s.data, s.len))
        wire_fail(in, "string is not UTF-8, or has a NUL");
    return s;
}

/* ---- errors -------------------------------------------------------------- */

/* Always returns false, so that a decoder can return its result. */
static inline bool packet_refuse(struct packet_error *ret_error,
                                 enum reason reason, const char *text)
{
    *ret_error = (struct packet_error){(uint8_t)reason, text};
    return false;
}

static inline bool packet_malformed(struct packet_error *ret_error,
                                    const char *text)
{
    return packet_refuse(ret_error, REASON_MALFORMED_PACKET, text);
}

static inline bool packet_protocol_error(struct packet_error *ret_error,
                                         const char *text)
{
    return packet_refuse(ret_error, REASON_PROTOCOL_ERROR, text);
}

/* ---- shared by the decoders ---------------------------------------------- */

/* Checks the fixed header, once the version is known. */
bool packet_header_check(const struct packet_frame *f, uint8_t version,
                         struct packet_error *ret_error);

/* Checks that no byte follows what the decoder has read. */
bool packet_end_check(const struct wire_in *in,
                      struct packet_error *ret_error);

/* Whether a topic name contains '+' or '#' (MQTT-3.3.2-2, MQTT-4.7.0-1). */
bool packet_has_wildcard(struct slice name);

/* All properties that a client may send, in parts that compilers clear with
 * a few stores: one `rep stos` over the whole would be an eighth of the cost
 * of a PUBLISH with properties. */
struct packet_properties {
    uint64_t present; /* bit 1 << identifier */
    struct packet_message_properties message;
    struct packet_user_block user;
    struct {
        uint8_t request_problem, request_response;
        uint16_t receive_maximum, topic_alias_maximum, topic_alias;
        uint32_t session_expiry, will_delay, maximum_packet_size;
        uint32_t subscription_id;
    } number;
    struct {
        struct slice auth_method, auth_data, reason;
    } text;
};

#define PROPERTY_BIT(name) (UINT64_C(1) << PROPERTY_##name)

static inline bool packet_has(const struct packet_properties *p,
                              enum packet_property property)
{
    return p->present >> property & 1;
}

void packet_properties_clear(struct packet_properties *p); /* none present */

/* Reads a property block with its length; members of *ret_properties that
 * the block does not set are zero. `allowed` is a sum of PROPERTY_BITs. */
bool packet_properties_read(struct wire_in *in, uint64_t allowed,
                            struct packet_properties *ret_properties,
                            struct packet_error *ret_error);

/* Checks a message's properties and payload beyond their form.
 * *ret_not_utf8: the payload violates its Payload Format. */
bool packet_message_check(const struct packet_message_properties *m,
                          struct slice payload, bool *ret_not_utf8,
                          struct packet_error *ret_error);

/* ---- writing ------------------------------------------------------------- */

static inline size_t wire_varint_size(size_t v)
{
    return v < 128 ? 1 : v < 16384 ? 2 : v < 2097152 ? 3 : 4;
}

static inline uint8_t *wire_put_u8(uint8_t *to, unsigned v)
{
    *to = (uint8_t)v;
    return to + 1;
}

static inline uint8_t *wire_put_u16(uint8_t *to, unsigned v)
{
    return wire_put_u8(wire_put_u8(to, v >> 8), v);
}

static inline uint8_t *wire_put_u32(uint8_t *to, uint32_t v)
{
    return wire_put_u16(wire_put_u16(to, v >> 16), v);
}

static inline uint8_t *wire_put_varint(uint8_t *to, size_t v)
{
    assert(v <= WIRE_VARINT_MAX);
    for (; v >= 128; v >>= 7)
        to = wire_put_u8(to, (unsigned)(v & 0x7f) | 0x80);
    return wire_put_u8(to, (unsigned)v);
}

static inline uint8_t *wire_put_bytes(uint8_t *to, struct slice s)
{
    if (s.len > 0)
        memcpy(to, s.data, s.len);
    return to + s.len;
}

static inline size_t wire_string_size(struct slice s)
{
    assert(s.len <= WIRE_STRING_MAX);
    return 2 + s.len;
}

static inline uint8_t *wire_put_string(uint8_t *to, struct slice s)
{
    return wire_put_bytes(wire_put_u16(to, (unsigned)s.len), s);
}

/* A property whose value is a string or binary data; nothing if it is
 * absent. */
static inline size_t wire_optional_size(struct slice s)
{
    return s.data ? 1 + wire_string_size(s) : 0;
}

static inline uint8_t *wire_put_optional(uint8_t *to, uint8_t id,
                                         struct slice s)
{
    return s.data ? wire_put_string(wire_put_u8(to, id), s) : to;
}

#endif
