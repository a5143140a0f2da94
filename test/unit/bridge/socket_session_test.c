/* What the session does is written down as it happens, as in engine_session_test.c:
 * "frame(…)" and "binary(…)" go to the WebSocket, "connect(NAME,AUTH)", "event(…)",
 * "ack(…)", "left(NAME)" to the door. */
#include "bridge/socketio/socket_session.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define CONNECT_TIMEOUT 45000

static const struct engine_settings settings = {
    .ping_interval_ms = 25000,
    .ping_timeout_ms = 20000,
    .upgrade_timeout_ms = 10000,
    .max_payload = 200,
    .queue_max = 10000,
};

static struct socket_session s;
static struct buffer done;
static bool answers_later;

static void on_answer_poll(void *arg, struct slice payload)
{
    (void)arg;
    buffer_put_str(&done, "poll(");
    buffer_put_slice(&done, payload);
    buffer_put_str(&done, ")");
}

static bool on_send(void *arg, struct engine_frame *frame)
{
    (void)arg;
    buffer_put_str(&done,
                   engine_frame_is_binary(frame) ? "binary(" : "frame(");
    buffer_put_slice(&done, engine_frame_packet(frame));
    buffer_put_str(&done, ")");
    return true;
}

static void on_close_socket(void *arg, uint16_t code, const char *reason)
{
    (void)arg, (void)reason;
    buffer_printf(&done, "close(%u)", code);
}

static void on_ended(void *arg, enum engine_end why)
{
    (void)arg;
    buffer_printf(&done, "ended(%d)", why);
}

static const struct socket_accept fixed = {.sid = "AAAAAAAAAAAAAAAAAAAAAAAA"};

static void on_connect(void *arg, struct slice name, struct slice auth)
{
    (void)arg;
    buffer_put_str(&done, "connect(");
    buffer_put_slice(&done, name);
    buffer_put_str(&done, ",");
    buffer_put_slice(&done, auth);
    buffer_put_str(&done, ")");
    if (answers_later)
        return;
    if (slice_eq(name, slice_str("/unknown")))
        socket_session_refuse(&s, name, "Invalid namespace");
    else
        socket_session_accept(&s, name, &fixed);
}

static void put_event(const char *what, const struct socket_event *event)
{
    buffer_put_str(&done, what);
    buffer_put_slice(&done, event->packet.namespace_name);
    if (event->packet.has_ack_id)
        buffer_printf(&done, " %u", (unsigned)event->packet.ack_id);
    buffer_put_char(&done, ' ');
    buffer_put_slice(&done, event->packet.json);
    for (size_t i = 0; i < event->packet.attachments; i++) {
        buffer_put_str(&done, " +");
        buffer_put_slice(&done, event->attachments[i]);
    }
    buffer_put_char(&done, ')');
}

static void on_event(void *arg, const struct socket_event *event)
{
    (void)arg;
    put_event("event(", event);
}

static void on_ack(void *arg, const struct socket_event *event)
{
    (void)arg;
    put_event("ack(", event);
}

static void on_left(void *arg, struct slice name)
{
    (void)arg;
    buffer_put_str(&done, "left(");
    buffer_put_slice(&done, name);
    buffer_put_str(&done, ")");
}

static const struct socket_hooks hooks = {
    .answer_poll = on_answer_poll,
    .send = on_send,
    .close_socket = on_close_socket,
    .ended = on_ended,
    .connect = on_connect,
    .event = on_event,
    .ack = on_ack,
    .left = on_left,
};

static void did_(const char *expected, const char *file, int line)
{
    buffer_put_char(&done, '\0');
    if (strcmp(done.data, expected) != 0) {
        print_error("%s\n", done.data);
        _fail(file, line);
    }
    buffer_clear(&done);
}
#define did(expected) did_(expected, __FILE__, __LINE__)

