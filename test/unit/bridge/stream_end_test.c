/* How streams end: idle, revoked, hung up on, stopped. */
#include "test/unit/bridge/stream_fixture.h"

#include "base/filter_shape.h"

/* ---- time ---------------------------------------------------------------- */

static void an_idle_stream_is_told_and_closed(void **state)
{
    static struct plan plan; /* until close_all() streams look at it */
    struct stream_opts o = options("paid", "a");
    struct reader r;

    (void)state;
    plan = *writing_plan(&w, "paid");
    plan.idle_timeout = 2;
    plan.keepalive = 1; /* comments are not activity */
    o.plan = &plan;
    const int64_t since_us = clock_mono_us();
    assert_true(adopt(&r, &o));
    expect(&r, HEAD CONNECTED
           ": keepalive\n\nevent: session\n"
           "data: {\"type\":\"expired\",\"reason\":\"idle\"}\n\n");
    assert_true(clock_mono_us() - since_us >= 2 * SECOND);
    expect_end(&r);
    expect_complete(&r);
    hang_up(&r);
    wait_for_count(0);
}

static void messages_put_comments_off(void **state)
{
    static struct plan plan; /* until close_all() streams look at it */
    struct stream_opts o = options("paid", "a");
    struct reader r;

    (void)state;
    plan = *writing_plan(&w, "paid");
    plan.keepalive = 2;
    o.plan = &plan;
    assert_true(adopt(&r, &o));
    expect(&r, HEAD CONNECTED);
    for (int i = 0; i < 3; i++) {
        usleep(900000);
        const struct command c = say("tok/a", "{}");
        expect_message(&r, &c, "a", "{}");
    }
    expect(&r, ": keepalive\n\n");
    hang_up(&r);
}

/* ---- readers that go ----------------------------------------------------- */

static void a_reader_that_hangs_up_is_forgotten(void **state)
{
    struct reader r;

    (void)state;
    listen_to(&r, "a");
    assert_int_equal(streams_count(streams), 1);
    assert_int_equal(streams_count_of(streams, slice_str("tok")), 1);
    hang_up(&r);
    wait_for_count(0);
    assert_int_equal(streams_count_of(streams, slice_str("tok")), 0);
}

static void a_half_closed_reader_still_reads(void **state)
{
    struct reader r;
    struct command c;

    (void)state;
    listen_to(&r, "a");
    assert_int_equal(shutdown(r.fd, SHUT_WR), 0);
    expect(&r, ": keepalive\n\n"); /* is it still there? */
    usleep(1200000);
    c = say("tok/a", "{}");
    expect_message(&r, &c, "a", "{}");
    assert_int_equal(streams_count(streams), 1);
    hang_up(&r);
    wait_for_count(0);
}

static void what_a_reader_sends_is_read_and_thrown_away(void **state)
{
    static const char noise[60000];
    struct reader r;
    struct command c;

    (void)state;
    listen_to(&r, "a");
    for (int i = 0; i < 10; i++)
        (void)!send(r.fd, noise, sizeof(noise), MSG_NOSIGNAL);
    c = say("tok/a", "{}");
    expect_message(&r, &c, "a", "{}");
    for (int i = 0; i < 2000 && streams_count(streams) > 0; i++) {
        (void)!send(r.fd, noise, sizeof(noise), MSG_NOSIGNAL);
        usleep(1000);
    }
    assert_int_equal(streams_count(streams), 0); /* too much is too much */
    hang_up(&r);
}

static void a_plan_bounds_the_streams_of_a_token(void **state)
{
    static struct plan plan; /* until close_all() streams look at it */
    struct stream_opts o = options("paid", "a");
    struct reader r[3];

    (void)state;
    plan = *writing_plan(&w, "paid");
    plan.connections = 2;
    o.plan = &plan;
    assert_true(adopt(&r[0], &o));
    assert_true(adopt(&r[1], &o));
    assert_false(adopt(&r[2], &o));
    o.token = slice_str("other");
    assert_true(adopt(&r[2], &o));
    o.token = slice_str("tok");
    hang_up(&r[0]);
    wait_for_count(2);
    assert_true(adopt(&r[0], &o));
    for (int i = 0; i < 3; i++)
        hang_up(&r[i]);
}

