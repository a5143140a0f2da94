#include <msgpack.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/format/checksum.h"
#include "store/format/schema.h"

static void assert_slice(struct slice got, struct slice expected)
{
    assert_int_equal(got.data == NULL, expected.data == NULL);
    assert_int_equal(got.len, expected.len);
    if (got.len > 0)
        assert_memory_equal(got.data, expected.data, got.len);
}

/* In memory of exactly its size, so that a sanitizer sees one byte too far. */
static bool decode(const void *data, size_t len, struct record *ret)
{
    static char *copy; /* of the last call: *ret points into it */

    free(copy);
    copy = malloc(len == 0 ? 1 : len);
    assert_non_null(copy);
    memcpy(copy, data, len);
    return schema_get_record((MDB_val){len, copy}, 7, ret);
}

static const struct message plain = {
    .payload_class = PAYLOAD_JSON,
    .seq = 3,
    .at_us = INT64_C(1795242737123456),
    .topic = {"tok/thing", 9},
    .payload = {"{\"t\":1}", 7},
};

static const struct message full = {
    .kind = MESSAGE_EDIT,
    .payload_class = PAYLOAD_TEXT,
    .qos = 2,
    .retain = true,
    .has_expiry = true,
    .expiry_s = UINT32_MAX,
    .has_payload_format = true,
    .payload_format = 1,
    .publisher = UINT64_MAX,
    .seq = UINT64_MAX,
    .at_us = INT64_MAX,
    .topic = {"a/b", 3},
    .payload = {"x\0y", 3},
    .content_type = {"text/plain", 10},
    .response_topic = {"r", 1},
    .correlation = {"\0\xff", 2},
    .sender = {"ann", 3},
    .user_properties = {"\x26\0\1a\0\1b", 7},
};

static void assert_same(const struct record *got, const struct message *m)
{
    assert_int_equal(got->m.id, 7);
    assert_int_equal(got->m.kind, m->kind);
    assert_int_equal(got->m.payload_class, m->payload_class);
    assert_int_equal(got->m.qos, m->qos);
    assert_int_equal(got->m.retain, m->retain);
    assert_int_equal(got->m.has_expiry, m->has_expiry);
    assert_int_equal(got->m.expiry_s, m->expiry_s);
    assert_int_equal(got->m.has_payload_format, m->has_payload_format);
    assert_int_equal(got->m.payload_format, m->payload_format);
    assert_true(got->m.publisher == m->publisher);
    assert_true(got->m.seq == m->seq);
    assert_true(got->m.at_us == m->at_us);
    assert_slice(got->m.topic, m->topic);
    assert_int_equal(got->m.payload.len, m->payload.len);
    if (m->payload.len > 0)
        assert_memory_equal(got->m.payload.data, m->payload.data,
                            m->payload.len);
    assert_slice(got->m.content_type, m->content_type);
    assert_slice(got->m.response_topic, m->response_topic);
    assert_slice(got->m.correlation, m->correlation);
    assert_slice(got->m.user_properties, m->user_properties);
    assert_slice(got->m.sender, m->sender);
}

static void assert_round_trip(const struct message *m)
{
    struct buffer b = BUFFER_INIT;
    struct record got;

    schema_put_record(&b, m);
    assert_true(buffer_ok(&b));
    assert_true(decode(b.data, b.len, &got));
    assert_same(&got, m);
    buffer_release(&b);
}

static void a_record_comes_back_as_it_was(void **state)
{
    (void)state;
    assert_round_trip(&plain);
    assert_round_trip(&full);
}

static void every_set_of_optional_fields_comes_back(void **state)
{
    (void)state;
    for (unsigned set = 0; set < 128; set++) {
        struct message m = plain;
        if (set & 1)
            m.has_expiry = true, m.expiry_s = 60;
        if (set & 2)
            m.has_payload_format = true;
        if (set & 4)
            m.content_type = full.content_type;
        if (set & 8)
            m.response_topic = full.response_topic;
        if (set & 16)
            m.correlation = full.correlation;
        if (set & 32)
            m.user_properties = full.user_properties;
        if (set & 64)
            m.sender = full.sender;
        assert_round_trip(&m);
    }
}

