/* Streams whose door keeps something of each of them: a protocol with an id and a
 * counter of its own on every connection, as Engine.IO and Phoenix have. It is a
 * line of text per message both ways. */
#include "test/unit/bridge/stream_fixture.h"

#include <stdatomic.h>

#include "bridge/stream/stream_client.h"

#define MIB ((size_t)1024 * 1024)

/* ---- what clients send: lines of at most 60 bytes -------------------------- */

struct lines {
    struct slice fed;
    char line[64];
    size_t len;
};

static void *lines_begin(size_t message_max)
{
    (void)message_max;
    return calloc(1, sizeof(struct lines));
}

static void lines_feed(void *input, struct slice bytes)
{
    ((struct lines *)input)->fed = bytes;
}

static enum stream_input_event lines_next(void *input,
                                          struct slice *ret_message,
                                          struct buffer *reply,
                                          enum stream_end *ret_why)
{
    struct lines *in = input;

    (void)reply;
    (void)ret_why;
    while (in->fed.len > 0) {
        const char c = *(const char *)in->fed.data;
        in->fed = slice_of((const char *)in->fed.data + 1, in->fed.len - 1);
        if (c != '\n') {
            assert_true(in->len < sizeof(in->line));
            in->line[in->len++] = c;
            continue;
        }
        *ret_message = slice_of(in->line, in->len);
        in->len = 0;
        return STREAM_INPUT_MESSAGE;
    }
    return STREAM_INPUT_MORE;
}

static bool lines_idle(const void *input)
{
    return ((const struct lines *)input)->len == 0;
}

static size_t lines_held(const void *input)
{
    return ((const struct lines *)input)->len;
}

static size_t lines_wanted(const void *input)
{
    (void)input;
    return 0;
}

static const struct stream_input lines_input = {
    lines_begin, lines_feed,   lines_next, lines_idle,
    lines_held,  lines_wanted, free,       NULL,
};

/* ---- what they are sent ----------------------------------------------------- */

struct line_session {
    unsigned id, sent;
    _Atomic int64_t asked_ms; /* since when a pong is due; 0: none is */
    bool wants_pongs;
};

static atomic_int ended_count;

static void put_start(struct buffer *b, void *state,
                      const struct stream_greeting *g)
{
    struct line_session *s = state;

    (void)g;
    buffer_printf(b, "open %u\n", s->id);
}

static void put_message(struct buffer *b, const struct stream_message *m)
{
    buffer_printf(b, "%.*s\n", (int)m->payload.len,
                  (const char *)m->payload.data);
}

static void put_gap(struct buffer *b, void *state, uint64_t from, uint64_t to,
                    uint64_t cursor_id)
{
    (void)from;
    (void)to;
    (void)cursor_id;
    buffer_printf(b, "gap of %u\n", ((struct line_session *)state)->id);
}

static void put_ping(struct buffer *b, void *state)
{
    buffer_printf(b, "ping %u\n", ((struct line_session *)state)->id);
}

static void put_expired(struct buffer *b, void *state)
{
    buffer_printf(b, "expired %u\n", ((struct line_session *)state)->id);
}

static void put_bye(struct buffer *b, void *state, enum stream_end why)
{
    buffer_printf(b, "bye %u: %s\n", ((struct line_session *)state)->id,
                  why == STREAM_END_BUSY   ? "busy"
                  : why == STREAM_END_SLOW ? "slow"
                                           : "");
}

static void put_text(struct buffer *b, void *state, struct slice json)
{
    struct line_session *s = state;

    buffer_printf(b, "%u/%u %.*s\n", s->id, ++s->sent, (int)json.len,
                  (const char *)json.data);
}

static const struct stream_format lines = {
    .number = STREAM_FORMAT_WEBSOCKET, /* nobody else is here */
    .start = put_start,
    .message = put_message,
    .gap = put_gap,
    .ping = put_ping,
    .expired = put_expired,
    .bye = put_bye,
    .text = put_text,
    .received = &lines_input,
};

/* ---- the door ---------------------------------------------------------------- */

/* "hold N": its state holds N MiB; "pong"; anything else is sent back. */
static void received(void *state, struct stream *stream, struct slice message)
{
    struct line_session *s = state;
    char text[64] = "";

    memcpy(text, message.data, message.len);
    if (strncmp(text, "hold ", 5) == 0)
        stream_hold(stream, strtoul(text + 5, NULL, 10) * MIB);
    if (strcmp(text, "pong") == 0)
        s->asked_ms = 0;
    stream_send(stream, message);
}

/* Asks for a pong when it has the one before; who does not answer ends. */
static void tick(void *state, struct stream *stream, int64_t now_ms)
{
    struct line_session *s = state;

    if (!s->wants_pongs)
        return;
    if (s->asked_ms != 0) {
        if (now_ms - s->asked_ms > 2000)
            stream_end(stream, STREAM_END_IDLE);
        return;
    }
    s->asked_ms = now_ms;
    stream_ping(stream);
}

static void ended(void *state)
{
    free(state);
    atomic_fetch_add(&ended_count, 1);
}

static const struct stream_door door = {.received = received,
                                        .tick = tick,
                                        .ended = ended};