static void broke_off_(const char *file, int line)
{
    char expected[64];

    snprintf(expected, sizeof(expected), "close(1008)ended(%d)",
             ENGINE_END_BAD_PACKET);
    did_(expected, file, line);
}
#define broke_off() broke_off_(__FILE__, __LINE__)

static void receive(const char *text)
{
    engine_session_receive(&s.engine, slice_str(text), false, 0);
}

static void receive_binary(const char *data)
{
    engine_session_receive(&s.engine, slice_str(data), true, 0);
}

static void begin(void)
{
    socket_session_release(&s);
    answers_later = false;
    socket_session_init(&s, &settings, &hooks, NULL, ENGINE_WEBSOCKET,
                        CONNECT_TIMEOUT, 0);
    buffer_clear(&done);
}

static void begin_connected(void)
{
    begin();
    receive("40");
    buffer_clear(&done);
}

/* ---- namespaces ----------------------------------------------------------- */

#define SID "{\"sid\":\"AAAAAAAAAAAAAAAAAAAAAAAA\"}"

static void clients_connect_namespaces(void **state)
{
    (void)state;
    begin();
    receive("40");
    did("connect(/,)frame(40" SID ")");
    receive("40/custom,{\"token\":\"abc\"}");
    did("connect(/custom,{\"token\":\"abc\"})frame(40/custom," SID ")");
    receive("40/unknown");
    did("connect(/unknown,)"
        "frame(44/unknown,{\"message\":\"Invalid namespace\"})");
    receive("40/unknown"); /* it may try again */
    did("connect(/unknown,)"
        "frame(44/unknown,{\"message\":\"Invalid namespace\"})");
    assert_string_equal(socket_session_sid(&s, slice_str("/")), fixed.sid);
    assert_null(socket_session_sid(&s, slice_str("/unknown")));
}

static void a_new_sid_is_not_that_of_the_connection(void **state)
{
    (void)state;
    begin();
    answers_later = true;
    receive("40");
    socket_session_accept(&s, slice_str("/"), NULL);
    assert_int_equal(strlen(socket_session_sid(&s, slice_str("/"))),
                     TOKEN_MADE);
    assert_string_not_equal(socket_session_sid(&s, slice_str("/")),
                            s.engine.sid);
}

static void a_door_may_answer_later(void **state)
{
    (void)state;
    begin();
    answers_later = true;
    receive("40");
    did("connect(/,)");
    assert_null(socket_session_sid(&s, slice_str("/")));
    socket_session_accept(&s, slice_str("/other"), &fixed); /* not asked */
    did("");
    socket_session_accept(&s, slice_str("/"), &fixed);
    did("frame(40" SID ")");
    socket_session_accept(&s, slice_str("/"), &fixed); /* once */
    socket_session_refuse(&s, slice_str("/"), "no");
    did("");
    begin();
    answers_later = true;
    receive("40");
    receive("42[\"too early\"]");
    did_("connect(/,)close(1008)ended(6)", __FILE__, __LINE__);
    assert_int_equal(ENGINE_END_BAD_PACKET, 6);
}

static void namespaces_have_a_bound(void **state)
{
    char text[32];

    (void)state;
    begin();
    for (int i = 0; i < SOCKET_NAMESPACES_MAX; i++) {
        snprintf(text, sizeof(text), "40/%d", i);
        receive(text);
    }
    buffer_clear(&done);
    receive("40/more,");
    did("frame(44/more,{\"message\":\"Too many namespaces\"})");
    receive("41/3");
    did("left(/3)");
    receive("40/more,");
    did("connect(/more,)frame(40/more," SID ")");
}

static void each_end_of_a_namespace_leaves_the_others(void **state)
{
    (void)state;
    begin_connected();
    receive("40/custom");
    buffer_clear(&done);
    receive("41/custom");
    did("left(/custom)");
    receive("42[\"a\"]");
    did("event(/ [\"a\"])");
    socket_session_leave(&s, slice_str("/"));
    socket_session_leave(&s, slice_str("/"));
    did("frame(41)");
    assert_false(engine_session_has_ended(&s.engine));
    receive("42[\"a\"]"); /* as socket.io does */
    broke_off();
}