static void sent_empty_is_not_the_same_as_not_sent(void **state)
{
    struct message m = plain;

    (void)state;
    m.payload = slice_of(NULL, 0);
    m.content_type = slice_of("", 0);
    m.correlation = slice_of("", 0);
    assert_round_trip(&m);
}

static void lengths_around_the_msgpack_limits_come_back(void **state)
{
    static const size_t lengths[] = {0,   1,   31,    32,    255,
                                     256, 400, 65535, 65536, 1 << 20};
    static char bytes[1 << 20];
    struct message m = plain;

    (void)state;
    memset(bytes, 'x', sizeof(bytes));
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        m.payload = slice_of(bytes, lengths[i]);
        if (lengths[i] > 0 && lengths[i] < 65536)
            m.topic = m.content_type = m.correlation = m.payload;
        assert_round_trip(&m);
    }
}

static void a_plain_record_costs_little_more_than_its_bytes(void **state)
{
    struct buffer b = BUFFER_INIT;

    (void)state;
    schema_put_record(&b, &plain);
    assert_true(b.len <= plain.topic.len + plain.payload.len + 24);
    buffer_release(&b);
}

/* What earlier versions of Confab wrote: no checksum. */
static void a_record_of_version_1_is_read(void **state)
{
    struct buffer b = BUFFER_INIT;
    struct record got;

    (void)state;
    schema_put_record(&b, &plain);
    b.len -= CHECKSUM_BYTES;
    assert_int_equal(b.data[1], 2);
    b.data[1] = 1;
    assert_true(decode(b.data, b.len, &got));
    assert_same(&got, &plain);
    buffer_release(&b);
}

static void a_record_cut_off_anywhere_is_refused(void **state)
{
    struct buffer b = BUFFER_INIT;
    struct record got;

    (void)state;
    schema_put_record(&b, &full);
    for (size_t len = 0; len < b.len; len++)
        assert_false(decode(b.data, len, &got));
    buffer_release(&b);
}

static void a_longer_record_of_a_later_version_of_confab_is_read(void **state)
{
    struct buffer b = BUFFER_INIT;
    struct record got;

    (void)state;
    schema_put_record(&b, &full);
    assert_int_equal((unsigned char)b.data[0], 0xdc); /* array 16 */
    assert_int_equal(b.data[2], 16);
    b.data[2] = 17;
    b.len -= CHECKSUM_BYTES;
    buffer_put(&b, "\xc3", 1); /* true */
    checksum_put(&b, 0);
    assert_true(decode(b.data, b.len, &got));
    assert_same(&got, &full);
    buffer_release(&b);
}

