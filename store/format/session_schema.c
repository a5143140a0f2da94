/* Rows of stored sessions:
 *   sessions       [version, identity, number, expiry, ended_us, position,
 *                   created_us, will delay or nil, will_due_us, 1]
 *   subscriptions  [version, filter, options, identifier, since_id,
 *                   retained_as_of]; after it was replaced with other options
 *                   also: changed_at, the options before
 *   inflight       outbound: [version, log id, order, qos, state, retain,
 *                   identifiers]; inbound: [version]
 *   wills          a row of `log`
 *   groups         [version, name, members, position, ids]
 * identity and filter: nil when the key contains them. options: the bits of MQTT 5
 * §3.8.3.1: QoS, 4 No Local, 8 Retain As Published. */
#include "store/format/row.h"

#define NUMBER_BYTES 8
enum { OUTBOUND = 0, INBOUND = 1 };
enum { OPTION_NO_LOCAL = 4, OPTION_AS_PUBLISHED = 8, OPTION_QOS = 3 };

struct slice session_token(struct slice identity)
{
    const void *nul = memchr(identity.data, '\0', identity.len);

    return slice_of(identity.data,
                    nul == NULL ? 0
                                : (size_t)((const char *)nul -
                                           (const char *)identity.data));
}

bool session_is_over(const struct session_row *s, int64_t away_us)
{
    return s->ended_us != 0 && s->expiry_s != SESSION_NEVER &&
           away_us >= (int64_t)s->expiry_s * 1000000;
}

/* ---- keys -------------------------------------------------------------- */

void schema_part_key(uint64_t number, struct schema_key *ret_key)
{
    for (int i = 0; i < NUMBER_BYTES; i++)
        ret_key->bytes[i] = (unsigned char)(number >> (56 - 8 * i));
    ret_key->len = NUMBER_BYTES;
}

void schema_subscription_key(uint64_t number, struct slice filter,
                             struct schema_key *ret_key)
{
    struct schema_key name;

    schema_part_key(number, ret_key);
    schema_name_key(filter, &name);
    memcpy(ret_key->bytes + NUMBER_BYTES, name.bytes, name.len);
    ret_key->len += name.len;
}

void schema_inflight_key(uint64_t number, bool inbound, uint16_t packet_id,
                         struct schema_key *ret_key)
{
    schema_part_key(number, ret_key);
    ret_key->bytes[ret_key->len++] = inbound ? INBOUND : OUTBOUND;
    ret_key->bytes[ret_key->len++] = (unsigned char)(packet_id >> 8);
    ret_key->bytes[ret_key->len++] = (unsigned char)packet_id;
}

/* ---- rows -------------------------------------------------------------- */

void schema_put_session(struct buffer *b, const struct session_row *s)
{
    msgpack_packer p = packer_of(b);

    pack_row(&p, 10);
    pack_name(&p, s->identity);
    msgpack_pack_uint64(&p, s->number);
    msgpack_pack_uint32(&p, s->expiry_s);
    msgpack_pack_int64(&p, s->ended_us);
    msgpack_pack_uint64(&p, s->position);
    msgpack_pack_int64(&p, s->created_us);
    if (s->has_will)
        msgpack_pack_uint32(&p, s->will_delay_s);
    else
        msgpack_pack_nil(&p);
    msgpack_pack_int64(&p, s->will_due_us);
    msgpack_pack_uint8(&p, 1); /* is charged to its token; all are now */
}

bool schema_get_session(MDB_val key, MDB_val v, struct session_row *ret_row)
{
    struct unpack u = unpack_row(v, 10);
    struct session_row s = {0};

    s.identity = unpack_name(&u, key, 0);
    s.number = unpack_uint(&u);
    s.expiry_s = (uint32_t)unpack_uint_max(&u, UINT32_MAX);
    s.ended_us = unpack_int(&u);
    s.position = unpack_uint(&u);
    s.created_us = unpack_int(&u);
    s.has_will = !unpack_nil(&u);
    if (s.has_will)
        s.will_delay_s = (uint32_t)unpack_uint_max(&u, UINT32_MAX);
    s.will_due_us = unpack_int(&u);
    (void)unpack_uint_max(&u, 1);
    if (u.failed || s.number == 0)
        return false;
    *ret_row = s;
    return true;
}

static uint8_t options_of(uint8_t qos, bool no_local, bool as_published)
{
    return (uint8_t)((qos & OPTION_QOS) | (no_local ? OPTION_NO_LOCAL : 0) |
                     (as_published ? OPTION_AS_PUBLISHED : 0));
}

void schema_put_subscription(struct buffer *b,
                             const struct session_subscription *s)
{
    msgpack_packer p = packer_of(b);

    const bool ended = s->earlier_until != 0;
    const bool changed = ended || s->changed_at != 0;

    pack_row(&p, ended ? 10 : changed ? 8 : 6);
    pack_name(&p, s->filter);
    msgpack_pack_uint8(&p, options_of(s->qos, s->no_local,
                                      s->retain_as_published));
    msgpack_pack_uint32(&p, s->identifier);
    msgpack_pack_uint64(&p, s->since_id);
    msgpack_pack_uint64(&p, s->retained_as_of);
    if (!changed)
        return;
    msgpack_pack_uint64(&p, s->changed_at);
    msgpack_pack_uint8(&p,
                       options_of(s->qos_before, s->no_local_before, false));
    if (!ended)
        return;
    msgpack_pack_uint64(&p, s->earlier_since);
    msgpack_pack_uint64(&p, s->earlier_until);
}

