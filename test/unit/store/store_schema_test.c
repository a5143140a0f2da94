#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/format/schema.h"

static char long_name[65535];

static struct slice name_of(size_t len)
{
    memset(long_name, 'n', sizeof(long_name));
    return slice_of(long_name, len);
}

/* ---- keys -------------------------------------------------------------- */

static void names_up_to_400_bytes_are_their_own_key(void **state)
{
    struct schema_key key;

    (void)state;
    schema_name_key(name_of(400), &key);
    assert_int_equal(key.len, 400);
    assert_memory_equal(key.bytes, long_name, 400);
    schema_name_key(slice_of(NULL, 0), &key);
    assert_int_equal(key.len, 0);
}

static void longer_names_have_keys_of_their_own(void **state)
{
    struct schema_key a, b, c;

    (void)state;
    schema_name_key(name_of(401), &a);
    schema_name_key(name_of(402), &b);
    schema_name_key(name_of(401), &c);
    assert_int_equal(a.len, 401);
    assert_memory_equal(a.bytes, long_name, SCHEMA_KEY_PREFIX);
    assert_memory_equal(a.bytes, c.bytes, a.len);
    assert_memory_not_equal(a.bytes, b.bytes, a.len);
    /* No UTF-8 has this byte, so no shorter name is such a key. */
    assert_int_equal(a.bytes[SCHEMA_KEY_PREFIX], 0xff);
    schema_name_key(name_of(65535), &a);
    assert_int_equal(a.len, 401);
}

static void chunk_keys_sort_by_id_and_fit(void **state)
{
    struct schema_key low, high;

    (void)state;
    schema_chunk_key(slice_str("t/a"), 255, &low);
    schema_chunk_key(slice_str("t/a"), 256, &high);
    assert_int_equal(low.len, 3 + 1 + 8);
    assert_memory_equal(low.bytes, "t/a\0\0\0\0\0\0\0\0\xff", 12);
    assert_true(memcmp(low.bytes, high.bytes, low.len) < 0);
    schema_chunk_key(name_of(65535), UINT64_MAX, &high);
    assert_true(high.len <= sizeof(high.bytes));
}

/* ---- rows -------------------------------------------------------------- */

static const MDB_val key = {3, "t/a"};

static const struct thing_state a_thing = {
    .row = {.topic = {"t/a", 3},
            .first_id = 9,
            .last_id = UINT64_MAX,
            .first_seq = 5,
            .last_seq = 8,
            .trimmed_id = 8,
            .count = 4,
            .bytes = 123456,
            .last_at_us = INT64_C(1795242737123456)},
    .open = {.ids = {10, 300, UINT64_MAX},
             .count = 3,
             .first_seq = 6,
             .first_at_us = -1,
             .bytes = 7},
};

static void encode_thing(struct buffer *b, const struct thing_state *t)
{
    buffer_clear(b);
    schema_put_thing(b, t);
    assert_true(buffer_ok(b));
}

static bool decode_thing(const struct buffer *b, MDB_val k,
                         struct thing_state *ret)
{
    return schema_get_thing(k, (MDB_val){b->len, b->data}, ret);
}

static void assert_same_thing(const struct thing_state *got,
                              const struct thing_state *t)
{
    assert_true(slice_eq(got->row.topic, t->row.topic));
    assert_true(got->row.first_id == t->row.first_id);
    assert_true(got->row.last_id == t->row.last_id);
    assert_true(got->row.first_seq == t->row.first_seq);
    assert_true(got->row.last_seq == t->row.last_seq);
    assert_true(got->row.trimmed_id == t->row.trimmed_id);
    assert_true(got->row.count == t->row.count);
    assert_true(got->row.bytes == t->row.bytes);
    assert_true(got->row.last_at_us == t->row.last_at_us);
    assert_int_equal(got->open.count, t->open.count);
    assert_memory_equal(got->open.ids, t->open.ids, sizeof(t->open.ids));
    assert_true(got->open.first_seq == t->open.first_seq);
    assert_true(got->open.first_at_us == t->open.first_at_us);
    assert_true(got->open.bytes == t->open.bytes);
}

