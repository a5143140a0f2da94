/* Rows of `log`:
 *   [version, kind, topic, seq, at_us, payload class, flags, publisher, payload,
 *    sender, expiry, payload format, content type, response topic, correlation,
 *    user properties, [other id, changed_us, deleted, changed by]]
 * Of a message, the last four are about its last change, and the other id is that of the
 * change's entry; of such an entry it is the message's (struct message).
 * From `sender` on elements may be nil, and trailing nils are left out: most
 * records have nine elements. flags: bits 0-1 QoS, bit 2 retain. In version 2 a
 * checksum follows the array (checksum.h); version 1 had none. */
#include "base/msgpack/pack.h"
#include "base/msgpack/unpack.h"
#include "store/format/checksum.h"
#include "store/format/schema.h"

#define ELEMENTS_ALWAYS 9
#define ELEMENTS_KNOWN 17
#define CHANGE_ELEMENTS 4
#define CHANGE_HEAD (0x90 | CHANGE_ELEMENTS) /* msgpack: an array of 4 */
#define VERSION_UNCHECKED 1
#define VERSION_CHECKED 2
#define FLAG_QOS 3u
#define FLAG_RETAIN 4u

static uint64_t other_id(const struct message *m)
{
    return m->kind == MESSAGE_MESSAGE ? m->change_id : m->about;
}

static uint32_t elements_of(const struct message *m)
{
    if (other_id(m) != 0)
        return ELEMENTS_KNOWN;
    if (m->user_properties.data != NULL)
        return ELEMENTS_ALWAYS + 7;
    if (m->correlation.data != NULL)
        return ELEMENTS_ALWAYS + 6;
    if (m->response_topic.data != NULL)
        return ELEMENTS_ALWAYS + 5;
    if (m->content_type.data != NULL)
        return ELEMENTS_ALWAYS + 4;
    if (m->has_payload_format)
        return ELEMENTS_ALWAYS + 3;
    if (m->has_expiry)
        return ELEMENTS_ALWAYS + 2;
    if (m->sender.data != NULL)
        return ELEMENTS_ALWAYS + 1;
    return ELEMENTS_ALWAYS;
}

static void pack_str_or_nil(msgpack_packer *p, struct slice s)
{
    if (s.data == NULL)
        msgpack_pack_nil(p);
    else
        pack_str(p, s);
}

static void pack_bin_or_nil(msgpack_packer *p, struct slice s)
{
    if (s.data == NULL)
        msgpack_pack_nil(p);
    else
        pack_bin(p, s);
}

static void pack_number_or_nil(msgpack_packer *p, bool there, uint32_t n)
{
    if (there)
        msgpack_pack_uint32(p, n);
    else
        msgpack_pack_nil(p);
}

static void pack_change(msgpack_packer *p, const struct message *m)
{
    msgpack_pack_array(p, CHANGE_ELEMENTS);
    msgpack_pack_uint64(p, other_id(m));
    msgpack_pack_int64(p, m->changed_us);
    msgpack_pack_uint8(p, m->deleted);
    pack_str_or_nil(p, m->changed_by);
}

void schema_put_record(struct buffer *b, const struct message *m)
{
    msgpack_packer p = packer_of(b);
    const uint32_t elements = elements_of(m);
    const size_t begin = b->len;

    msgpack_pack_array(&p, elements);
    msgpack_pack_uint8(&p, VERSION_CHECKED);
    msgpack_pack_uint8(&p, m->kind);
    pack_str(&p, m->topic);
    msgpack_pack_uint64(&p, m->seq);
    msgpack_pack_int64(&p, m->at_us);
    msgpack_pack_uint8(&p, m->payload_class);
    msgpack_pack_uint8(&p, (uint8_t)((m->qos & FLAG_QOS) |
                                     (m->retain ? FLAG_RETAIN : 0)));
    msgpack_pack_uint64(&p, m->publisher);
    pack_bin(&p, m->payload);
    if (elements > ELEMENTS_ALWAYS)
        pack_str_or_nil(&p, m->sender);
    if (elements > ELEMENTS_ALWAYS + 1)
        pack_number_or_nil(&p, m->has_expiry, m->expiry_s);
    if (elements > ELEMENTS_ALWAYS + 2)
        pack_number_or_nil(&p, m->has_payload_format, m->payload_format);
    if (elements > ELEMENTS_ALWAYS + 3)
        pack_str_or_nil(&p, m->content_type);
    if (elements > ELEMENTS_ALWAYS + 4)
        pack_str_or_nil(&p, m->response_topic);
    if (elements > ELEMENTS_ALWAYS + 5)
        pack_bin_or_nil(&p, m->correlation);
    if (elements > ELEMENTS_ALWAYS + 6)
        pack_bin_or_nil(&p, m->user_properties);
    if (elements == ELEMENTS_KNOWN)
        pack_change(&p, m);
    checksum_put(b, begin);
}