/* As with MQTT: what a message costs grows with them. */
static void a_token_has_streams_of_so_many_shapes(void **state)
{
    static struct reader readers[FILTER_SHAPES_MAX];
    struct stream_opts o = options("paid", "a");
    struct slice filter;
    struct reader r;
    char text[64];
    int fds[2];

    (void)state;
    o.things = &filter;
    for (unsigned n = 1; n <= FILTER_SHAPES_MAX + 1; n++) {
        int len = 0;
        for (unsigned bit = 0; bit < 8; bit++)
            len += snprintf(text + len, sizeof(text) - (size_t)len,
                            (n >> bit & 1) != 0 ? "/+" : "/x");
        filter = slice_of(text + 1, (size_t)len - 1);
        if (n <= FILTER_SHAPES_MAX)
            assert_true(adopt(&readers[n - 1], &o));
    }
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds),
                     0);
    assert_int_equal(streams_adopt(streams, fds[1], &o), STREAMS_TOO_VARIED);
    close(fds[0]);
    close(fds[1]);
    o.token = slice_str("other");
    assert_true(adopt(&r, &o));
    o.token = slice_str("tok");
    hang_up(&r);
    wait_for_count(FILTER_SHAPES_MAX);
    hang_up(&readers[0]);
    wait_for_count(FILTER_SHAPES_MAX - 1);
    /* counted last, so a moment after the stream itself */
    const int64_t until_us = clock_mono_us() + PATIENCE_US;
    while (!adopt(&readers[0], &o) && clock_mono_us() < until_us)
        usleep(1000);
    expect(&readers[0], HEAD CONNECTED);
    for (unsigned n = 0; n < FILTER_SHAPES_MAX; n++)
        hang_up(&readers[n]);
}

static void a_filter_that_is_none_is_refused(void **state)
{
    struct stream_opts o = options("paid", "a/#/b");
    struct reader r;

    (void)state;
    assert_false(adopt(&r, &o));
    o = options("paid", "");
    assert_false(adopt(&r, &o));
    assert_int_equal(streams_count(streams), 0);
}

/* ---- revocation ---------------------------------------------------------- */

static void a_revoked_token_loses_its_streams(void **state)
{
    const struct link_message m = {
        .topic = slice_str(EVENTS_PREFIX "tok/" EVENT_REVOKED "/")};
    struct stream_opts o = options("paid", "a");
    struct reader one, two, other;

    (void)state;
    listen_to(&one, "a");
    listen_to(&two, "#");
    o.token = slice_str("tok2");
    assert_true(adopt(&other, &o));
    expect(&other, HEAD CONNECTED);
    link_opts.on_message(link_opts.arg, &m);
    expect_end(&one);
    expect_complete(&one);
    expect_end(&two);
    expect_complete(&two);
    expect_nothing(&other, SECOND / 20);
    wait_for_count(1);
    assert_false(other.ended);
    hang_up(&one);
    hang_up(&two);
    hang_up(&other);
}

static void a_revocation_while_the_link_was_down_is_noticed(void **state)
{
    struct reader r;

    (void)state;
    assert_result(create_token(&w, "tok", "paid"), OK);
    listen_to(&r, "a");
    link_goes_down();
    assert_result(revoke_token(&w, "tok"), OK);
    expect_nothing(&r, SECOND / 10);
    link_goes_up();
    expect_end(&r);
    hang_up(&r);
}

static void a_revocation_nobody_told_of_is_found(void **state)
{
    struct reader r;
    int64_t until_us = clock_mono_us() + 15 * SECOND;

    (void)state;
    assert_result(create_token(&w, "tok", "paid"), OK);
    listen_to(&r, "a");
    assert_result(revoke_token(&w, "tok"), OK);
    while (streams_count(streams) > 0 && clock_mono_us() < until_us) {
        read_some(&r); /* comments */
        usleep(10000);
    }
    assert_int_equal(streams_count(streams), 0);
    hang_up(&r);
}

