/* Keys, and every row but those of `log` (record.c):
 *   given     [version]
 *   chunks    [version, ids, first_seq, first_at_us, bytes, stored]
 *   things    [version, name, first_id, last_id, first_seq, last_seq,
 *              trimmed_id, count, bytes, last_at_us,
 *              open ids, open first_at_us, open bytes, stored, open stored,
 *              changes: left out where 0]
 *   changes   nothing
 *   trims     [version, name]
 *   retained  [version, name, id, copy: a row of `log`, or nil]
 *   tokens    [version, plan, created_us, revoked_us, implied, since_id, named,
 *              suspended_us]
 *   tenants and keys: directory_row.c
 *   usage     [version, window_start_us, writes, reads, things, bytes, retained,
 *              sessions, session_bytes]
 *   meta      [version, number]
 * ids: an array; the first id as it is, each later one as the difference from the
 * one before, so that 16 of them take around 40 bytes. name: nil when the key is
 * the name. */
#include "store/format/schema.h"

#include <assert.h>
#include <sodium.h>

#include "store/format/account_cost.h"
#include "store/format/row.h"

#define HASH_BYTES 32
#define HASH_MARK 0xff
#define PURGE_MARK 1

void schema_name_key(struct slice name, struct schema_key *ret_key)
{
    if (name.len <= SCHEMA_KEY_MAX) {
        if (name.len > 0)
            memcpy(ret_key->bytes, name.data, name.len);
        ret_key->len = name.len;
        return;
    }
    memcpy(ret_key->bytes, name.data, SCHEMA_KEY_PREFIX);
    ret_key->bytes[SCHEMA_KEY_PREFIX] = HASH_MARK;
    crypto_generichash(ret_key->bytes + SCHEMA_KEY_PREFIX + 1, HASH_BYTES,
                       name.data, name.len, NULL, 0);
    ret_key->len = SCHEMA_KEY_PREFIX + 1 + HASH_BYTES;
}

void schema_chunk_key(struct slice topic, uint64_t first_id,
                      struct schema_key *ret_key)
{
    schema_name_key(topic, ret_key);
    ret_key->bytes[ret_key->len++] = 0;
    for (int shift = 56; shift >= 0; shift -= 8)
        ret_key->bytes[ret_key->len++] = (unsigned char)(first_id >> shift);
}

void schema_given_prefix(struct slice group, struct schema_key *ret_key)
{
    ret_key->len = crypto_generichash_BYTES_MIN;
    crypto_generichash(ret_key->bytes, ret_key->len, group.data, group.len,
                       NULL, 0);
}

void schema_given_key(struct slice group, uint64_t id,
                      struct schema_key *ret_key)
{
    schema_given_prefix(group, ret_key);
    for (int shift = 56; shift >= 0; shift -= 8)
        ret_key->bytes[ret_key->len++] = (unsigned char)(id >> shift);
}

bool schema_given_id(const struct schema_key *prefix, MDB_val key,
                     uint64_t *ret_id)
{
    const unsigned char *k = key.mv_data;

    if (key.mv_size != prefix->len + 8 ||
        memcmp(k, prefix->bytes, prefix->len) != 0)
        return false;
    *ret_id = 0;
    for (int i = 0; i < 8; i++)
        *ret_id = *ret_id << 8 | k[prefix->len + (size_t)i];
    return true;
}

void schema_change_key(struct slice token, uint64_t id,
                       struct schema_key *ret_key)
{
    schema_chunk_key(token, id, ret_key);
}

void schema_purge_key(struct slice token, uint64_t id,
                      struct schema_key *ret_key)
{
    schema_chunk_key(token, id, ret_key);
    ret_key->bytes[token.len] = PURGE_MARK;
}

static bool id_behind(struct slice token, unsigned char mark, MDB_val key,
                      uint64_t *ret_id)
{
    struct schema_key prefix;

    schema_name_key(token, &prefix);
    prefix.bytes[prefix.len++] = mark;
    return schema_given_id(&prefix, key, ret_id);
}

bool schema_change_id(struct slice token, MDB_val key, uint64_t *ret_id)
{
    return id_behind(token, 0, key, ret_id);
}

bool schema_purge_id(struct slice token, MDB_val key, uint64_t *ret_id)
{
    return id_behind(token, PURGE_MARK, key, ret_id);
}

/* ---- chunks ------------------------------------------------------------ */

static void pack_ids(msgpack_packer *p, const struct chunk_row *c)
{
    msgpack_pack_array(p, c->count);
    for (unsigned i = 0; i < c->count; i++)
        msgpack_pack_uint64(p, i == 0 ? c->ids[0] : c->ids[i] - c->ids[i - 1]);
}

static void unpack_ids(struct unpack *u, struct chunk_row *c)
{
    uint64_t last = 0;

    c->count = unpack_array(u);
    if (c->count > CHUNK_IDS) {
        c->count = 0;
        u->failed = true;
    }
    for (unsigned i = 0; i < c->count; i++) {
        const uint64_t step = unpack_uint_max(u, UINT64_MAX - last);
        if (step == 0) /* not ascending, or an id of 0 */
            u->failed = true;
        last += step;
        c->ids[i] = last;
    }
}