static struct slice str_or_nil(struct unpack *u)
{
    return unpack_nil(u) ? slice_of(NULL, 0) : unpack_str(u);
}

static struct slice bin_or_nil(struct unpack *u)
{
    return unpack_nil(u) ? slice_of(NULL, 0) : unpack_bin(u);
}

/* An element of another type is one of a later version. */
static void get_change(struct unpack *u, struct message *m)
{
    if (u->failed || u->at == u->end || *u->at != CHANGE_HEAD)
        return;
    (void)unpack_array(u);
    *(m->kind == MESSAGE_MESSAGE ? &m->change_id : &m->about) = unpack_uint(u);
    m->changed_us = unpack_int(u);
    m->deleted = unpack_uint_max(u, 1) != 0;
    m->changed_by = str_or_nil(u);
}

static void get_optional(struct unpack *u, uint32_t elements, struct record *r)
{
    struct message *m = &r->m;

    m->sender = str_or_nil(u);
    if (elements > ELEMENTS_ALWAYS + 1 && !unpack_nil(u)) {
        m->has_expiry = true;
        m->expiry_s = (uint32_t)unpack_uint_max(u, UINT32_MAX);
    }
    if (elements > ELEMENTS_ALWAYS + 2 && !unpack_nil(u)) {
        m->has_payload_format = true;
        m->payload_format = (uint8_t)unpack_uint_max(u, UINT8_MAX);
    }
    if (elements > ELEMENTS_ALWAYS + 3)
        m->content_type = str_or_nil(u);
    if (elements > ELEMENTS_ALWAYS + 4)
        m->response_topic = str_or_nil(u);
    if (elements > ELEMENTS_ALWAYS + 5)
        m->correlation = bin_or_nil(u);
    if (elements > ELEMENTS_ALWAYS + 6)
        m->user_properties = bin_or_nil(u);
    if (elements >= ELEMENTS_KNOWN)
        get_change(u, m);
}

/* First compares what is left behind the elements, then computes the checksum: in
 * a damaged page the length that LMDB reports may reach far beyond the row. */
static bool is_intact(const struct unpack *u, uint64_t version,
                      uint32_t elements, MDB_val v)
{
    const size_t left = (size_t)(u->end - u->at);
    const size_t own = version == VERSION_CHECKED ? CHECKSUM_BYTES : 0;

    if (elements < ELEMENTS_KNOWN ? left != own : left < own)
        return false;
    return version == VERSION_UNCHECKED ||
           checksum_holds(v.mv_data, v.mv_size);
}

bool schema_get_record(MDB_val v, uint64_t id, struct record *ret_record)
{
    struct unpack u = unpack_of(v.mv_data, v.mv_size);
    const uint32_t elements = unpack_array(&u);
    struct record r = {.m.id = id};

    const uint64_t version = unpack_uint(&u);
    if (elements < ELEMENTS_ALWAYS || version < VERSION_UNCHECKED ||
        version > VERSION_CHECKED)
        return false;
    r.m.kind = (uint8_t)unpack_uint_max(&u, UINT8_MAX);
    r.m.topic = unpack_str(&u);
    r.m.seq = unpack_uint(&u);
    r.m.at_us = unpack_int(&u);
    r.m.payload_class = (uint8_t)unpack_uint_max(&u, PAYLOAD_JSON);
    const uint64_t flags = unpack_uint_max(&u, FLAG_RETAIN | FLAG_QOS);
    r.m.qos = flags & FLAG_QOS;
    r.m.retain = (flags & FLAG_RETAIN) != 0;
    r.m.publisher = unpack_uint(&u);
    r.m.payload = unpack_bin(&u);
    if (elements > ELEMENTS_ALWAYS)
        get_optional(&u, elements, &r);
    if (u.failed || r.m.topic.len == 0 || r.m.qos > 2 ||
        !is_intact(&u, version, elements, v))
        return false;
    *ret_record = r;
    return true;
}

bool schema_record_is_checked(MDB_val v)
{
    struct unpack u = unpack_of(v.mv_data, v.mv_size);

    (void)unpack_array(&u);
    return unpack_uint(&u) == VERSION_CHECKED;
}