static void connect_session(struct reader *r, unsigned id, bool wants_pongs)
{
    struct line_session *s = calloc(1, sizeof(*s));
    struct stream_opts o = options("paid", "a");

    s->id = id;
    s->wants_pongs = wants_pongs;
    o.format = &lines;
    o.door = &door;
    o.door_state = s;
    o.message_max = 60;
    assert_true(adopt(r, &o));
}

static void sends(struct reader *r, const char *line)
{
    assert_int_equal(send(r->fd, line, strlen(line), 0), strlen(line));
}

/* ---- tests ------------------------------------------------------------------- */

static void each_stream_is_written_to_with_its_own_state(void **state)
{
    struct reader one, two;
    (void)state;

    connect_session(&one, 1, false);
    connect_session(&two, 2, false);
    expect(&one, HEAD "open 1\n");
    expect(&two, HEAD "open 2\n");
    sends(&one, "x\n");
    expect(&one, "1/1 x\n");
    sends(&one, "y\n");
    expect(&one, "1/2 y\n");
    sends(&two, "z\n");
    expect(&two, "2/1 z\n");
    say("tok/a", "both"); /* and messages are the same for all */
    expect(&one, "both\n");
    expect(&two, "both\n");
    hang_up(&one);
    hang_up(&two);
}

static void a_state_goes_with_its_stream_once(void **state)
{
    struct reader r;
    (void)state;

    ended_count = 0;
    connect_session(&r, 1, false);
    expect(&r, HEAD "open 1\n");
    assert_int_equal(ended_count, 0);
    hang_up(&r);
    wait_for_count(0);
    for (int i = 0; i < 5000 && ended_count == 0; i++)
        usleep(1000);
    usleep(20000);
    assert_int_equal(ended_count, 1);
}

static void who_holds_most_goes_when_all_hold_too_much(void **state)
{
    struct reader small, great;
    (void)state;

    /* One streamer has both: the least loaded is taken, in turn. */
    struct reader other;
    connect_session(&small, 1, false);
    connect_session(&other, 2, false);
    connect_session(&great, 3, false);
    expect(&small, HEAD "open 1\n");
    expect(&great, HEAD "open 3\n");
    sends(&small, "hold 30\n");
    expect(&small, "1/1 hold 30\n");
    sends(&great, "hold 33\n");
    expect(&great, "3/1 hold 33\n"); /* 63 of 64 MiB */
    sends(&small, "hold 31\n");
    expect(&small, "1/2 hold 31\n");
    expect_nothing(&great, 700000); /* 64 of 64 MiB */
    sends(&small, "hold 32\n");
    expect(&small, "1/3 hold 32\n");
    expect(&great, "bye 3: busy\n");
    expect_end(&great);
    sends(&small, "hold 60\n"); /* there is room again */
    expect(&small, "1/4 hold 60\n");
    expect_nothing(&small, 700000);
    sends(&small, "hold 65\n");
    expect(&small, "1/5 hold 65\nbye 1: busy\n");
    hang_up(&small);
    hang_up(&other);
    hang_up(&great);
}

static void a_door_pings_by_its_own_clock(void **state)
{
    struct reader quiet, good;
    (void)state;

    connect_session(&quiet, 1, true);
    connect_session(&good, 2, true);
    expect(&good, HEAD "open 2\nping 2\n");
    sends(&good, "pong\n");
    expect(&quiet, HEAD "open 1\nping 1\nbye 1: \n");
    expect_end(&quiet);
    expect(&good, "2/1 pong\nping 2\n");
    hang_up(&quiet);
    hang_up(&good);
}

static void a_message_that_has_begun_does_not_wait_for_ever(void **state)
{
    struct reader mute, half, slow;
    (void)state;

    w.config.http_body_timeout = 1;
    connect_session(&mute, 1, false);
    connect_session(&half, 2, false);
    connect_session(&slow, 3, false);
    expect(&mute, HEAD "open 1\n");
    expect(&slow, HEAD "open 3\n");
    expect(&half, HEAD "open 2\n");
    sends(&half, "whole\nhalf of");
    expect(&half, "2/1 whole\n");
    expect(&half, "bye 2: slow\n");
    expect_end(&half);
    /* one byte now and then keeps it for a second altogether */
    for (int i = 0; i < 60 && !slow.ended; i++) {
        (void)!send(slow.fd, "x", 1, MSG_NOSIGNAL);
        usleep(100000);
        read_some(&slow);
    }
    expect(&slow, "bye 3: slow\n");
    sends(&mute, "here\n"); /* who says nothing owes nothing */
    expect(&mute, "1/1 here\n");
    hang_up(&mute);
    hang_up(&half);
    hang_up(&slow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            each_stream_is_written_to_with_its_own_state, open_all, close_all),
        cmocka_unit_test_setup_teardown(a_state_goes_with_its_stream_once,
                                        open_all, close_all),
        cmocka_unit_test_setup_teardown(
            who_holds_most_goes_when_all_hold_too_much, open_all, close_all),
        cmocka_unit_test_setup_teardown(
            a_message_that_has_begun_does_not_wait_for_ever, open_all,
            close_all),
        cmocka_unit_test_setup_teardown(a_door_pings_by_its_own_clock,
                                        open_all, close_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