void schema_put_chunk(struct buffer *b, const struct chunk_row *c)
{
    msgpack_packer p = packer_of(b);

    assert(c->count > 0 && c->count <= CHUNK_IDS);
    pack_row(&p, 6);
    pack_ids(&p, c);
    msgpack_pack_uint64(&p, c->first_seq);
    msgpack_pack_int64(&p, c->first_at_us);
    msgpack_pack_uint64(&p, c->bytes);
    msgpack_pack_uint64(&p, c->stored);
}

bool schema_get_chunk(MDB_val v, struct chunk_row *ret_chunk)
{
    uint32_t elements;
    struct unpack u = unpack_long_row(v, 5, &elements);
    struct chunk_row c = {0};

    unpack_ids(&u, &c);
    c.first_seq = unpack_uint(&u);
    c.first_at_us = unpack_int(&u);
    c.bytes = unpack_uint(&u);
    c.stored = elements > 5 ? unpack_uint(&u) : 0; /* added later */
    if (u.failed || c.count == 0)
        return false;
    *ret_chunk = c;
    return true;
}

/* ---- things ------------------------------------------------------------ */

void schema_put_thing(struct buffer *b, const struct thing_state *t)
{
    msgpack_packer p = packer_of(b);
    const struct thing_row *row = &t->row;

    assert(t->open.count < CHUNK_IDS && t->open.count <= row->count);
    pack_row(&p, t->changes != 0 ? 16 : 15);
    pack_name(&p, row->topic);
    msgpack_pack_uint64(&p, row->first_id);
    msgpack_pack_uint64(&p, row->last_id);
    msgpack_pack_uint64(&p, row->first_seq);
    msgpack_pack_uint64(&p, row->last_seq);
    msgpack_pack_uint64(&p, row->trimmed_id);
    msgpack_pack_uint64(&p, row->count);
    msgpack_pack_uint64(&p, row->bytes);
    msgpack_pack_int64(&p, row->last_at_us);
    pack_ids(&p, &t->open);
    msgpack_pack_int64(&p, t->open.first_at_us);
    msgpack_pack_uint64(&p, t->open.bytes);
    msgpack_pack_uint64(&p, t->stored);
    msgpack_pack_uint64(&p, t->open.stored);
    if (t->changes != 0)
        msgpack_pack_uint64(&p, t->changes);
}

/* Checks what readers compute with, so that a damaged row cannot mislead them. */
static bool thing_consistent(const struct thing_state *t)
{
    const struct thing_row *row = &t->row;

    if (t->open.count >= CHUNK_IDS || t->open.count > row->count ||
        row->count > row->last_seq)
        return false;
    if (row->count == 0)
        return row->first_id == 0 && row->last_id == 0;
    return row->first_id > row->trimmed_id && row->first_id <= row->last_id &&
           row->first_seq == row->last_seq - row->count + 1;
}

bool schema_get_thing(MDB_val key, MDB_val v, struct thing_state *ret_thing)
{
    uint32_t elements;
    struct unpack u = unpack_long_row(v, 13, &elements);
    struct thing_state t = {0};

    t.row.topic = unpack_name(&u, key, 0);
    t.row.first_id = unpack_uint(&u);
    t.row.last_id = unpack_uint(&u);
    t.row.first_seq = unpack_uint(&u);
    t.row.last_seq = unpack_uint(&u);
    t.row.trimmed_id = unpack_uint(&u);
    t.row.count = unpack_uint(&u);
    t.row.bytes = unpack_uint(&u);
    t.row.last_at_us = unpack_int(&u);
    unpack_ids(&u, &t.open);
    t.open.first_at_us = unpack_int(&u);
    t.open.bytes = unpack_uint(&u);
    if (elements > 14) {
        t.stored = unpack_uint(&u);
        t.open.stored = unpack_uint(&u);
    } else { /* these elements were added later */
        t.stored = account_plain_cost(t.row.topic, t.row.count, t.row.bytes);
        t.open.stored =
            account_plain_cost(t.row.topic, t.open.count, t.open.bytes);
    }
    t.changes = elements > 15 && !unpack_nil(&u) ? unpack_uint(&u) : 0;
    if (u.failed || !thing_consistent(&t))
        return false;
    t.open.first_seq = t.row.last_seq - t.open.count + 1;
    *ret_thing = t;
    return true;
}

/* ---- small rows -------------------------------------------------------- */

void schema_put_trim(struct buffer *b, struct slice topic)
{
    msgpack_packer p = packer_of(b);

    pack_row(&p, 2);
    pack_str(&p, topic);
}

