#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/net/websocket.h"

static struct websocket *s;

static int setup(void **state)
{
    (void)state;
    s = websocket_new();
    return s == NULL;
}

static int teardown(void **state)
{
    (void)state;
    websocket_free(s);
    return 0;
}

/* A client's frame: first byte, masked payload. Returns its length. */
static size_t frame(uint8_t first, const char *payload, size_t len,
                    uint8_t *out)
{
    static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    size_t n = 0;

    out[n++] = first;
    if (len < 126) {
        out[n++] = (uint8_t)(0x80 | len);
    } else {
        out[n++] = 0x80 | 126;
        out[n++] = (uint8_t)(len >> 8);
        out[n++] = (uint8_t)len;
    }
    memcpy(out + n, mask, 4);
    n += 4;
    for (size_t i = 0; i < len; i++)
        out[n++] = (uint8_t)payload[i] ^ mask[i % 4];
    return n;
}

static size_t add(uint8_t *to, size_t at, uint8_t first, const char *text)
{
    return at + frame(first, text, strlen(text), to + at);
}

static void decodes_to(uint8_t *bytes, size_t len, const char *text)
{
    assert_int_equal(websocket_decode(s, (char *)bytes, len), strlen(text));
    assert_memory_equal(bytes, text, strlen(text));
}

/* What it wants to send with `offered` bytes of payload waiting. */
static void sends(size_t offered, const char *head, size_t head_len,
                  size_t payload)
{
    const uint8_t *bytes;
    size_t there;
    const size_t len = websocket_next(s, offered, &bytes, &there);

    assert_int_equal(len, head_len);
    assert_memory_equal(bytes, head, head_len);
    assert_int_equal(there, payload);
    assert_int_equal(websocket_sent(s, len + there), there);
}

static void refused(uint8_t *bytes, size_t len, const char *close_frame)
{
    assert_int_equal(websocket_decode(s, (char *)bytes, len), -1);
    assert_non_null(websocket_error(s));
    assert_true(websocket_owes(s));
    sends(100, close_frame, 4, 0);
    assert_true(websocket_has_closed(s));
}

#define PROTOCOL_ERROR "\x88\x02\x03\xea"
#define UNSUPPORTED_DATA "\x88\x02\x03\xeb"

static void payload_of_frames_is_one_stream(void **state)
{
    uint8_t in[64];
    (void)state;

    size_t n = add(in, 0, 0x82, "two frames, ");
    n = add(in, n, 0x82, "");
    n = add(in, n, 0x82, "one stream");
    decodes_to(in, n, "two frames, one stream");
}

static void a_message_may_be_fragmented_with_a_ping_between(void **state)
{
    uint8_t in[64];
    (void)state;

    size_t n = add(in, 0, 0x02, "a");
    n = add(in, n, 0x89, "there?");
    n = add(in, n, 0x00, "b");
    n = add(in, n, 0x80, "c");
    n = add(in, n, 0x82, "d");
    decodes_to(in, n, "abcd");
    assert_true(websocket_owes(s));
    sends(0, "\x8a\x06there?", 8, 0);
    assert_false(websocket_owes(s));
}

static void bytes_may_come_one_by_one(void **state)
{
    uint8_t in[600];
    char payload[300], got[300];
    size_t at = 0;
    (void)state;

    memset(payload, 'x', sizeof(payload));
    const size_t n = frame(0x82, payload, sizeof(payload), in);
    for (size_t i = 0; i < n; i++) {
        char one = (char)in[i];
        if (websocket_decode(s, &one, 1) == 1)
            got[at++] = one;
    }
    assert_int_equal(at, sizeof(payload));
    assert_memory_equal(got, payload, at);
}

static void an_announced_length_costs_nothing(void **state)
{
    uint8_t in[] = {0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff,
                    0xff, 0xff, 0,    0,    0,    0,    'h',  'i'};
    (void)state;

    decodes_to(in, sizeof(in), "hi");
}

static void of_several_pings_the_last_is_answered(void **state)
{
    uint8_t in[64];
    (void)state;

    size_t n = add(in, 0, 0x89, "1");
    n = add(in, n, 0x89, "");
    n = add(in, n, 0x89, "23");
    decodes_to(in, n, "");
    sends(0,
          "\x8a\x02"
          "23",
          4, 0);
}

