#include "bridge/link/link_bundle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/msgpack/unpack.h"

static void only_ordinary_messages_share(void **state)
{
    static const char large[LINK_BUNDLE_PAYLOAD_MAX + 1];
    struct link_request q = {.topic = slice_str("tok/a/b"),
                             .payload = slice_of(large, sizeof(large) - 1)};
    (void)state;

    assert_true(link_bundle_takes(&q));
    q.idempotency = slice_str("k\xc3\xa4y");
    assert_true(link_bundle_takes(&q));
    q.idempotency = slice_str("a\tb");
    assert_false(link_bundle_takes(&q));
    q.idempotency = slice_of(NULL, 0);
    q.payload = slice_of(large, sizeof(large));
    assert_false(link_bundle_takes(&q));
    q.payload = slice_of(NULL, 0);
    q.topic = slice_str("$confab/ping");
    assert_false(link_bundle_takes(&q));
    q.topic = slice_of("tok/a\0b", 7);
    assert_false(link_bundle_takes(&q));
    q.topic = slice_str("tok/+");
    assert_false(link_bundle_takes(&q));
}

static void a_body_says_all_there_is_to_say(void **state)
{
    struct link_request one = {.topic = slice_str("tok/a"),
                               .payload = slice_of("a\0b", 3),
                               .idempotency = slice_str("key"),
                               .window_start_us = INT64_C(1764000000000000),
                               .retain = true,
                               .is_json = true,
                               .operation = 0x1f};
    struct link_request two = {.topic = slice_str("tok/b"), .operation = 0x20};
    struct link_request three = {.topic = slice_str("tok/c"),
                                 .sender = slice_str("ann"),
                                 .operation = 0x21};
    struct link_request *all[] = {&one, &two, &three};
    struct buffer b = BUFFER_INIT;
    (void)state;

    buffer_put_str(&b, "what was before");
    assert_true(link_bundle_write(&b, "0123456789abcdef", all, 3));
    struct unpack u = unpack_of(b.data, b.len);
    assert_int_equal(unpack_array(&u), 3);
    assert_int_equal(unpack_array(&u), APPEND_FIELDS);
    assert_true(slice_eq(unpack_str(&u), slice_str("0123456789abcdef-1f")));
    assert_true(slice_eq(unpack_str(&u), one.topic));
    assert_true(slice_eq(unpack_bin(&u), one.payload));
    assert_int_equal(unpack_uint(&u), APPEND_RETAIN | APPEND_JSON);
    assert_true(unpack_uint(&u) == (uint64_t)one.window_start_us);
    assert_true(slice_eq(unpack_str(&u), one.idempotency));
    assert_int_equal(unpack_array(&u), APPEND_FIELDS);
    assert_true(slice_eq(unpack_str(&u), slice_str("0123456789abcdef-20")));
    assert_true(slice_eq(unpack_str(&u), two.topic));
    assert_int_equal(unpack_bin(&u).len, 0);
    assert_int_equal(unpack_uint(&u), 0);
    assert_int_equal(unpack_uint(&u), 0);
    assert_int_equal(unpack_str(&u).len, 0);
    /* of a user: the sender, too */
    assert_int_equal(unpack_array(&u), APPEND_FIELDS + 1);
    assert_true(slice_eq(unpack_str(&u), slice_str("0123456789abcdef-21")));
    assert_true(slice_eq(unpack_str(&u), three.topic));
    assert_int_equal(unpack_bin(&u).len, 0);
    assert_int_equal(unpack_uint(&u), 0);
    assert_int_equal(unpack_uint(&u), 0);
    assert_int_equal(unpack_str(&u).len, 0);
    assert_true(slice_eq(unpack_str(&u), three.sender));
    assert_false(u.failed);
    assert_ptr_equal(u.at, u.end);
    buffer_release(&b);
}

static struct link_request requests[LINK_BUNDLE_MAX];
static struct link_request *places[LINK_BUNDLE_MAX];