static void a_thing_comes_back_as_it_was(void **state)
{
    struct buffer b = BUFFER_INIT;
    struct thing_state got, t = a_thing;

    (void)state;
    encode_thing(&b, &t);
    assert_true(decode_thing(&b, key, &got));
    assert_same_thing(&got, &t);

    struct schema_key hashed; /* the row says whose it is */
    t.row.topic = name_of(1000);
    schema_name_key(t.row.topic, &hashed);
    encode_thing(&b, &t);
    assert_true(decode_thing(&b, schema_val(&hashed), &got));
    assert_same_thing(&got, &t);
    buffer_release(&b);
}

static void an_emptied_thing_keeps_what_counts_on(void **state)
{
    const struct thing_state t = {
        .row = {.topic = {"t/a", 3},
                .first_seq = 9,
                .last_seq = 8,
                .trimmed_id = 77,
                .last_at_us = 5},
        .open = {.first_seq = 9},
    };
    struct buffer b = BUFFER_INIT;
    struct thing_state got;

    (void)state;
    encode_thing(&b, &t);
    assert_true(decode_thing(&b, key, &got));
    assert_same_thing(&got, &t);
    buffer_release(&b);
}

static void things_that_contradict_themselves_are_refused(void **state)
{
    struct buffer b = BUFFER_INIT;
    struct thing_state got, t;

    (void)state;
#define REFUSED(change)                                                       \
    t = a_thing;                                                              \
    change;                                                                   \
    encode_thing(&b, &t);                                                     \
    assert_false(decode_thing(&b, key, &got))
    REFUSED(t.row.first_seq = 4);  /* seqs have no gaps */
    REFUSED(t.row.trimmed_id = 9); /* first_id is visible */
    REFUSED(t.row.first_id = 0);
    REFUSED(t.row.last_id = 8);
    REFUSED(t.row.count = 9);    /* more than ever were */
    REFUSED(t.open.ids[1] = 10); /* ids ascend */
    REFUSED(t.open.ids[0] = 0);
#undef REFUSED
    encode_thing(&b, &a_thing);
    assert_true(decode_thing(&b, key, &got));
    /* A hashed key without the name in the row. */
    struct schema_key hashed;
    schema_name_key(name_of(500), &hashed);
    assert_false(decode_thing(&b, schema_val(&hashed), &got));
    buffer_release(&b);
}

static void a_full_chunk_comes_back_and_stays_small(void **state)
{
    struct buffer b = BUFFER_INIT;
    struct chunk_row c = {.count = CHUNK_IDS,
                          .first_seq = 17,
                          .first_at_us = INT64_C(1795242737123456),
                          .bytes = 1600};
    struct chunk_row got;

    (void)state;
    for (unsigned i = 0; i < CHUNK_IDS; i++)
        c.ids[i] = UINT64_C(3000000000) + i * 100;
    schema_put_chunk(&b, &c);
    assert_true(b.len <= 48);
    assert_true(schema_get_chunk((MDB_val){b.len, b.data}, &got));
    assert_memory_equal(got.ids, c.ids, sizeof(c.ids));
    assert_int_equal(got.count, c.count);
    assert_int_equal(got.first_seq, c.first_seq);
    assert_true(got.first_at_us == c.first_at_us);
    assert_int_equal(got.bytes, c.bytes);
    buffer_release(&b);
}