static void a_pong_waits_for_the_end_of_a_frame(void **state)
{
    const uint8_t *head;
    size_t payload;
    uint8_t in[16];
    (void)state;

    assert_int_equal(websocket_next(s, 10, &head, &payload), 2);
    assert_int_equal(websocket_sent(s, 2 + 4), 4);
    decodes_to(in, add(in, 0, 0x89, "p"), "");
    assert_false(websocket_owes(s)); /* not now */
    sends(6 + 3, "", 0, 6);
    sends(3, "\x8a\x01p\x82\x03", 5, 3);
}

static void a_close_frame_is_answered_and_the_last(void **state)
{
    uint8_t in[64];
    (void)state;

    size_t n = add(in, 0, 0x82, "last");
    n = add(in, n, 0x88, "\x03\xe8 bye");
    n = add(in, n, 0x82, "too late");
    decodes_to(in, n, "last");
    assert_true(websocket_is_closed(s));
    sends(5, "\x88\x02\x03\xe8", 4, 0);
    sends(5, "", 0, 0);
    assert_true(websocket_has_closed(s));
}

static void headers_are_as_short_as_they_can_be(void **state)
{
    (void)state;
    sends(125, "\x82\x7d", 2, 125);
    sends(126, "\x82\x7e\x00\x7e", 4, 126);
    sends(65535, "\x82\x7e\xff\xff", 4, 65535);
    sends(65536, "\x82\x7f\0\0\0\0\0\1\0\0", 10, 65536);
}

static void a_header_may_leave_in_parts(void **state)
{
    const uint8_t *head;
    size_t payload;
    (void)state;

    assert_int_equal(websocket_next(s, 300, &head, &payload), 4);
    assert_int_equal(websocket_sent(s, 1), 0);
    assert_true(websocket_owes(s));
    /* more came meanwhile: not in this frame */
    assert_int_equal(websocket_next(s, 400, &head, &payload), 3);
    assert_memory_equal(head, "\x7e\x01\x2c", 3);
    assert_int_equal(payload, 300);
    assert_int_equal(websocket_sent(s, 303), 300);
    sends(100, "\x82\x64", 2, 100);
}

static void text_is_no_mqtt(void **state)
{
    uint8_t in[64];
    (void)state;

    refused(in, add(in, 0, 0x81, "text"), UNSUPPORTED_DATA);
}

static void rules_of_frames_are_kept(void **state)
{
    static const struct {
        const char *what, *bytes;
        size_t len;
    } cases[] = {
        {"unmasked", "\x82\x02hi", 4},
        {"unmasked ping", "\x89\x00", 2},
        {"reserved bit", "\xc2\x80\0\0\0\0", 6},
        {"unknown data opcode", "\x83\x80\0\0\0\0", 6},
        {"unknown control opcode", "\x8b\x80\0\0\0\0", 6},
        {"continuation of nothing", "\x80\x80\0\0\0\0", 6},
        {"message in a message", "\x02\x80\0\0\0\0\x82\x80\0\0\0\0", 12},
        {"fragmented ping", "\x09\x80\0\0\0\0", 6},
        {"long ping", "\x89\xfe\x00\x7e\0\0\0\0", 8},
        {"length with too many bytes", "\x82\xfe\x00\x05\0\0\0\0", 8},
        {"negative length", "\x82\xff\xff\0\0\0\0\0\0\0\0\0\0\0", 14},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char in[16];
        memcpy(in, cases[i].bytes, cases[i].len);
        const ssize_t n = websocket_decode(s, in, cases[i].len);
        if (n != -1)
            fail_msg("%s: not refused", cases[i].what);
        sends(7, PROTOCOL_ERROR, 4, 0);
        websocket_free(s);
        s = websocket_new();
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(payload_of_frames_is_one_stream),
        TEST(a_message_may_be_fragmented_with_a_ping_between),
        TEST(bytes_may_come_one_by_one),
        TEST(an_announced_length_costs_nothing),
        TEST(of_several_pings_the_last_is_answered),
        TEST(a_pong_waits_for_the_end_of_a_frame),
        TEST(a_close_frame_is_answered_and_the_last),
        TEST(headers_are_as_short_as_they_can_be),
        TEST(a_header_may_leave_in_parts),
        TEST(text_is_no_mqtt),
        TEST(rules_of_frames_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
