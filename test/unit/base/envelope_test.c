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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_printable_ascii_travels_as_it_is),
        cmocka_unit_test(an_envelope_holds_a_topic_and_a_payload),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