static void malformed_chunks_are_refused(void **state)
{
    static const struct {
        const char *why, *bytes;
        size_t len;
    } cases[] = {
#define CASE(why, bytes) {why, bytes, sizeof(bytes) - 1}
        CASE("no ids", "\x95\1\x90\1\1\1"),
        CASE("17 ids", "\x95\1\xdc\0\x11\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1"
                       "\1\1\1"),
        CASE("four billion ids", "\x95\1\xdd\xff\xff\xff\xff\1\1\1"),
        CASE("id 0", "\x95\1\x91\0\1\1\1"),
        CASE("the same id twice", "\x95\1\x92\1\0\1\1\1"),
        CASE("ids beyond 2^64", "\x95\1\x92\1\xcf\xff\xff\xff\xff\xff\xff\xff"
                                "\xff\1\1\1"),
        CASE("version 2", "\x95\2\x91\1\1\1\1"),
        CASE("four elements", "\x94\1\x91\1\1\1\1"),
#undef CASE
    };
    struct chunk_row got;

    (void)state;
    assert_true(schema_get_chunk((MDB_val){7, "\x95\1\x91\1\1\1\1"}, &got));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const MDB_val row = {cases[i].len, (void *)cases[i].bytes};
        if (schema_get_chunk(row, &got))
            fail_msg("accepted: %s", cases[i].why);
    }
}

static void a_retained_row_comes_back_with_and_without_its_record(void **state)
{
    const struct message m = {
        .seq = 2,
        .at_us = 3,
        .topic = slice_str("t/a"),
        .payload = slice_str("on"),
    };
    struct buffer b = BUFFER_INIT;
    struct record copy;
    struct slice topic;
    uint64_t id;
    bool has_copy;

    (void)state;
    schema_put_retained(&b, slice_str("t/a"), 9, NULL);
    assert_true(schema_get_retained(key, (MDB_val){b.len, b.data}, &topic, &id,
                                    &has_copy, &copy));
    assert_true(slice_eq(topic, slice_str("t/a")));
    assert_int_equal(id, 9);
    assert_false(has_copy);

    buffer_clear(&b);
    schema_put_retained(&b, slice_str("t/a"), 9, &m);
    assert_true(schema_get_retained(key, (MDB_val){b.len, b.data}, &topic, &id,
                                    &has_copy, &copy));
    assert_true(has_copy);
    assert_int_equal(copy.m.id, 9);
    assert_int_equal(copy.m.seq, 2);
    assert_true(slice_eq(copy.m.payload, slice_str("on")));
    buffer_release(&b);
}

static void tokens_usage_trims_and_numbers_come_back(void **state)
{
    const struct token_row token = {.token = slice_str("t/a"),
                                    .plan = slice_str("free"),
                                    .created_us = 1,
                                    .revoked_us = INT64_MAX,
                                    .implied = true};
    const struct usage_row usage = {1, 2, 3, 4, 5, UINT64_MAX, 8, 9, 10};
    struct buffer b = BUFFER_INIT;
    struct token_row got_token;
    struct usage_row got_usage;
    struct slice topic;
    uint64_t number;

    (void)state;
    schema_put_token(&b, &token);
    assert_true(schema_get_token(key, (MDB_val){b.len, b.data}, &got_token));
    assert_true(slice_eq(got_token.token, token.token));
    assert_true(slice_eq(got_token.plan, token.plan));
    assert_true(got_token.created_us == 1);
    assert_true(got_token.revoked_us == INT64_MAX && got_token.implied);
    buffer_clear(&b);
    schema_put_usage(&b, &usage);
    assert_true(schema_get_usage((MDB_val){b.len, b.data}, &got_usage));
    assert_memory_equal(&got_usage, &usage, sizeof(usage));
    buffer_clear(&b);
    schema_put_trim(&b, name_of(5000));
    assert_true(schema_get_trim((MDB_val){b.len, b.data}, &topic));
    assert_true(slice_eq(topic, name_of(5000)));
    buffer_clear(&b);
    schema_put_number(&b, UINT64_MAX);
    assert_true(schema_get_number((MDB_val){b.len, b.data}, &number));
    assert_true(number == UINT64_MAX);
    buffer_release(&b);
}