static void malformed_records_are_refused(void **state)
{
    static const struct {
        const char *why;
        const char *bytes;
        size_t len;
    } cases[] = {
#define CASE(why, bytes) {why, bytes, sizeof(bytes) - 1}
        /*                 v   kind topic seq at cls flg pub payload */
        CASE("no array", "\xc0"),
        CASE("a map", "\x89\1\0\xa1t\1\1\1\0\0\xc4\0"),
        CASE("too short", "\x98\1\0\xa1t\1\1\1\0\0\xc4\0"),
        CASE("version 3", "\x99\3\0\xa1t\1\1\1\0\0\xc4\0"),
        CASE("no checksum", "\x99\2\0\xa1t\1\1\1\0\0\xc4\0"),
        CASE("version 0", "\x99\0\0\xa1t\1\1\1\0\0\xc4\0"),
        CASE("kind above 255", "\x99\1\xcd\1\0\xa1t\1\1\1\0\0\xc4\0"),
        CASE("topic empty", "\x99\1\0\xa0\1\1\1\0\0\xc4\0"),
        CASE("topic binary", "\x99\1\0\xc4\1t\1\1\1\0\0\xc4\0"),
        CASE("seq negative", "\x99\1\0\xa1t\xff\1\1\0\0\xc4\0"),
        CASE("seq a float", "\x99\1\0\xa1t\xca\0\0\0\0\1\1\0\0\xc4\0"),
        CASE(
            "time above 2^63",
            "\x99\1\0\xa1t\1\xcf\xff\xff\xff\xff\xff\xff\xff\xff\1\0\0\xc4\0"),
        CASE("class 3", "\x99\1\0\xa1t\1\1\3\0\0\xc4\0"),
        CASE("QoS 3", "\x99\1\0\xa1t\1\1\1\3\0\xc4\0"),
        CASE("unknown flag", "\x99\1\0\xa1t\1\1\1\x08\0\xc4\0"),
        CASE("payload a string", "\x99\1\0\xa1t\1\1\1\0\0\xa0"),
        CASE("payload nil", "\x99\1\0\xa1t\1\1\1\0\0\xc0"),
        CASE("payload too long",
             "\x99\1\0\xa1t\1\1\1\0\0\xc6\xff\xff\xff\xff"),
        CASE("expiry too large", "\x9b\1\0\xa1t\1\1\1\0\0\xc4\0\xc0"
                                 "\xcf\0\0\0\1\0\0\0\0"),
        CASE("four billion elements", "\xdd\xff\xff\xff\xff\1\0\xa1t"),
#undef CASE
    };
    struct record got;

    (void)state;
    /* The cases differ from this one by what they say only. */
    assert_true(decode("\x99\1\0\xa1t\1\1\1\0\0\xc4\0", 12, &got));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (decode(cases[i].bytes, cases[i].len, &got))
            fail_msg("accepted: %s", cases[i].why);
    }
}

static void any_changed_byte_is_found(void **state)
{
    struct buffer b = BUFFER_INIT;
    struct record got;

    (void)state;
    schema_put_record(&b, &full);
    for (size_t at = 0; at < b.len; at++) {
        const char was = b.data[at];
        for (int value = 0; value < 256; value++) {
            b.data[at] = (char)value;
            if (value != (unsigned char)was)
                assert_false(decode(b.data, b.len, &got));
        }
        b.data[at] = was;
    }
    buffer_release(&b);
}

/* Ours and msgpack-c's reading of the same bytes. */
static void other_msgpack_readers_understand_records(void **state)
{
    struct buffer b = BUFFER_INIT;
    msgpack_unpacked u;
    size_t at = 0;

    (void)state;
    schema_put_record(&b, &full);
    msgpack_unpacked_init(&u);
    assert_int_equal(msgpack_unpack_next(&u, b.data, b.len, &at),
                     MSGPACK_UNPACK_SUCCESS);
    assert_int_equal(at, b.len - CHECKSUM_BYTES);
    assert_int_equal(u.data.type, MSGPACK_OBJECT_ARRAY);
    assert_int_equal(u.data.via.array.size, 16);
    const msgpack_object *element = u.data.via.array.ptr;
    assert_int_equal(element[2].type, MSGPACK_OBJECT_STR);
    assert_int_equal(element[2].via.str.size, full.topic.len);
    assert_true(element[3].via.u64 == UINT64_MAX);
    assert_int_equal(element[8].type, MSGPACK_OBJECT_BIN);
    assert_int_equal(element[9].type, MSGPACK_OBJECT_STR);
    assert_int_equal(element[9].via.str.size, full.sender.len);
    msgpack_unpacked_destroy(&u);
    buffer_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_comes_back_as_it_was),
        cmocka_unit_test(every_set_of_optional_fields_comes_back),
        cmocka_unit_test(sent_empty_is_not_the_same_as_not_sent),
        cmocka_unit_test(lengths_around_the_msgpack_limits_come_back),
        cmocka_unit_test(a_plain_record_costs_little_more_than_its_bytes),
        cmocka_unit_test(a_record_of_version_1_is_read),
        cmocka_unit_test(a_record_cut_off_anywhere_is_refused),
        cmocka_unit_test(a_longer_record_of_a_later_version_of_confab_is_read),
        cmocka_unit_test(malformed_records_are_refused),
        cmocka_unit_test(any_changed_byte_is_found),
        cmocka_unit_test(other_msgpack_readers_understand_records),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
