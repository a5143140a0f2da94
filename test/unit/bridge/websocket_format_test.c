/* The WebSocket format both ways: events as frames, and clients' frames as
 * messages. */
#include "bridge/stream/format/websocket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bridge/stream/format/deflate.h"
#include "bridge/stream/format/websocket_input.h"

#define AT INT64_C(1795242737123456) /* 2026-11-21T06:32:17.123456Z */
#define JSON                                                                  \
    "{\"thing\":\"a\",\"token\":\"tok\",\"chat\":{\"n\":1},"                  \
    "\"createdAt\":\"2026-11-21T06:32:17.123Z\",\"id\":7}"

static void check(struct buffer *b, const char *expected, size_t len)
{
    assert_true(buffer_ok(b));
    assert_int_equal(b->len, len);
    assert_memory_equal(b->data, expected, len);
    buffer_release(b);
}
#define CHECK(b, literal) check(b, literal, sizeof(literal) - 1)

static struct stream_message message(const char *payload)
{
    return (struct stream_message){
        .token = slice_str("tok"),
        .thing = slice_str("a"),
        .payload = slice_str(payload),
        .payload_class = PAYLOAD_JSON,
        .id = 7,
        .at_us = AT,
    };
}

static void an_event_is_a_text_frame(void **state)
{
    const struct stream_message m = message("{\"n\":1}");
    const struct stream_greeting quiet = {0}, greeting = {3000, 0};
    struct buffer b = BUFFER_INIT;

    (void)state;
    websocket.message(&b, &m);
    CHECK(&b, "\x81\x58" JSON);
    websocket.start(&b, NULL, &greeting);
    CHECK(&b, "\x81\x2c{\"status\":{\"type\":\"connected\",\"retry\":3000}}");
    websocket.start(&b, NULL, &quiet);
    CHECK(&b, "\x81\x1f{\"status\":{\"type\":\"connected\"}}");
    websocket.gap(&b, NULL, 1, 2, 0);
    CHECK(&b, "\x81\x19{\"gap\":{\"from\":1,\"to\":2}}");
    websocket.ping(&b, NULL);
    CHECK(&b, "\x89\x00");
    websocket.bye(&b, NULL, STREAM_END_REVOKED);
    CHECK(&b, "\x88\x17\x03\xf0the token was deleted");
    websocket.bye(&b, NULL, STREAM_END_CLIENT); /* it was answered already */
    CHECK(&b, "");
}

static void long_frames_have_long_lengths(void **state)
{
    static char text[70001];
    struct buffer b = BUFFER_INIT;

    (void)state;
    memset(text, ' ', sizeof(text) - 1);
    websocket.text(&b, NULL, slice_of(text, 300));
    assert_memory_equal(b.data, "\x81\x7e\x01\x2c ", 5);
    buffer_clear(&b);
    websocket.text(&b, NULL, slice_of(text, 70000));
    assert_memory_equal(b.data, "\x81\x7f\0\0\0\0\0\x01\x11\x70 ", 11);
    buffer_release(&b);
}

static void what_is_deflated_inflates_again(void **state)
{
    static char payload[5000];
    struct buffer plain = BUFFER_INIT, packed = BUFFER_INIT,
                  again = BUFFER_INIT;

    (void)state;
    payload[0] = '"';
    memset(payload + 1, 'x', sizeof(payload) - 3);
    payload[sizeof(payload) - 2] = '"';
    const struct stream_message m = message(payload);
    websocket.message(&plain, &m);
    websocket_deflate.message(&packed, &m);
    assert_int_equal((unsigned char)packed.data[0], 0x80 | 0x40 | 1);
    assert_true(packed.len < 200);
    const size_t head = packed.data[1] == 126 ? 4 : 2;
    assert_int_equal(
        inflate_message(&again,
                        slice_of(packed.data + head, packed.len - head), 6000),
        INFLATE_OK);
    assert_int_equal(again.len, plain.len - 4);
    assert_memory_equal(again.data, plain.data + 4, again.len);
    buffer_clear(&again);
    assert_int_equal(
        inflate_message(&again,
                        slice_of(packed.data + head, packed.len - head), 5000),
        INFLATE_TOO_BIG);
    assert_true(again.len <= 5001);
    buffer_release(&plain);
    buffer_release(&packed);
    buffer_release(&again);
}