/* Any of the decoders, so that rows can be tried alike. */
static bool decodes(unsigned kind, MDB_val v)
{
    struct thing_state thing;
    struct chunk_row chunk;
    struct record record;
    struct token_row token;
    struct usage_row usage;
    struct slice topic;
    uint64_t number;
    bool has_copy;

    switch (kind) {
    case 0: return schema_get_thing(key, v, &thing);
    case 1: return schema_get_chunk(v, &chunk);
    case 2:
        return schema_get_retained(key, v, &topic, &number, &has_copy,
                                   &record);
    case 3: return schema_get_token(key, v, &token);
    case 4: return schema_get_usage(v, &usage);
    case 5: return schema_get_trim(v, &topic);
    default: return schema_get_number(v, &number);
    }
}

static void encode_any(unsigned kind, struct buffer *b)
{
    const struct message m = {.topic = slice_str("t"), .payload = {"x", 1}};
    const struct token_row token = {.plan = slice_str("free")};
    const struct usage_row usage = {1, 2, 3, 4, 5, 6, 7, 8, 9};

    buffer_clear(b);
    switch (kind) {
    case 0: schema_put_thing(b, &a_thing); break;
    case 1: schema_put_chunk(b, &a_thing.open); break;
    case 2: schema_put_retained(b, slice_str("t"), 1, &m); break;
    case 3: schema_put_token(b, &token); break;
    case 4: schema_put_usage(b, &usage); break;
    case 5: schema_put_trim(b, slice_str("t")); break;
    default: schema_put_number(b, 1000); break;
    }
}

static void rows_cut_off_anywhere_are_refused(void **state)
{
    struct buffer b = BUFFER_INIT;

    (void)state;
    for (unsigned kind = 0; kind <= 6; kind++) {
        encode_any(kind, &b);
        assert_true(decodes(kind, (MDB_val){b.len, b.data}));
        for (size_t len = 0; len < b.len; len++) {
            char *copy = malloc(len + (len == 0)); /* no byte to read beyond */
            assert_non_null(copy);
            memcpy(copy, b.data, len);
            assert_false(decodes(kind, (MDB_val){len, copy}));
            free(copy);
        }
    }
    buffer_release(&b);
}

static void longer_rows_of_a_later_version_are_read(void **state)
{
    struct buffer b = BUFFER_INIT;

    (void)state;
    for (unsigned kind = 0; kind <= 6; kind++) {
        encode_any(kind, &b);
        assert_int_equal((unsigned char)b.data[0] & 0xf0, 0x90);
        const unsigned elements = (unsigned char)b.data[0] & 0xf;
        const char head[] = {(char)0xdc, 0, (char)(elements + 1)};
        struct buffer longer = BUFFER_INIT;
        buffer_put(&longer, head, sizeof(head)); /* an array 16 */
        buffer_put(&longer, b.data + 1, b.len - 1);
        buffer_put(&longer, "\xc0", 1);
        assert_true(decodes(kind, (MDB_val){longer.len, longer.data}));
        longer.data[3] = 2; /* but another version is another row */
        assert_false(decodes(kind, (MDB_val){longer.len, longer.data}));
        buffer_release(&longer);
    }
    buffer_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_up_to_400_bytes_are_their_own_key),
        cmocka_unit_test(longer_names_have_keys_of_their_own),
        cmocka_unit_test(chunk_keys_sort_by_id_and_fit),
        cmocka_unit_test(a_thing_comes_back_as_it_was),
        cmocka_unit_test(an_emptied_thing_keeps_what_counts_on),
        cmocka_unit_test(things_that_contradict_themselves_are_refused),
        cmocka_unit_test(a_full_chunk_comes_back_and_stays_small),
        cmocka_unit_test(malformed_chunks_are_refused),
        cmocka_unit_test(
            a_retained_row_comes_back_with_and_without_its_record),
        cmocka_unit_test(tokens_usage_trims_and_numbers_come_back),
        cmocka_unit_test(rows_cut_off_anywhere_are_refused),
        cmocka_unit_test(longer_rows_of_a_later_version_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