static void connecting_may_not_take_for_ever(void **state)
{
    char expected[64];

    (void)state;
    begin();
    engine_session_tick(&s.engine, 25000);
    engine_session_receive(&s.engine, slice_str("3"), false, 25001);
    receive("40/unknown"); /* which does not count */
    buffer_clear(&done);
    assert_true(socket_session_deadline(&s) == CONNECT_TIMEOUT);
    socket_session_tick(&s, CONNECT_TIMEOUT - 1);
    did("");
    socket_session_tick(&s, CONNECT_TIMEOUT);
    snprintf(expected, sizeof(expected), "close(1008)ended(%d)",
             ENGINE_END_CONNECT_TIMEOUT);
    did(expected);
    begin_connected();
    assert_true(socket_session_deadline(&s) == 25000); /* the next ping */
}

/* ---- events --------------------------------------------------------------- */

static void events_come_with_their_namespace_and_id(void **state)
{
    (void)state;
    begin_connected();
    receive("42[\"message\",1,\"2\",{\"3\":[true]}]");
    receive("42456[\"message-with-ack\",1]");
    receive("4312[\"fine\"]");
    did("event(/ [\"message\",1,\"2\",{\"3\":[true]}])"
        "event(/ 456 [\"message-with-ack\",1])ack(/ 12 [\"fine\"])");
}

static void attachments_are_put_together(void **state)
{
    (void)state;
    begin_connected();
    receive("452-789[\"a\",{\"_placeholder\":true,\"num\":0},"
            "{\"_placeholder\":true,\"num\":1}]");
    assert_true(socket_session_held(&s) > 0);
    receive_binary("one");
    did("");
    receive_binary("");
    did("event(/ 789 [\"a\",{\"_placeholder\":true,\"num\":0},"
        "{\"_placeholder\":true,\"num\":1}] +one +)");
    receive("461-5[{\"_placeholder\":true,\"num\":0}]");
    receive_binary("x");
    did("ack(/ 5 [{\"_placeholder\":true,\"num\":0}] +x)");
    receive("450-[\"none\"]");
    did("event(/ [\"none\"])");
}

static void attachments_are_sent_behind_their_packet(void **state)
{
    const struct socket_event event = {
        .packet = {.type = SOCKET_BINARY_ACK,
                   .attachments = 2,
                   .namespace_name = slice_str("/"),
                   .has_ack_id = true,
                   .ack_id = 789,
                   .json = slice_str("[1]")},
        .attachments = {slice_str("one"), slice_str("two")}};

    (void)state;
    begin_connected();
    socket_session_send(&s, &event);
    did("frame(462-789[1])binary(one)binary(two)");
}

static void clients_that_break_the_protocol_are_disconnected(void **state)
{
    static const char *const bad[] = {
        "4abc",
        "4",
        "42{}",
        "42[]",
        "42abc[\"a\"]",
        "42[\"connect\"]",
        "40" /* once more */,
        "40[]",
        "44{\"message\":\"x\"}",
        "42/other,[\"a\"]",
        "41/other",
        "451-/other,[\"a\",{\"_placeholder\":true,\"num\":0}]",
        "4599-[\"a\"]",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        begin_connected();
        receive(bad[i]);
        broke_off();
        receive("42[\"a\"]");
        did("");
    }
    begin();
    receive("42[\"first\"]");
    broke_off();
    begin_connected();
    receive_binary("nobody asked");
    broke_off();
    begin_connected();
    receive("451-[\"a\",{\"_placeholder\":true,\"num\":0}]");
    receive("42[\"in between\"]");
    broke_off();
}

