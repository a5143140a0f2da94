#include "store/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void a_message_is_a_copy_without_number(void **state)
{
    char topic[] = "tok/thing", payload[] = "body";
    const struct message from = {
        .kind = MESSAGE_MESSAGE,
        .payload_class = PAYLOAD_TEXT,
        .qos = 1,
        .retain = true,
        .has_expiry = true,
        .expiry_s = 9,
        .has_payload_format = true,
        .payload_format = 1,
        .publisher = 77,
        .id = 5,
        .seq = 6,
        .at_us = 7,
        .topic = slice_str(topic),
        .payload = slice_str(payload),
        .correlation = slice_of("", 0),
        .user_properties = slice_of("\x26", 1),
    };

    (void)state;
    struct message *m = message_new(&from);
    assert_non_null(m);
    memset(topic, 'x', sizeof(topic));
    memset(payload, 'x', sizeof(payload));
    assert_true(slice_eq(m->topic, slice_str("tok/thing")));
    assert_true(slice_eq(m->payload, slice_str("body")));
    assert_true(slice_eq(m->user_properties, slice_of("\x26", 1)));
    assert_null(m->content_type.data);    /* not sent */
    assert_non_null(m->correlation.data); /* sent empty */
    assert_int_equal(m->correlation.len, 0);
    assert_int_equal(m->qos, 1);
    assert_true(m->retain && m->has_expiry && m->has_payload_format);
    assert_int_equal(m->expiry_s, 9);
    assert_int_equal(m->payload_format, 1);
    assert_int_equal(m->publisher, 77);
    assert_int_equal(m->id, 0);
    assert_int_equal(m->seq, 0);
    assert_int_equal(m->at_us, 0);
    message_unref(m);
}

static void the_last_reference_frees_it(void **state)
{
    const struct message from = {.topic = slice_str("t")};

    (void)state;
    struct message *m = message_new(&from);
    assert_non_null(m);
    assert_ptr_equal(message_ref(m), m);
    message_unref(m);
    assert_true(slice_eq(m->topic, slice_str("t"))); /* for the sanitizer */
    message_unref(m); /* LeakSanitizer says if this did not free it */
    message_unref(NULL);
}

static void payloads_have_the_class_of_their_bytes(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        enum payload_class cls;
    } cases[] = {
#define CASE(bytes, cls) {bytes, sizeof(bytes) - 1, cls}
        CASE("", PAYLOAD_TEXT),
        CASE("{\"t\":1e400}", PAYLOAD_JSON),
        CASE(" [1] ", PAYLOAD_JSON),
        CASE("21.5", PAYLOAD_JSON),
        CASE("null", PAYLOAD_JSON),
        CASE("{\"t\":", PAYLOAD_TEXT),
        CASE("21,5", PAYLOAD_TEXT),
        CASE("Gr\xc3\xbc\xc3\x9f", PAYLOAD_TEXT),
        CASE("\xef\xbb\xbf{}", PAYLOAD_TEXT), /* a BOM is no JSON */
        CASE("a\0b", PAYLOAD_BINARY),
        CASE("\"\xff\"", PAYLOAD_BINARY),
        CASE("\x80", PAYLOAD_BINARY),
#undef CASE
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(payload_classify(
                             slice_of(cases[i].bytes, cases[i].len)),
                         cases[i].cls);
    assert_int_equal(payload_classify(slice_of(NULL, 0)), PAYLOAD_TEXT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_a_copy_without_number),
        cmocka_unit_test(the_last_reference_frees_it),
        cmocka_unit_test(payloads_have_the_class_of_their_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