static void offers_that_can_be_shared_are_taken(void **state)
{
    static const char *const taken[] = {
        "permessage-deflate",
        "x-other, permessage-deflate; client_max_window_bits",
        "permessage-deflate; server_max_window_bits=10, permessage-deflate",
        ("Permessage-Deflate;server_no_context_takeover ; "
         "client_max_window_bits=\"15\""),
    };
    static const char *const declined[] = {
        "",
        "x-other",
        "permessage-deflate; server_max_window_bits=15",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; client_max_window_bits=16",
        "permessage-deflate; client_no_context_takeover=1",
        ("permessage-deflate; client_no_context_takeover; "
         "client_no_context_takeover"),
        "permessage-deflate; what",
        "permessage-deflated",
        ",;=",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
        assert_true(deflate_offered(slice_str(taken[i])));
    for (size_t i = 0; i < sizeof(declined) / sizeof(declined[0]); i++)
        assert_false(deflate_offered(slice_str(declined[i])));
}

/* ---- what clients send ----------------------------------------------------- */

static size_t add(char *to, size_t at, unsigned first, const char *text,
                  size_t len)
{
    static const char mask[4] = {0x37, 0x7a, 0x21, 0x3d};

    assert_true(len < 126);
    to[at++] = (char)first;
    to[at++] = (char)(0x80 | len);
    memcpy(to + at, mask, 4);
    at += 4;
    for (size_t i = 0; i < len; i++)
        to[at++] = (char)(text[i] ^ mask[i % 4]);
    return at;
}

/* What came out, one letter for each event. */
struct heard {
    char events[32];
    size_t count;
    char message[64]; /* the last one */
    struct buffer reply;
    enum stream_end why;
};

static void feed(struct websocket_input *in, const char *bytes, size_t len,
                 struct heard *h)
{
    static const char letters[] = "-mre";
    struct slice message;
    enum stream_input_event event;

    websocket_input_feed(in, slice_of(bytes, len));
    while ((event = websocket_input_next(in, &message, &h->reply, &h->why)) !=
           STREAM_INPUT_MORE) {
        h->events[h->count++] = letters[event];
        if (event == STREAM_INPUT_MESSAGE)
            snprintf(h->message, sizeof(h->message), "%.*s", (int)message.len,
                     (const char *)message.data);
        if (event == STREAM_INPUT_END)
            break;
    }
}

static void messages_do_not_depend_on_where_the_network_cuts(void **state)
{
    char bytes[256];
    size_t len = 0;

    (void)state;
    len = add(bytes, len, 0x81, "one", 3);
    len = add(bytes, len, 0x01, "tw", 2);
    len = add(bytes, len, 0x89, "?", 1);
    len = add(bytes, len, 0x00, "", 0);
    len = add(bytes, len, 0x80, "o", 1);
    len = add(bytes, len, 0x8a, "pong", 4);
    len = add(bytes, len, 0x81, "", 0);
    for (size_t step = 1; step <= len; step++) {
        struct websocket_input *in = websocket_input_new(100, false);
        struct heard h = {0};
        for (size_t at = 0; at < len; at += step)
            feed(in, bytes + at, len - at < step ? len - at : step, &h);
        assert_string_equal(h.events, "mrmm");
        assert_string_equal(h.message, "");
        CHECK(&h.reply, "\x8a\x01?");
        assert_true(websocket_input_is_idle(in));
        assert_int_equal(websocket_input_held(in), 0);
        websocket_input_free(in);
    }
}

/* Whoever keeps a reader only while it is not idle loses nothing. */
static void a_reader_is_idle_between_messages_only(void **state)
{
    char bytes[64];
    const size_t one = add(bytes, 0, 0x81, "abc", 3);
    const size_t len = add(bytes, one, 0x88, "\x0f\xa1", 2);

    (void)state;
    struct websocket_input *in = websocket_input_new(100, false);
    struct heard h = {0};
    for (size_t i = 0; i < len; i++) {
        feed(in, bytes + i, 1, &h);
        assert_int_equal(websocket_input_is_idle(in),
                         i + 1 == one || i + 1 == len);
    }
    assert_string_equal(h.events, "me");
    assert_int_equal(h.why, STREAM_END_CLIENT);
    CHECK(&h.reply, "\x88\x02\x0f\xa1");
    websocket_input_free(in);
}

static void ends_as(const char *bytes, size_t len, bool deflate,
                    enum stream_end why)
{
    struct websocket_input *in = websocket_input_new(10, deflate);
    struct heard h = {0};

    feed(in, bytes, len, &h);
    assert_int_equal(h.events[h.count - 1], 'e');
    assert_int_equal(h.why, why);
    assert_int_equal(h.reply.len, 0);
    buffer_release(&h.reply);
    websocket_input_free(in);
}

static void what_breaks_a_rule_ends_it(void **state)
{
    static const struct {
        unsigned first;
        const char *text;
        enum stream_end why;
    } cases[] = {
        {0x82, "x", STREAM_END_BINARY},
        {0x80, "x", STREAM_END_BROKEN},
        {0x83, "x", STREAM_END_BROKEN},
        {0x09, "x", STREAM_END_BROKEN}, /* a ping in parts */
        {0xc1, "x", STREAM_END_BROKEN}, /* compressed: not agreed on */
        {0xa1, "x", STREAM_END_BROKEN},
        {0x88, "x", STREAM_END_BROKEN},
        {0x88, "\x03\xed", STREAM_END_BROKEN}, /* 1005 */
        {0x88, "\x03\xe8\xff", STREAM_END_BROKEN},
        {0x81, "\xff", STREAM_END_BAD_DATA},
        {0x81, "12345678901", STREAM_END_TOO_BIG},
    };
    char bytes[64];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        ends_as(bytes,
                add(bytes, 0, cases[i].first, cases[i].text,
                    strlen(cases[i].text)),
                false, cases[i].why);
    ends_as("\x81\x01x", 3, false, STREAM_END_BROKEN); /* not masked */
    size_t len = add(bytes, 0, 0x01, "123456", 6);
    ends_as(bytes, add(bytes, len, 0x80, "78901", 5), false,
            STREAM_END_TOO_BIG);
    ends_as(bytes, add(bytes, 0, 0xc1, "\xff\xff", 2), true,
            STREAM_END_BAD_DATA);
}

/* Nothing of a message stays, even where the next frame has begun. */
static void a_message_that_was_given_is_not_held(void **state)
{
    char bytes[64];
    const size_t one = add(bytes, 0, 0x81, "abc", 3);
    const size_t len = add(bytes, one, 0x81, "defgh", 5);

    (void)state;
    struct websocket_input *in = websocket_input_new(100, false);
    struct heard h = {0};
    feed(in, bytes, one - 1, &h);
    assert_true(websocket_input_held(in) > 0);
    assert_int_equal(websocket_input_wanted(in), 1);
    feed(in, bytes + one - 1, 2, &h);
    assert_string_equal(h.events, "m");
    assert_int_equal(websocket_input_held(in), 0);
    assert_int_equal(websocket_input_wanted(in), 0);
    feed(in, bytes + one + 1, len - one - 1, &h);
    assert_string_equal(h.message, "defgh");
    websocket_input_free(in);
}

static void binary_messages_are_given_where_they_are_allowed(void **state)
{
    struct websocket_input *in = websocket_input_new(10, false);
    enum stream_end why;
    struct slice message;
    char bytes[64];
    size_t len = add(bytes, 0, 0x02, "\xff", 1);

    (void)state;
    len = add(bytes, len, 0x80, "\xfe", 1);
    len = add(bytes, len, 0x81, "abc", 3);
    len = add(bytes, len, 0x81, "\xff", 1);
    websocket_input_allow_binary(in);
    websocket_input_feed(in, slice_of(bytes, len));
    assert_int_equal(websocket_input_next(in, &message, NULL, &why),
                     STREAM_INPUT_MESSAGE);
    assert_true(websocket_input_is_binary(in));
    assert_true(slice_eq(message, slice_str("\xff\xfe")));
    assert_int_equal(websocket_input_next(in, &message, NULL, &why),
                     STREAM_INPUT_MESSAGE);
    assert_false(websocket_input_is_binary(in));
    assert_int_equal(websocket_input_next(in, &message, NULL, &why),
                     STREAM_INPUT_END); /* text is UTF-8 as before */
    assert_int_equal(why, STREAM_END_BAD_DATA);
    websocket_input_free(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_a_text_frame),
        cmocka_unit_test(long_frames_have_long_lengths),
        cmocka_unit_test(what_is_deflated_inflates_again),
        cmocka_unit_test(offers_that_can_be_shared_are_taken),
        cmocka_unit_test(messages_do_not_depend_on_where_the_network_cuts),
        cmocka_unit_test(a_reader_is_idle_between_messages_only),
        cmocka_unit_test(a_message_that_was_given_is_not_held),
        cmocka_unit_test(what_breaks_a_rule_ends_it),
        cmocka_unit_test(binary_messages_are_given_where_they_are_allowed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
