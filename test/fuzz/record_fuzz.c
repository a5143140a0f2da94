/* Rows of data.mdb, as a damaged disk might have them: every decoder gets the
 * same bytes. What one accepts must be readable to its last byte, and come back
 * the same when it is written and read again. */
#include <stdlib.h>

#include "store/format/schema.h"
#include "test/fuzz/fuzz.h"

static void require(bool promise)
{
    if (!promise)
        abort();
}

/* A sanitizer sees it when a slice is not all there. */
static unsigned touch(struct slice s)
{
    const unsigned char *p = s.data;
    unsigned sum = 0;

    for (size_t i = 0; i < s.len; i++)
        sum += p[i];
    return sum;
}

static void require_same(struct slice a, struct slice b)
{
    require(touch(a) == touch(b));
    require(slice_eq(a, b));
    require((a.data == NULL) == (b.data == NULL));
}

static void try_record(MDB_val row)
{
    struct buffer b = BUFFER_INIT;
    struct record r, again;

    if (!schema_get_record(row, 1, &r))
        return;
    schema_put_record(&b, &r.m);
    require(schema_get_record((MDB_val){b.len, b.data}, 1, &again));
    touch(r.m.sender);
    require_same(r.m.topic, again.m.topic);
    require_same(r.m.payload, again.m.payload);
    require_same(r.m.content_type, again.m.content_type);
    require_same(r.m.response_topic, again.m.response_topic);
    require_same(r.m.correlation, again.m.correlation);
    require_same(r.m.sender, again.m.sender);
    require_same(r.m.user_properties, again.m.user_properties);
    require(r.m.kind == again.m.kind && r.m.seq == again.m.seq &&
            r.m.at_us == again.m.at_us && r.m.qos == again.m.qos &&
            r.m.retain == again.m.retain &&
            r.m.payload_class == again.m.payload_class &&
            r.m.publisher == again.m.publisher &&
            r.m.has_expiry == again.m.has_expiry &&
            r.m.expiry_s == again.m.expiry_s &&
            r.m.has_payload_format == again.m.has_payload_format &&
            r.m.payload_format == again.m.payload_format);
    buffer_release(&b);
}

static void try_thing(MDB_val key, MDB_val row)
{
    struct buffer b = BUFFER_INIT;
    struct thing_state t, again;

    if (!schema_get_thing(key, row, &t))
        return;
    touch(t.row.topic);
    if (t.row.topic.len > SCHEMA_KEY_MAX || t.row.topic.len == key.mv_size) {
        schema_put_thing(&b, &t);
        require(schema_get_thing(key, (MDB_val){b.len, b.data}, &again));
        require(again.row.count == t.row.count &&
                again.row.last_id == t.row.last_id &&
                again.open.count == t.open.count);
    }
    buffer_release(&b);
}

static void try_chunk(MDB_val row)
{
    struct buffer b = BUFFER_INIT;
    struct chunk_row c, again;

    if (!schema_get_chunk(row, &c))
        return;
    require(c.count > 0 && c.count <= CHUNK_IDS);
    for (unsigned i = 1; i < c.count; i++)
        require(c.ids[i] > c.ids[i - 1]);
    schema_put_chunk(&b, &c);
    require(schema_get_chunk((MDB_val){b.len, b.data}, &again));
    require(memcmp(c.ids, again.ids, sizeof(c.ids)) == 0);
    buffer_release(&b);
}

static void try_others(MDB_val key, MDB_val row)
{
    struct token_row token;
    struct usage_row usage;
    struct record copy;
    struct slice topic;
    uint64_t number;
    bool has_copy;

    if (schema_get_retained(key, row, &topic, &number, &has_copy, &copy)) {
        require(topic.len > 0);
        touch(topic);
        if (has_copy)
            touch(copy.m.payload);
    }
    if (schema_get_token(key, row, &token))
        touch(token.plan);
    if (schema_get_trim(row, &topic))
        touch(topic);
    schema_get_usage(row, &usage);
    schema_get_number(row, &number);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned char hashed[SCHEMA_KEY_PREFIX + 33] = {'h'};
    const MDB_val row = {size, (void *)data};
    const MDB_val plain_key = {3, "t/a"},
                  hashed_key = {sizeof(hashed), hashed};

    try_record(row);
    try_thing(plain_key, row);
    try_thing(hashed_key, row);
    try_chunk(row);
    try_others(plain_key, row);
    try_others(hashed_key, row);
    return 0;
}