/* Reads an answer with that result; the first `count` places are taken. */
static void read(int status, const char *reason, const char *result,
                 size_t count)
{
    struct link_request whole = {.status = status,
                                 .result = (char *)(uintptr_t)result,
                                 .result_len =
                                     result == NULL ? 0 : strlen(result)};

    memcpy(whole.reason, reason, strlen(reason) + 1);
    memset(requests, 0xee, sizeof(requests)); /* nothing is left as it was */
    for (size_t i = 0; i < LINK_BUNDLE_MAX; i++)
        places[i] = i < count ? &requests[i] : NULL;
    link_bundle_read(&whole, places);
}

static void everyone_gets_its_own_answer(void **state)
{
    (void)state;
    read(200, "",
         "[[200,17,3,1764000000000001,99,0,1,\"\"],"
         "[429,0,0,0,0,1800,0,\"over the hourly limit, [wait]\"],"
         "[200,18446744073709551615,1,2,null,0,0,\"\"]]",
         3);
    assert_int_equal(requests[0].outcome, LINK_ANSWERED);
    assert_int_equal(requests[0].status, 200);
    assert_int_equal(requests[0].id, 17);
    assert_int_equal(requests[0].seq, 3);
    assert_int_equal(requests[0].at_us, INT64_C(1764000000000001));
    assert_int_equal(requests[0].remaining, 99);
    assert_true(requests[0].repeated);
    assert_null(requests[0].result);
    assert_int_equal(requests[1].status, 429);
    assert_int_equal(requests[1].retry_after_s, 1800);
    assert_int_equal(requests[1].remaining, 0);
    assert_false(requests[1].repeated);
    assert_string_equal(requests[1].reason, "over the hourly limit, [wait]");
    assert_true(requests[2].id == UINT64_MAX);
    assert_true(requests[2].remaining == UINT64_MAX);
}

static void who_has_left_is_passed_over(void **state)
{
    struct link_request whole = {
        .status = 200,
        .result = (char[]){"[[200,1,1,1,0,0,0,\"\"],[200,2,2,2,0,0,0,\"\"]]"}};
    (void)state;

    whole.result_len = strlen(whole.result);
    memset(places, 0, sizeof(places));
    places[1] = &requests[1];
    link_bundle_read(&whole, places);
    assert_int_equal(requests[1].id, 2);
}

static void a_refusal_of_all_is_everyones(void **state)
{
    (void)state;
    read(503, "try later", NULL, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(requests[i].outcome, LINK_ANSWERED);
        assert_int_equal(requests[i].status, 503);
        assert_string_equal(requests[i].reason, "try later");
        assert_int_equal(requests[i].id, 0);
        assert_null(requests[i].result);
    }
}

/* Never taken for stored. */
static void nonsense_is_an_error(void **state)
{
    static const char *const results[] = {
        NULL,
        "",
        "{}",
        "[",
        "[[]]",
        "[200]",
        "[[200,1,1,1,null,0,0]]",
        "[[200,1,1,1,null,0,0,\"\"",
        "[[99,1,1,1,null,0,0,\"\"]]",
        "[[600,1,1,1,null,0,0,\"\"]]",
        "[[200,-1,1,1,null,0,0,\"\"]]",
        "[[200,18446744073709551616,1,1,null,0,0,\"\"]]",
        "[[200,1,1,9223372036854775808,null,0,0,\"\"]]",
        "[[200,1,1,1,nil,0,0,\"\"]]",
        "[[200,1,1,1,null,4294967296,0,\"\"]]",
        "[[200,1,1,1,null,0,0,x]]",
    };
    (void)state;

    for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
        read(200, "", results[i], 1);
        if (requests[0].status != 500)
            fail_msg("%s: %d", results[i], requests[0].status);
        assert_true(requests[0].reason[0] != 0);
        assert_int_equal(requests[0].id, 0);
    }
    /* and there may be fewer answers than messages */
    read(200, "", "[[200,1,1,1,null,0,0,\"\"]]", 2);
    assert_int_equal(requests[0].status, 200);
    assert_int_equal(requests[1].status, 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_ordinary_messages_share),
        cmocka_unit_test(a_body_says_all_there_is_to_say),
        cmocka_unit_test(everyone_gets_its_own_answer),
        cmocka_unit_test(who_has_left_is_passed_over),
        cmocka_unit_test(a_refusal_of_all_is_everyones),
        cmocka_unit_test(nonsense_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