static void a_revocation_before_the_stream_is_listed_is_noticed(void **state)
{
    const struct stream_opts o = options("paid", "a");
    struct reader r;

    (void)state;
    assert_result(create_token(&w, "tok", "paid"), OK);
    assert_result(revoke_token(&w, "tok"), OK);
    assert_true(adopt(&r, &o));
    expect_end(&r);
    wait_for_count(0);
    hang_up(&r);
}

static bool ends_with_an_event(const struct reader *r)
{
    return r->got.len >= 2 &&
           memcmp(r->got.data + r->got.len - 2, "\n\n", 2) == 0;
}

/* What it is still owed is dropped up to the end of an event; then the end. */
static void a_revoked_reader_that_is_behind_sees_a_clean_end(void **state)
{
    static char payload[1000001];
    const struct link_message m = {
        .topic = slice_str(EVENTS_PREFIX "tok/" EVENT_REVOKED "/")};
    struct reader r;

    (void)state;
    memset(payload, 'x', sizeof(payload) - 1);
    listen_to(&r, "a");
    say("tok/a", payload);
    say("tok/a", payload);
    link_opts.on_message(link_opts.arg, &m);
    const int64_t until_us = clock_mono_us() + PATIENCE_US;
    while (!r.ended && clock_mono_us() < until_us) {
        read_some(&r);
        usleep(200);
    }
    assert_true(r.ended);
    assert_true(ends_with_an_event(&r));
    expect_complete(&r);
    hang_up(&r);
}

/* ---- the end ------------------------------------------------------------- */

static void stopping_ends_every_stream_at_an_event(void **state)
{
    static char payload[100001];
    struct reader quick, slow, asleep;

    (void)state;
    memset(payload, 'x', sizeof(payload) - 1);
    listen_to(&quick, "b");
    listen_to(&slow, "a");
    listen_to(&asleep, "a");
    for (int i = 0; i < 10; i++)
        say("tok/a", payload);
    usleep(50000);
    const int64_t since_us = clock_mono_us();
    stop_streams(NULL);
    assert_true(clock_mono_us() - since_us < 3 * SECOND);
    expect_end(&quick);
    expect_cut_off(&quick);
    read_some(&asleep); /* never read while it lived: whatever it got */
    hang_up(&quick);
    hang_up(&slow);
    hang_up(&asleep);
}

static void stopping_lets_a_reader_finish_the_event(void **state)
{
    static char payload[1000001];
    struct reader r;
    pthread_t stopper;

    (void)state;
    memset(payload, 'x', sizeof(payload) - 1);
    listen_to(&r, "a");
    say("tok/a", payload);
    say("tok/a", payload);
    usleep(50000);
    assert_int_equal(pthread_create(&stopper, NULL, stop_streams, NULL), 0);
    usleep(200000); /* stopping has begun before the first byte is taken */
    const int64_t until_us = clock_mono_us() + PATIENCE_US;
    while (!r.ended && clock_mono_us() < until_us) {
        read_some(&r);
        usleep(200);
    }
    pthread_join(stopper, NULL);
    assert_true(r.ended);
    assert_true(ends_with_an_event(&r));
    expect_cut_off(&r);
    assert_true(r.got.len > sizeof(payload));
    assert_true(r.got.len < 2 * sizeof(payload));
    hang_up(&r);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_all, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_idle_stream_is_told_and_closed),
        TEST(messages_put_comments_off),
        TEST(a_reader_that_hangs_up_is_forgotten),
        TEST(a_half_closed_reader_still_reads),
        TEST(what_a_reader_sends_is_read_and_thrown_away),
        TEST(a_plan_bounds_the_streams_of_a_token),
        TEST(a_token_has_streams_of_so_many_shapes),
        TEST(a_filter_that_is_none_is_refused),
        TEST(a_revoked_token_loses_its_streams),
        TEST(a_revocation_while_the_link_was_down_is_noticed),
        TEST(a_revocation_nobody_told_of_is_found),
        TEST(a_revocation_before_the_stream_is_listed_is_noticed),
        TEST(a_revoked_reader_that_is_behind_sees_a_clean_end),
        TEST(stopping_ends_every_stream_at_an_event),
        TEST(stopping_lets_a_reader_finish_the_event),
    };

    return RUN_IN_BOTH_FRAMINGS(tests);
}