static void attachments_have_a_bound(void **state)
{
    char data[256], expected[64];

    (void)state;
    memset(data, 'x', sizeof(data));
    begin_connected();
    receive("452-[\"a\"]");
    engine_session_receive(&s.engine, slice_of(data, 180), true, 0);
    engine_session_receive(&s.engine, slice_of(data, 180), true, 0);
    snprintf(expected, sizeof(expected), "close(1009)ended(%d)",
             ENGINE_END_TOO_BIG);
    did(expected);
}

/* ---- shared frames, recovery ---------------------------------------------- */

static void one_frame_serves_both_transports(void **state)
{
    const struct socket_packet packet = {.type = SOCKET_EVENT,
                                         .namespace_name = slice_str("/"),
                                         .json = slice_str("[\"a\"]")};
    struct engine_frame *f = socket_frame_new(&packet);

    (void)state;
    assert_true(slice_eq(engine_frame_packet(f), slice_str("42[\"a\"]")));
    assert_true(slice_eq(engine_frame_websocket(f), slice_str("\x81\x07"
                                                              "42[\"a\"]")));
    begin_connected();
    engine_session_send(&s.engine, f);
    engine_session_send(&s.engine, engine_frame_ref(f));
    did("frame(42[\"a\"])frame(42[\"a\"])");
    engine_frame_unref(f);
    engine_frame_unref(f);
    f = engine_frame_new(slice_str("\1\2"), true);
    assert_true(
        slice_eq(engine_frame_websocket(f), slice_str("\x82\x02\1\2")));
    engine_frame_unref(f);
}

static void a_client_that_comes_back_says_what_it_has(void **state)
{
    const struct socket_accept recovered = {.sid = "BBBBBBBBBBBBBBBBBBBBBBBB",
                                            .pid = "secret"};
    struct buffer text = BUFFER_INIT;
    size_t pid_len;

    (void)state;
    assert_true(socket_recovery_read(
        slice_str("{\"token\":\"x\",\"pid\":\"p\\u0041\",\"offset\":\"12\"}"),
        &text, &pid_len));
    assert_int_equal(pid_len, 2);
    assert_true(slice_eq(buffer_slice(&text), slice_str("pA12")));
    static const char *const none[] = {
        "",
        "{}",
        "{\"pid\":\"p\"}",
        "{\"offset\":\"1\"}",
        "{\"pid\":5,\"offset\":\"1\"}",
        "{\"pid\":\"p\",\"offset\":1}",
        "{\"pid\":{\"pid\":\"p\"},\"offset\":[\"1\"]}",
    };
    for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
        assert_false(
            socket_recovery_read(slice_str(none[i]), &text, &pid_len));
    buffer_release(&text);
    begin();
    answers_later = true;
    receive("40");
    buffer_clear(&done);
    socket_session_accept(&s, slice_str("/"), &recovered);
    did("frame(40{\"sid\":\"BBBBBBBBBBBBBBBBBBBBBBBB\","
        "\"pid\":\"secret\"})");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_connect_namespaces),
        cmocka_unit_test(a_new_sid_is_not_that_of_the_connection),
        cmocka_unit_test(a_door_may_answer_later),
        cmocka_unit_test(namespaces_have_a_bound),
        cmocka_unit_test(each_end_of_a_namespace_leaves_the_others),
        cmocka_unit_test(connecting_may_not_take_for_ever),
        cmocka_unit_test(events_come_with_their_namespace_and_id),
        cmocka_unit_test(attachments_are_put_together),
        cmocka_unit_test(attachments_are_sent_behind_their_packet),
        cmocka_unit_test(clients_that_break_the_protocol_are_disconnected),
        cmocka_unit_test(attachments_have_a_bound),
        cmocka_unit_test(one_frame_serves_both_transports),
        cmocka_unit_test(a_client_that_comes_back_says_what_it_has),
    };

    if (sodium_init() < 0)
        return 1;
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    socket_session_release(&s);
    buffer_release(&done);
    return failed;
}