bool schema_get_subscription(MDB_val key, MDB_val v,
                             struct session_subscription *ret_row)
{
    uint32_t count;
    struct unpack u = unpack_long_row(v, 6, &count);
    struct session_subscription s = {0};

    s.filter = unpack_name(&u, key, NUMBER_BYTES);
    const uint64_t options = unpack_uint_max(&u, 15);
    s.qos = options & OPTION_QOS;
    s.no_local = (options & OPTION_NO_LOCAL) != 0;
    s.retain_as_published = (options & OPTION_AS_PUBLISHED) != 0;
    s.identifier = (uint32_t)unpack_uint_max(&u, UINT32_MAX);
    s.since_id = unpack_uint(&u);
    s.retained_as_of = unpack_uint(&u);
    if (count >= 8) {
        s.changed_at = unpack_uint(&u);
        const uint64_t before = unpack_uint_max(&u, 15);
        s.qos_before = before & OPTION_QOS;
        s.no_local_before = (before & OPTION_NO_LOCAL) != 0;
    }
    if (count >= 10) {
        s.earlier_since = unpack_uint(&u);
        s.earlier_until = unpack_uint(&u);
    }
    if (u.failed || s.qos > 2 || s.qos_before > 2)
        return false;
    *ret_row = s;
    return true;
}

void schema_put_inflight(struct buffer *b, const struct session_inflight *i)
{
    msgpack_packer p = packer_of(b);

    if (i->inbound) {
        pack_row(&p, 1);
        return;
    }
    pack_row(&p, 7);
    msgpack_pack_uint64(&p, i->log_id);
    msgpack_pack_uint32(&p, i->order);
    msgpack_pack_uint8(&p, i->qos);
    msgpack_pack_uint8(&p, i->state);
    msgpack_pack_uint8(&p, i->retain);
    msgpack_pack_array(&p, i->identifier_count);
    for (uint32_t n = 0; n < i->identifier_count; n++)
        msgpack_pack_uint32(&p, i->identifiers[n]);
}

static bool read_inflight_key(MDB_val key, struct session_inflight *i)
{
    const unsigned char *k = key.mv_data;

    if (key.mv_size != NUMBER_BYTES + 3 || k[NUMBER_BYTES] > INBOUND)
        return false;
    i->inbound = k[NUMBER_BYTES] == INBOUND;
    i->packet_id = (uint16_t)(k[NUMBER_BYTES + 1] << 8 | k[NUMBER_BYTES + 2]);
    return true;
}

bool schema_get_inflight(MDB_val key, MDB_val v,
                         struct session_inflight *ret_row)
{
    struct session_inflight i = {0};

    if (!read_inflight_key(key, &i))
        return false;
    struct unpack u = unpack_row(v, i.inbound ? 1 : 7);
    if (!i.inbound) {
        i.log_id = unpack_uint(&u);
        i.order = (uint32_t)unpack_uint_max(&u, UINT32_MAX);
        i.qos = (uint8_t)unpack_uint_max(&u, 2);
        i.state = (uint8_t)unpack_uint_max(&u, 1);
        i.retain = unpack_uint_max(&u, 1) != 0;
        i.identifier_count = unpack_array(&u);
        /* Each element has a byte at least: a false count allocates nothing. */
        if (!u.failed && i.identifier_count <= (size_t)(u.end - u.at))
            i.encoded = slice_of(u.at, (size_t)(u.end - u.at));
        else
            u.failed = true;
    }
    if (u.failed)
        return false;
    *ret_row = i;
    return true;
}

bool session_inflight_identifiers(const struct session_inflight *row,
                                  uint32_t *ret_identifiers)
{
    struct unpack u = unpack_of(row->encoded.data, row->encoded.len);

    for (uint32_t i = 0; i < row->identifier_count; i++)
        ret_identifiers[i] = (uint32_t)unpack_uint_max(&u, UINT32_MAX);
    return !u.failed;
}

void schema_put_group(struct buffer *b, const struct group_row *g,
                      const uint64_t *ids)
{
    msgpack_packer p = packer_of(b);

    pack_row(&p, 5);
    pack_name(&p, g->name);
    msgpack_pack_uint64(&p, g->members);
    msgpack_pack_uint64(&p, g->position);
    msgpack_pack_array(&p, g->id_count);
    for (uint32_t i = 0; i < g->id_count; i++)
        msgpack_pack_uint64(&p, ids[i]);
}

bool schema_get_group(MDB_val key, MDB_val v, struct group_row *ret_row)
{
    struct unpack u = unpack_row(v, 5);
    struct group_row g = {0};

    g.name = unpack_name(&u, key, 0);
    g.members = unpack_uint(&u);
    g.position = unpack_uint(&u);
    g.id_count = unpack_array(&u);
    if (u.failed || g.id_count > (size_t)(u.end - u.at))
        return false;
    g.encoded = slice_of(u.at, (size_t)(u.end - u.at));
    *ret_row = g;
    return true;
}

bool group_row_ids(const struct group_row *row, uint64_t *ret_ids)
{
    struct unpack u = unpack_of(row->encoded.data, row->encoded.len);

    for (uint32_t i = 0; i < row->id_count; i++)
        ret_ids[i] = unpack_uint(&u);
    return !u.failed;
}
