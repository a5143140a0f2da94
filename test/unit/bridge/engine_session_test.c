/* What the session does is written down as it happens: "poll(…)" is the answer to the
 * held GET, with | for 0x1E, "frame(…)" goes to the WebSocket, "close(CODE)" closes
 * it, "got(…)" is a message of the client, "ended(NUMBER)" the end. */
#include "bridge/socketio/engine_session.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define INTERVAL 25000
#define TIMEOUT 20000
#define UPGRADE 10000
#define START 1000

static const struct engine_settings settings = {
    .ping_interval_ms = INTERVAL,
    .ping_timeout_ms = TIMEOUT,
    .upgrade_timeout_ms = UPGRADE,
    .max_payload = 100,
    .queue_max = 1000,
};

static struct engine_session s;
static struct buffer done;
static bool socket_is_full, answers, closes;

static void on_answer_poll(void *arg, struct slice payload)
{
    (void)arg;
    buffer_put_str(&done, "poll(");
    for (size_t i = 0; i < payload.len; i++) {
        const char c = ((const char *)payload.data)[i];
        buffer_put_char(&done, c == ENGINE_SEPARATOR ? '|' : c);
    }
    buffer_put_str(&done, ")");
}

static bool on_send(void *arg, struct engine_frame *frame)
{
    (void)arg;
    if (socket_is_full)
        return false;
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

static void send_text(const char *packet)
{
    engine_session_give(&s, engine_frame_new(slice_str(packet), false));
}

static void on_message(void *arg, struct slice data, bool is_binary)
{
    (void)arg;
    buffer_put_str(&done, is_binary ? "got binary(" : "got(");
    buffer_put_slice(&done, data);
    buffer_put_str(&done, ")");
    if (answers)
        send_text("4answer");
    if (closes)
        engine_session_close(&s, ENGINE_END_SERVER);
}

static void on_ended(void *arg, enum engine_end why)
{
    (void)arg;
    buffer_printf(&done, "ended(%d)", why);
}

static const struct engine_hooks hooks = {
    .answer_poll = on_answer_poll,
    .send = on_send,
    .close_socket = on_close_socket,
    .message = on_message,
    .ended = on_ended,
};

/* Everything that was done since the last call. */
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

static void did_end(enum engine_end why, const char *before)
{
    char expected[128];

    snprintf(expected, sizeof(expected), "%sended(%d)", before, why);
    did(expected);
    assert_true(engine_session_has_ended(&s));
    assert_true(engine_session_is_over(&s) ==
                (engine_session_deadline(&s) == INT64_MAX));
}

static void begin(enum engine_transport transport)
{
    engine_session_release(&s);
    socket_is_full = answers = closes = false;
    engine_session_init(&s, &settings, &hooks, NULL, transport, START);
}

static void begin_polling(void)
{
    begin(ENGINE_POLLING);
    buffer_clear(&done);
}

static void begin_websocket(void)
{
    begin(ENGINE_WEBSOCKET);
    buffer_clear(&done);
}

static bool post(const char *body, int64_t now)
{
    return engine_session_post_begin(&s, now) &&
           engine_session_post(&s, slice_str(body), now);
}

static void receive(const char *text, int64_t now)
{
    engine_session_receive(&s, slice_str(text), false, now);
}

/* ---- handshake ------------------------------------------------------------ */

static void open_says_what_the_client_needs(void **state)
{
    char expected[256];

    (void)state;
    begin(ENGINE_POLLING);
    snprintf(expected, sizeof(expected),
             "poll(0{\"sid\":\"%s\",\"upgrades\":[\"websocket\"],"
             "\"pingInterval\":25000,\"pingTimeout\":20000,"
             "\"maxPayload\":100})",
             s.sid);
    did(expected);
    assert_int_equal(strlen(s.sid), TOKEN_MADE);
    begin(ENGINE_WEBSOCKET);
    snprintf(expected, sizeof(expected),
             "frame(0{\"sid\":\"%s\",\"upgrades\":[],\"pingInterval\":25000,"
             "\"pingTimeout\":20000,\"maxPayload\":100})",
             s.sid);
    did(expected);
}

/* ---- messages ------------------------------------------------------------- */

static void a_poll_waits_until_there_is_something(void **state)
{
    (void)state;
    begin_polling();
    assert_true(engine_session_poll(&s, START));
    did("");
    send_text("4a");
    engine_session_give(&s, engine_frame_new(slice_str("\1\2\3\4"), true));
    did(""); /* what is sent in one turn travels together */
    engine_session_flush(&s);
    did("poll(4a|bAQIDBA==)");
    send_text("4b");
    send_text("4c");
    engine_session_flush(&s);
    did("");
    assert_true(engine_session_held(&s) > 0);
    assert_true(engine_session_poll(&s, START));
    did("poll(4b|4c)");
    assert_int_equal(engine_session_held(&s), 0);
}

static void a_post_has_one_or_several_packets(void **state)
{
    (void)state;
    begin_polling();
    assert_true(post("4hello", START));
    did("got(hello)");
    answers = true;
    assert_true(engine_session_poll(&s, START));
    assert_true(post("4a\x1e"
                     "bAQ==\x1e"
                     "4b",
                     START));
    did("got(a)got binary(\1)got(b)poll(4answer|4answer|4answer)");
}

static void a_websocket_has_a_packet_in_each_message(void **state)
{
    (void)state;
    begin_websocket();
    receive("4hello", START);
    engine_session_receive(&s, slice_str("\1\2"), true, START);
    did("got(hello)got binary(\1\2)");
    send_text("4a");
    engine_session_give(&s, engine_frame_new(slice_str("\3"), true));
    did("frame(4a)binary(\3)");
    receive("6", START); /* harmless */
    receive("5", START);
    did("");
    assert_false(engine_session_has_ended(&s));
}

static void bad_packets_end_the_session(void **state)
{
    static const char *const bad[] = {"abc", "", "7", "0{}", "2", "2probe"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        begin_websocket();
        receive(bad[i], START);
        did_end(ENGINE_END_BAD_PACKET, "close(1008)");
        begin_polling();
        assert_false(post(bad[i], START));
        did_end(ENGINE_END_BAD_PACKET, "");
        assert_false(engine_session_poll(&s, START));
    }
    begin_polling();
    assert_true(engine_session_poll(&s, START));
    assert_false(post("4a\x1e"
                      "x\x1e"
                      "4b",
                      START));
    did_end(ENGINE_END_BAD_PACKET, "got(a)poll(1)");
}

static void a_payload_has_a_bound(void **state)
{
    char body[102] = "4";

    (void)state;
    memset(body + 1, 'x', 99);
    begin_polling();
    assert_true(post(body, START));
    buffer_clear(&done);
    body[100] = 'x';
    assert_false(post(body, START));
    did_end(ENGINE_END_TOO_BIG, "");
    begin_polling();
    engine_session_post_too_big(&s);
    did_end(ENGINE_END_TOO_BIG, "");
    begin_websocket();
    engine_session_socket_lost(&s, ENGINE_END_TOO_BIG);
    did_end(ENGINE_END_TOO_BIG, "");
}

static void what_waits_for_a_poll_has_a_bound(void **state)
{
    size_t sent = 0;

    (void)state;
    begin_polling();
    while (!engine_session_has_ended(&s) && sent < 1000) {
        send_text("4x");
        sent++;
        assert_true(engine_session_held(&s) <=
                    settings.queue_max + 64 * sizeof(void *));
    }
    did_end(ENGINE_END_QUEUE_FULL, "");
    assert_in_range(sent, 5, 100);
    assert_int_equal(engine_session_held(&s), 0);
    begin_websocket();
    socket_is_full = true;
    send_text("4x");
    did_end(ENGINE_END_QUEUE_FULL, "close(1008)");
}

/* ---- two at once, and lost ones ------------------------------------------- */

static void two_polls_at_once_end_the_session(void **state)
{
    (void)state;
    begin_polling();
    assert_true(engine_session_poll(&s, START));
    assert_false(engine_session_poll(&s, START));
    did_end(ENGINE_END_DUPLICATE, "poll(1)");
    assert_false(engine_session_poll(&s, START));
    did("");
}

static void two_posts_at_once_end_the_session(void **state)
{
    (void)state;
    begin_polling();
    assert_true(engine_session_post_begin(&s, START));
    assert_false(engine_session_post_begin(&s, START));
    did_end(ENGINE_END_DUPLICATE, "");
    assert_false(engine_session_post(&s, slice_str("4a"), START));
    did("");
    begin_polling();
    assert_true(post("4a", START) && post("4b", START)); /* one by one */
}

static void a_lost_request_ends_the_session(void **state)
{
    (void)state;
    begin_polling();
    assert_true(engine_session_poll(&s, START));
    engine_session_poll_lost(&s);
    did_end(ENGINE_END_LOST, "");
    begin_polling();
    assert_true(engine_session_post_begin(&s, START));
    engine_session_post_lost(&s);
    did_end(ENGINE_END_LOST, "");
    begin_websocket();
    engine_session_socket_lost(&s, ENGINE_END_LOST);
    did_end(ENGINE_END_LOST, "");
}

/* ---- heartbeat ------------------------------------------------------------ */

static void pings_follow_pongs(void **state)
{
    int64_t now = START;

    (void)state;
    begin_websocket();
    for (int i = 0; i < 3; i++) {
        assert_true(engine_session_deadline(&s) == now + INTERVAL);
        engine_session_tick(&s, now + INTERVAL - 1);
        did("");
        now += INTERVAL;
        engine_session_tick(&s, now);
        did("frame(2)");
        assert_true(engine_session_deadline(&s) == now + TIMEOUT);
        now += 7;
        receive("3", now);
        receive("3", now + 1); /* not asked for: changes nothing */
    }
    did("");
}

static void a_missing_pong_ends_the_session(void **state)
{
    (void)state;
    begin_websocket();
    engine_session_tick(&s, START + INTERVAL);
    did("frame(2)");
    engine_session_tick(&s, START + INTERVAL + TIMEOUT - 1);
    did("");
    engine_session_tick(&s, START + INTERVAL + TIMEOUT);
    did_end(ENGINE_END_PING_TIMEOUT, "close(1008)");
}

static void polls_are_pinged_and_time_out_too(void **state)
{
    (void)state;
    begin_polling();
    assert_true(engine_session_poll(&s, START));
    engine_session_tick(&s, START + INTERVAL);
    did("poll(2)");
    assert_true(post("3", START + INTERVAL + 1));
    assert_true(engine_session_deadline(&s) == START + 2 * INTERVAL + 1);
    assert_true(engine_session_poll(&s, START + INTERVAL + 2));
    engine_session_tick(&s, START + 2 * INTERVAL + 1);
    did("poll(2)");
    /* Nobody ticked in between: the poll itself finds out. */
    assert_false(engine_session_poll(&s, START + 2 * INTERVAL + 1 + TIMEOUT));
    did_end(ENGINE_END_PING_TIMEOUT, "");
}

/* ---- close ---------------------------------------------------------------- */

static void a_client_closes(void **state)
{
    (void)state;
    begin_polling();
    assert_true(engine_session_poll(&s, START));
    assert_true(post("1", START));
    did_end(ENGINE_END_CLIENT, "poll(6)");
    assert_true(engine_session_is_over(&s));
    begin_websocket();
    receive("1", START);
    did_end(ENGINE_END_CLIENT, "close(1000)");
    receive("4a", START);
    did("");
}

/* They come over different connections. */
static void a_close_may_overtake_the_poll_before_it(void **state)
{
    (void)state;
    begin_polling();
    assert_true(post("1", START));
    did_end(ENGINE_END_CLIENT, "");
    assert_false(engine_session_is_over(&s));
    assert_false(engine_session_post_begin(&s, START));
    assert_false(engine_session_attach(&s, START));
    assert_true(engine_session_poll(&s, START + 999));
    did("poll(6)");
    assert_true(engine_session_is_over(&s));
    assert_false(engine_session_poll(&s, START + 999));
    begin_polling();
    assert_true(post("1", START));
    buffer_clear(&done);
    engine_session_tick(&s, engine_session_deadline(&s));
    assert_true(engine_session_is_over(&s));
    assert_false(engine_session_poll(&s, START + 1000));
    did("");
}

static void the_server_closes_after_what_it_sent(void **state)
{
    (void)state;
    begin_websocket();
    send_text("4a");
    engine_session_close(&s, ENGINE_END_SHUTDOWN);
    did_end(ENGINE_END_SHUTDOWN, "frame(4a)close(1001)");
    begin_polling();
    assert_true(engine_session_poll(&s, START));
    send_text("4a");
    engine_session_close(&s, ENGINE_END_SERVER);
    did_end(ENGINE_END_SERVER, "poll(4a|1)");
    begin_polling(); /* without a poll at the time */
    closes = true;
    assert_true(post("4x\x1e"
                     "4y",
                     START));
    did("got(x)");
    send_text("4too late");
    assert_true(engine_session_poll(&s, START + 1));
    did_end(ENGINE_END_SERVER, "poll(1)");
    begin_polling(); /* which never comes */
    engine_session_close(&s, ENGINE_END_SERVER);
    engine_session_tick(&s, engine_session_deadline(&s));
    did_end(ENGINE_END_SERVER, "");
}

/* ---- upgrade -------------------------------------------------------------- */

static void an_upgrade_keeps_the_order(void **state)
{
    (void)state;
    begin_polling();
    assert_true(engine_session_poll(&s, START));
    assert_true(engine_session_attach(&s, START));
    did("");
    receive("2probe", START);
    did("frame(3probe)poll(6)");
    assert_true(post("4by POST", START)); /* until UPGRADE */
    did("got(by POST)");
    send_text("4a");
    send_text("4b");
    engine_session_flush(&s);
    did("");
    receive("5", START);
    did("frame(4a)frame(4b)");
    send_text("4c");
    receive("4by WebSocket", START);
    did("frame(4c)got(by WebSocket)");
    /* No other transport any more, and the session goes on. */
    assert_false(engine_session_poll(&s, START));
    assert_false(engine_session_post_begin(&s, START));
    assert_false(engine_session_attach(&s, START));
    did("");
    receive("4x", START);
    did("got(x)");
    engine_session_tick(&s, START + UPGRADE);
    engine_session_tick(&s, START + INTERVAL);
    did("frame(2)");
}

static void a_poll_after_the_probe_is_answered_at_once(void **state)
{
    (void)state;
    begin_polling();
    assert_true(engine_session_attach(&s, START));
    receive("2probe", START);
    did("frame(3probe)");
    assert_true(engine_session_poll(&s, START));
    did("poll(6)");
    send_text("4a");
    assert_true(engine_session_poll(&s, START));
    did("poll(4a)");
}

static void what_waits_goes_with_the_poll_that_a_probe_ends(void **state)
{
    (void)state;
    begin_polling();
    assert_true(engine_session_attach(&s, START));
    assert_true(engine_session_poll(&s, START));
    send_text("4a");
    receive("2probe", START);
    did("frame(3probe)poll(4a)");
}

static void a_failed_upgrade_leaves_polling_as_it_was(void **state)
{
    (void)state;
    begin_polling();
    assert_true(engine_session_attach(&s, START));
    assert_false(engine_session_attach(&s, START)); /* one at a time */
    receive("4early", START);
    did("close(1008)");
    assert_true(engine_session_attach(&s, START));
    receive("2probe", START);
    receive("2probe", START);
    did("frame(3probe)close(1008)");
    receive("5", START); /* of the closed one */
    did("");
    assert_true(engine_session_attach(&s, START));
    engine_session_socket_lost(&s, ENGINE_END_LOST);
    assert_true(engine_session_attach(&s, START));
    engine_session_receive(&s, slice_str("\1"), true, START);
    did("close(1008)");
    assert_true(engine_session_attach(&s, START));
    assert_true(engine_session_deadline(&s) == START + UPGRADE);
    engine_session_tick(&s, START + UPGRADE);
    did("close(1008)");
    assert_true(engine_session_poll(&s, START + UPGRADE));
    send_text("4a");
    engine_session_flush(&s);
    did("poll(4a)");
}

static void a_post_that_an_upgrade_overtakes_is_refused(void **state)
{
    (void)state;
    begin_polling();
    assert_true(engine_session_post_begin(&s, START));
    assert_true(engine_session_attach(&s, START));
    receive("2probe", START);
    receive("5", START);
    assert_false(engine_session_post(&s, slice_str("4late"), START));
    did("frame(3probe)");
    assert_false(engine_session_has_ended(&s));
}

static void a_session_that_ends_closes_a_probing_websocket(void **state)
{
    (void)state;
    begin_polling();
    assert_true(engine_session_attach(&s, START));
    assert_true(post("1", START));
    did_end(ENGINE_END_CLIENT, "close(1000)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open_says_what_the_client_needs),
        cmocka_unit_test(a_poll_waits_until_there_is_something),
        cmocka_unit_test(a_post_has_one_or_several_packets),
        cmocka_unit_test(a_websocket_has_a_packet_in_each_message),
        cmocka_unit_test(bad_packets_end_the_session),
        cmocka_unit_test(a_payload_has_a_bound),
        cmocka_unit_test(what_waits_for_a_poll_has_a_bound),
        cmocka_unit_test(two_polls_at_once_end_the_session),
        cmocka_unit_test(two_posts_at_once_end_the_session),
        cmocka_unit_test(a_lost_request_ends_the_session),
        cmocka_unit_test(pings_follow_pongs),
        cmocka_unit_test(a_missing_pong_ends_the_session),
        cmocka_unit_test(polls_are_pinged_and_time_out_too),
        cmocka_unit_test(a_client_closes),
        cmocka_unit_test(a_close_may_overtake_the_poll_before_it),
        cmocka_unit_test(the_server_closes_after_what_it_sent),
        cmocka_unit_test(an_upgrade_keeps_the_order),
        cmocka_unit_test(a_poll_after_the_probe_is_answered_at_once),
        cmocka_unit_test(what_waits_goes_with_the_poll_that_a_probe_ends),
        cmocka_unit_test(a_failed_upgrade_leaves_polling_as_it_was),
        cmocka_unit_test(a_post_that_an_upgrade_overtakes_is_refused),
        cmocka_unit_test(a_session_that_ends_closes_a_probing_websocket),
    };

    if (sodium_init() < 0)
        return 1;
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    engine_session_release(&s);
    buffer_release(&done);
    return failed;
}
