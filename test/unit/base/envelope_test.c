#include "base/envelope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/vocabulary.h"

static void only_printable_ascii_travels_as_it_is(void **state)
{
    (void)state;
    assert_false(envelope_needed(slice_str("t/a b~")));
    assert_false(envelope_needed(slice_str("")));
    for (unsigned c = 0; c < 256; c++) {
        const char byte = (char)c;
        assert_int_equal(envelope_needed(slice_of(&byte, 1)),
                         c < 0x20 || c > 0x7e);
    }
}

static void check(struct slice in, bool good, const char *topic,
                  const char *payload)
{
    struct slice t = slice_str(ENVELOPE_TOPIC), p = in;

    assert_int_equal(envelope_open(&t, &p), good);
    assert_true(slice_eq(t, slice_str(topic)));
    assert_true(good ? slice_eq(p, slice_str(payload)) : p.data == in.data);
}

static void an_envelope_holds_a_topic_and_a_payload(void **state)
{
    struct slice t = slice_str("t/a"), p = slice_of("\0\1ab", 4);
    (void)state;

    check(slice_of("\0\3t/\1hello", 10), true, "t/\1", "hello");
    check(slice_of("\0\3t/\1", 5), true, "t/\1", "");
    check(slice_of("\0\4t/\1", 5), false, ENVELOPE_TOPIC, "");
    check(slice_of("\xff\xfft", 3), false, ENVELOPE_TOPIC, "");
    check(slice_of("\0", 1), false, ENVELOPE_TOPIC, "");
    check(slice_of("", 0), false, ENVELOPE_TOPIC, "");
    /* any other topic is what it is */
    assert_true(envelope_open(&t, &p));
    assert_true(slice_eq(t, slice_str("t/a")));
    assert_int_equal(p.len, 4);
}

static void a_stamped_envelope_holds_all_there_is(void **state)
{
    const struct stamped in = {.payload_class = 2,
                               .id = UINT64_MAX,
                               .seq = UINT64_C(0x0102030405060708),
                               .at_us = INT64_C(1795242737123456)};
    uint8_t body[STAMP_SIZE + 10];
    struct stamped out;
    (void)state;

    stamp_write(&in, body);
    assert_int_equal(body[0], 2);
    assert_memory_equal(body + 9, "\1\2\3\4\5\6\7\10", 8);
    memcpy(body + STAMP_SIZE, "\0\3t/\1hello", 10);
    assert_true(stamped_open(slice_of(body, sizeof(body)), &out));
    assert_int_equal(out.payload_class, 2);
    assert_true(out.id == in.id);
    assert_true(out.seq == in.seq);
    assert_true(out.at_us == in.at_us);
    assert_true(slice_eq(out.topic, slice_str("t/\1")));
    assert_true(slice_eq(out.payload, slice_str("hello")));
    /* cut off: inside the payload nobody can tell, before it it is malformed */
    for (size_t len = 0; len < STAMP_SIZE + 5; len++)
        assert_false(stamped_open(slice_of(body, len), &out));
    assert_true(stamped_open(slice_of(body, STAMP_SIZE + 5), &out));
    assert_int_equal(out.payload.len, 0);
    body[17] = 0x80; /* before 1970 */
    assert_false(stamped_open(slice_of(body, sizeof(body)), &out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_printable_ascii_travels_as_it_is),
        cmocka_unit_test(an_envelope_holds_a_topic_and_a_payload),
        cmocka_unit_test(a_stamped_envelope_holds_all_there_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