bool schema_get_trim(MDB_val v, struct slice *ret_topic)
{
    struct unpack u = unpack_row(v, 2);
    const struct slice topic = unpack_str(&u);

    if (u.failed || topic.len == 0)
        return false;
    *ret_topic = topic;
    return true;
}

void schema_put_retained(struct buffer *b, struct slice topic, uint64_t id,
                         const struct message *copy)
{
    msgpack_packer p = packer_of(b);

    pack_row(&p, 4);
    pack_name(&p, topic);
    msgpack_pack_uint64(&p, id);
    if (copy == NULL) {
        msgpack_pack_nil(&p);
        return;
    }
    struct buffer record = BUFFER_INIT;
    schema_put_record(&record, copy);
    pack_bin(&p, buffer_slice(&record));
    b->failed |= !buffer_ok(&record);
    buffer_release(&record);
}

bool schema_get_retained(MDB_val key, MDB_val v, struct slice *ret_topic,
                         uint64_t *ret_id, bool *ret_has_copy,
                         struct record *ret_copy)
{
    struct unpack u = unpack_row(v, 4);
    const struct slice topic = unpack_name(&u, key, 0);
    const uint64_t id = unpack_uint(&u);
    const bool has_copy = !unpack_nil(&u);
    struct record record;

    if (has_copy) {
        const struct slice copy = unpack_bin(&u);
        const MDB_val row = {copy.len, (void *)copy.data};
        if (u.failed || !schema_get_record(row, id, &record))
            return false;
    }
    if (u.failed || id == 0 || topic.len == 0)
        return false;
    if (has_copy)
        *ret_copy = record;
    *ret_topic = topic;
    *ret_id = id;
    *ret_has_copy = has_copy;
    return true;
}

void schema_put_token(struct buffer *b, const struct token_row *t)
{
    msgpack_packer p = packer_of(b);

    pack_row(&p, 9);
    pack_str(&p, t->plan);
    msgpack_pack_int64(&p, t->created_us);
    msgpack_pack_int64(&p, t->revoked_us);
    pack_bool(&p, t->implied);
    msgpack_pack_uint64(&p, t->since_id);
    pack_bool(&p, t->named);
    msgpack_pack_int64(&p, t->suspended_us);
    pack_str(&p, t->limits);
}

bool schema_get_token(MDB_val key, MDB_val v, struct token_row *ret_token)
{
    uint32_t elements;
    struct unpack u = unpack_long_row(v, 5, &elements);
    struct token_row t = {.token = slice_of(key.mv_data, key.mv_size)};

    t.plan = unpack_str(&u);
    t.created_us = unpack_int(&u);
    t.revoked_us = unpack_int(&u);
    t.implied = unpack_bool(&u);
    t.since_id = elements > 5 ? unpack_uint(&u) : 0;
    t.named = elements > 6 && unpack_bool(&u);
    t.suspended_us = elements > 7 ? unpack_int(&u) : 0;
    if (elements > 8)
        t.limits = unpack_str(&u);
    if (u.failed || t.token.len == 0)
        return false;
    *ret_token = t;
    return true;
}

void schema_put_usage(struct buffer *b, const struct usage_row *usage)
{
    msgpack_packer p = packer_of(b);

    pack_row(&p, 10);
    msgpack_pack_int64(&p, usage->window_start_us);
    msgpack_pack_uint64(&p, usage->writes);
    msgpack_pack_uint64(&p, usage->reads);
    msgpack_pack_uint64(&p, usage->things);
    msgpack_pack_uint64(&p, usage->bytes);
    msgpack_pack_uint64(&p, usage->retained);
    msgpack_pack_uint64(&p, usage->sessions);
    msgpack_pack_uint64(&p, usage->session_bytes);
    msgpack_pack_uint64(&p, usage->trimmed_id);
}

bool schema_get_usage(MDB_val v, struct usage_row *ret_usage)
{
    uint32_t elements;
    struct unpack u = unpack_long_row(v, 7, &elements);
    struct usage_row usage;

    usage.window_start_us = unpack_int(&u);
    usage.writes = unpack_uint(&u);
    usage.reads = unpack_uint(&u);
    usage.things = unpack_uint(&u);
    usage.bytes = unpack_uint(&u);
    usage.retained = unpack_uint(&u);
    usage.sessions = elements > 7 ? unpack_uint(&u) : 0; /* added later */
    usage.session_bytes = elements > 8 ? unpack_uint(&u) : 0;
    usage.trimmed_id = elements > 9 ? unpack_uint(&u) : 0;
    if (u.failed)
        return false;
    *ret_usage = usage;
    return true;
}

void schema_put_number(struct buffer *b, uint64_t number)
{
    msgpack_packer p = packer_of(b);

    pack_row(&p, 2);
    msgpack_pack_uint64(&p, number);
}

bool schema_get_number(MDB_val v, uint64_t *ret_number)
{
    struct unpack u = unpack_row(v, 2);
    const uint64_t number = unpack_uint(&u);

    if (u.failed)
        return false;
    *ret_number = number;
    return true;
}
