/* What streams are given: from the start, the log and the link. */
#include "test/unit/bridge/stream_fixture.h"

#include <stdatomic.h>

#include "store/read/catchup.h"

/* ---- beginning ----------------------------------------------------------- */

static void what_is_said_after_the_start_arrives(void **state)
{
    struct reader r;

    (void)state;
    say("tok/a", "{\"before\":1}");
    listen_to(&r, "a");
    const struct command one = say("tok/a", "{\n  \"n\": 1\n}");
    const struct command two = say("tok/a", "plain");
    say("tok/b", "{}");
    say("other/a", "{}");
    expect_message(&r, &one, "a", "{\n  \"n\": 1\n}");
    expect_message(&r, &two, "a", "plain");
    expect_nothing(&r, SECOND / 10);
    hang_up(&r);
}

static void what_is_said_after_the_head_was_read_arrives(void **state)
{
    struct reader r;
    const struct stream_opts o = options("paid", "a");

    (void)state;
    const struct command c = say("tok/a", "{}");
    assert_true(adopt(&r, &o));
    expect(&r, HEAD CONNECTED);
    expect_message(&r, &c, "a", "{}");
    hang_up(&r);
}

static void the_start_follows_the_plan(void **state)
{
    struct stream_opts o = options("free", "a");
    struct reader r;
    unsigned long retry_ms, least = 100000, most = 0;

    (void)state;
    assert_true(adopt(&r, &o));
    expect(&r, HEAD "retry: 60000\nevent: status\n"
                    "data: {\"type\":\"connected\",\"retry\":60000}\n\n");
    hang_up(&r);
    o.plan = writing_plan(&w, "local");
    o.is_local_plan = true;
    for (int i = 0; i < 50; i++) {
        assert_true(adopt(&r, &o));
        expect(&r, HEAD "retry: ");
        retry_ms = strtoul(r.got.data + r.checked, NULL, 10);
        least = retry_ms < least ? retry_ms : least;
        most = retry_ms > most ? retry_ms : most;
        r.checked += 5;
        expect(&r, CONNECTED);
        hang_up(&r);
    }
    assert_in_range(least, 2400, 2999);
    assert_in_range(most, 3001, 3600);
}

/* ---- replay -------------------------------------------------------------- */

static void a_cursor_gives_all_after_it_then_live(void **state)
{
    struct command c[40];
    struct reader r;
    char text[16];

    (void)state;
    for (int i = 0; i < 40; i++) {
        snprintf(text, sizeof(text), "[%d]", i);
        c[i] = say("tok/a", text);
    }
    listen_after(&r, "a", c[9].id);
    for (int i = 10; i < 40; i++) {
        snprintf(text, sizeof(text), "[%d]", i);
        expect_message(&r, &c[i], "a", text);
    }
    c[0] = say("tok/a", "live");
    expect_message(&r, &c[0], "a", "live");
    hang_up(&r);
}

static void without_a_suback_the_log_is_read(void **state)
{
    struct reader r;
    struct command c;

    (void)state;
    silent = true;
    listen_to(&r, "a");
    c = say("tok/a", "{\"n\":1}");
    expect_message(&r, &c, "a", "{\"n\":1}");
    c = say("tok/a", "{\"n\":2}");
    silent = false;
    expect_message(&r, &c, "a", "{\"n\":2}");
    c = say("tok/a", "{\"n\":3}");
    expect_message(&r, &c, "a", "{\"n\":3}");
    expect_nothing(&r, SECOND / 10);
    hang_up(&r);
}

static void what_was_replayed_is_not_given_again_by_the_link(void **state)
{
    struct link_message m = {.topic = slice_str("tok/a"),
                             .payload = slice_str("{}")};
    struct reader r;
    struct command c[2];

    (void)state;
    listen_to(&r, "a");
    expect_nothing(&r, SECOND / 20); /* it is live now */
    c[0] = store("tok/a", "{}");
    c[1] = store("tok/a", "{}");
    hang_up(&r);
    listen_after(&r, "a", c[0].id - 1);
    expect_message(&r, &c[0], "a", "{}");
    expect_message(&r, &c[1], "a", "{}");
    expect_nothing(&r, SECOND / 20);
    for (int i = 0; i < 2; i++) {
        m.id = c[i].id;
        m.at_us = c[i].at_us;
        link_opts.on_message(link_opts.arg, &m);
    }
    c[0] = say("tok/a", "[3]");
    expect_message(&r, &c[0], "a", "[3]");
    hang_up(&r);
}

/* Not looked at again: it is JSON for nobody if the log says so. */
static void a_payload_is_what_the_link_says_it_is(void **state)
{
    struct link_message m = {.topic = slice_str("tok/a"),
                             .payload = slice_str("[1]"),
                             .is_classified = true,
                             .payload_class = PAYLOAD_TEXT};
    struct reader r;

    (void)state;
    listen_to(&r, "a");
    expect_nothing(&r, SECOND / 20); /* it is live now */
    const struct command c = store("tok/a", "[1]");
    m.id = c.id;
    m.at_us = c.at_us;
    link_opts.on_message(link_opts.arg, &m);
    expect_message(&r, &c, "a", "\"[1]\"");
    hang_up(&r);
}

static void a_lost_link_costs_nothing_and_doubles_nothing(void **state)
{
    struct reader r;
    struct command c[12];
    char text[16];

    (void)state;
    listen_to(&r, "a");
    for (int i = 0; i < 12; i++) {
        if (i % 3 == 1)
            link_goes_down();
        if (i % 3 == 2)
            link_goes_up();
        snprintf(text, sizeof(text), "[%d]", i);
        c[i] = say("tok/a", text);
        if (i % 4 == 0) /* while up, down, and between */
            expect_message(&r, &c[i], "a", text);
        else if (i % 4 == 3)
            for (int n = i - 2; n <= i; n++) {
                snprintf(text, sizeof(text), "[%d]", n);
                expect_message(&r, &c[n], "a", text);
            }
    }
    expect_nothing(&r, SECOND / 10);
    hang_up(&r);
}

static void removed_messages_are_announced_as_a_gap(void **state)
{
    struct thing_row row;
    struct reader r;
    struct command c[60];
    char text[128];

    (void)state;
    for (int i = 0; i < 60; i++)
        c[i] = say("tok/a", "{}");
    assert_result(trim(&w, "tok/a", c[40].id), OK);
    assert_true(thing_of(&w, "tok/a", &row));
    assert_true(row.trimmed_id > c[20].id);
    listen_after(&r, "a", c[20].id);
    snprintf(text, sizeof(text),
             "event: gap\ndata: {\"from\":%llu,\"to\":%llu}\n\n",
             (unsigned long long)c[20].id + 1,
             (unsigned long long)row.trimmed_id);
    expect(&r, text);
    for (int i = 0; i < 60; i++)
        if (c[i].id > row.trimmed_id)
            expect_message(&r, &c[i], "a", "{}");
    hang_up(&r);
    /* A pattern sees it too; a cursor behind it sees none. */
    listen_after(&r, "#", c[20].id);
    expect(&r, text);
    hang_up(&r);
    listen_after(&r, "a", row.trimmed_id);
    for (int i = 0; i < 60; i++)
        if (c[i].id > row.trimmed_id)
            expect_message(&r, &c[i], "a", "{}");
    expect_nothing(&r, SECOND / 20);
    hang_up(&r);
}

/* What removes a message at a moment that the test chooses: the program is linked
 * so that the streamer's calls of these two come here (CMakeLists.txt). */
#define TURN_OVER_US                                                          \
    5000 /* longer than a stream's step and all streams' turn */
static const char *_Atomic trimmed_in_walk, *_Atomic trimmed_in_reading;
static uint64_t trimmed_through;

bool __real_gap_walk_step(struct gap_walk *g, struct store_reader *r,
                          const struct slice *list, size_t count,
                          unsigned *budget);
bool __wrap_gap_walk_step(struct gap_walk *g, struct store_reader *r,
                          const struct slice *list, size_t count,
                          unsigned *budget);
enum catchup_step __real_catchup_next(struct catchup *c,
                                      struct store_reader *r, uint64_t upto,
                                      unsigned budget,
                                      struct record *ret_record);
enum catchup_step __wrap_catchup_next(struct catchup *c,
                                      struct store_reader *r, uint64_t upto,
                                      unsigned budget,
                                      struct record *ret_record);

/* After the first thing; the walk goes on in the next turn. */
bool __wrap_gap_walk_step(struct gap_walk *g, struct store_reader *r,
                          const struct slice *list, size_t count,
                          unsigned *budget)
{
    const char *topic = atomic_exchange(&trimmed_in_walk, NULL);
    unsigned one = 1;

    if (topic == NULL)
        return __real_gap_walk_step(g, r, list, count, budget);
    const bool done = __real_gap_walk_step(g, r, list, count, &one);
    assert_false(done);
    assert_result(trim(&w, topic, trimmed_through), OK);
    usleep(TURN_OVER_US);
    return done;
}

/* Before the first record; reading goes on in the next turn. */
enum catchup_step __wrap_catchup_next(struct catchup *c,
                                      struct store_reader *r, uint64_t upto,
                                      unsigned budget,
                                      struct record *ret_record)
{
    const char *topic = atomic_exchange(&trimmed_in_reading, NULL);

    if (topic == NULL)
        return __real_catchup_next(c, r, upto, budget, ret_record);
    assert_result(trim(&w, topic, trimmed_through), OK);
    usleep(TURN_OVER_US);
    (void)ret_record;
    return CATCHUP_MORE;
}

static bool has_got(const struct reader *r, const char *text)
{
    return memmem(r->got.data, r->got.len, text, strlen(text)) != NULL;
}

/* Up to which id gaps were announced. */
static uint64_t told_up_to(struct reader *r)
{
    uint64_t most = 0;

    buffer_put_char(&r->got, 0);
    r->got.len--;
    for (const char *at = r->got.data;
         (at = strstr(at, "event: gap\n")) != NULL; at++) {
        const uint64_t to = strtoull(strstr(at, "\"to\":") + 5, NULL, 10);
        most = to > most ? to : most;
    }
    return most;
}

static void wait_for_text(struct reader *r, const char *text)
{
    const int64_t until_us = clock_mono_us() + PATIENCE_US;

    while (!has_got(r, text)) {
        assert_true(clock_mono_us() < until_us);
        pump();
        read_some(r);
        usleep(500);
    }
}

static void check_announced(const char *_Atomic *moment)
{
    struct reader r;

    store("tok/a/x", "{}");
    store("tok/b/x", "{}");
    const uint64_t before = head();
    trimmed_through = store("tok/a/x", "gone").id;
    store("tok/a/x", "kept");
    say("tok/b/x", "end");
    atomic_store(moment, "tok/a/x");
    listen_after(&r, "+/x", before);
    wait_for_text(&r, "end");
    assert_null(*moment);
    assert_true(has_got(&r, "kept"));
    assert_false(has_got(&r, "gone"));
    assert_int_equal(told_up_to(&r), trimmed_through);
    hang_up(&r);
}

static void what_is_removed_while_gaps_are_looked_for_is_announced(
    void **state)
{
    (void)state;
    check_announced(&trimmed_in_walk);
}

static void what_is_removed_while_the_log_is_read_is_announced(void **state)
{
    (void)state;
    check_announced(&trimmed_in_reading);
}

static void a_cursor_from_the_future_is_a_gap(void **state)
{
    struct reader r;
    struct command c = say("tok/a", "{}");
    char text[128];

    (void)state;
    listen_after(&r, "a", c.id + 1000);
    snprintf(text, sizeof(text),
             "id: %llu\nevent: gap\ndata: {\"from\":%llu,\"to\":%llu}\n\n",
             (unsigned long long)c.id, (unsigned long long)c.id + 1000,
             (unsigned long long)c.id);
    expect(&r, text);
    c = say("tok/a", "{}");
    expect_message(&r, &c, "a", "{}");
    hang_up(&r);
}

static void several_filters_give_each_message_once_in_order(void **state)
{
    static const char *const things[] = {"a", "b/x", "c", "b/y/z", "b/x"};
    static const bool wanted[] = {true, true, false, false, true};
    struct reader r, late;
    struct command c[5], first = say("tok/c", "{}");

    (void)state;
    listen_to(&r, "b/+ a b/x");
    for (int i = 0; i < 5; i++) {
        char topic[32];
        snprintf(topic, sizeof(topic), "tok/%s", things[i]);
        c[i] = say(topic, "{}");
    }
    listen_after(&late, "b/x a b/+", first.id);
    for (int i = 0; i < 5; i++) {
        if (!wanted[i])
            continue;
        expect_message(&r, &c[i], things[i], "{}");
        expect_message(&late, &c[i], things[i], "{}");
    }
    expect_nothing(&r, SECOND / 20);
    expect_nothing(&late, SECOND / 20);
    hang_up(&r);
    hang_up(&late);
}

/* ---- framing ------------------------------------------------------------- */

static void expect_raw(struct reader *r, const char *text)
{
    char bytes[1024];
    size_t len = 0;
    const int64_t until_us = clock_mono_us() + PATIENCE_US;

    while (len < strlen(text) && clock_mono_us() < until_us) {
        pump();
        const ssize_t n = recv(r->fd, bytes + len, strlen(text) - len, 0);
        if (n > 0)
            len += (size_t)n;
        usleep(500);
    }
    assert_int_equal(len, strlen(text));
    assert_memory_equal(bytes, text, len);
}

static void put_event(char *text, size_t size, const struct command *c,
                      bool in_chunk)
{
    struct buffer b = BUFFER_INIT;

    sse_put_message(&b, slice_str("tok"), slice_str("a"), slice_str("{}"),
                    PAYLOAD_JSON, c->id, c->at_us);
    if (in_chunk)
        snprintf(text, size, "%zx\r\n%.*s\r\n", b.len, (int)b.len, b.data);
    else
        snprintf(text, size, "%.*s", (int)b.len, b.data);
    buffer_release(&b);
}

/* Byte for byte, what was stored before and what comes live. */
static void on_the_wire(const struct stream_format *wire, const char *start)
{
    char text[512];
    struct stream_opts o = options("paid", "a");
    const struct command before = say("tok/a", "{}");
    struct reader r;

    o.format = wire;
    assert_true(adopt(&r, &o));
    expect_raw(&r, start);
    put_event(text, sizeof(text), &before, wire == &sse_chunked);
    expect_raw(&r, text);
    const struct command live = say("tok/a", "{}");
    put_event(text, sizeof(text), &live, wire == &sse_chunked);
    expect_raw(&r, text);
    hang_up(&r);
}

static void an_event_is_a_chunk_of_its_own(void **state)
{
    (void)state;
    on_the_wire(&sse_chunked, HEAD "2a\r\n" CONNECTED "\r\n");
}

static void without_chunks_the_body_is_the_events(void **state)
{
    (void)state;
    on_the_wire(&sse_until_close, HEAD CONNECTED);
}

/* Readers of both kinds side by side; a large event is not copied for each. */
static void both_framings_get_the_same_events(void **state)
{
    static char large[10001];
    const char *const payloads[] = {"{}", large, "[1]"};
    struct stream_opts o = options("paid", "a");
    struct reader readers[4];

    (void)state;
    memset(large, 'x', sizeof(large) - 1);
    for (int i = 0; i < 4; i++) {
        o.format = i % 2 == 0 ? &sse_chunked : &sse_until_close;
        assert_true(adopt(&readers[i], &o));
        expect(&readers[i], HEAD CONNECTED);
    }
    for (int n = 0; n < 30; n++) {
        const char *payload = payloads[n % 3];
        const struct command c = say("tok/a", payload);
        for (int i = 0; i < 4; i++)
            expect_message(&readers[i], &c, "a", payload);
    }
    for (int i = 0; i < 4; i++)
        hang_up(&readers[i]);
}

/* ---- slow readers -------------------------------------------------------- */

#define SLOW_COUNT 160

static void a_slow_reader_gets_everything_once_in_order(void **state)
{
    static struct command c[SLOW_COUNT];
    static char payload[8001];
    struct reader slow, quick;

    (void)state;
    memset(payload, 'x', sizeof(payload) - 1);
    listen_to(&slow, "a");
    listen_to(&quick, "a");
    for (int i = 0; i < SLOW_COUNT; i++) {
        c[i] = say("tok/a", payload);
        expect_message(&quick, &c[i], "a", payload);
    }
    for (int i = 0; i < SLOW_COUNT; i++)
        expect_message(&slow, &c[i], "a", payload);
    c[0] = say("tok/a", "{}");
    expect_message(&slow, &c[0], "a", "{}");
    hang_up(&slow);
    hang_up(&quick);
}

/* ---- messages that come while others are being sent ----------------------- */

#define CROWD 150
#define MANY 700

/* What message n is of: a, for the crowd; b, for one other reader, and often at
 * the end; and some of a are large, which are sent in another way. */
static const char *crowd_thing(int n)
{
    return n % 97 == 96 || (n > MANY - 20 && n % 3 == 0) ? "b" : "a";
}

/* It does not arrive: it is in the log only. */
static bool is_lost(int n)
{
    return n % 45 == 44;
}

static const char *payload_of(int n)
{
    static char text[6000];

    snprintf(text, sizeof(text), "[%d]", n);
    if (n % 211 == 210)
        snprintf(text, sizeof(text), "\"%d %5000s\"", n, "");
    return text;
}

static void what_comes_while_others_are_sent_comes_once_in_order(void **state)
{
    static struct command c[MANY];
    static struct reader readers[CROWD + 1];
    char topic[16];

    (void)state;
    for (int i = 0; i <= CROWD; i++) {
        const struct stream_opts o = options("paid", i < CROWD ? "a" : "b a");
        assert_true(adopt(&readers[i], &o));
        expect(&readers[i], HEAD CONNECTED);
    }
    c[0] = say("tok/a", payload_of(0)); /* all of them are live after it */
    for (int i = 0; i <= CROWD; i++)
        expect_message(&readers[i], &c[0], "a", payload_of(0));
    for (int n = 1; n < MANY; n++) {
        snprintf(topic, sizeof(topic), "tok/%s", crowd_thing(n));
        c[n] = store(topic, payload_of(n));
    }
    /* About as fast as one is sent to all. */
    for (int n = 1; n < MANY; n++) {
        if (is_lost(n)) {
            link_goes_down(); /* LOST is raised, as by a full mailbox… */
            continue;
        }
        if (!up && n % 45 == 9) /* …and others follow before it is seen */
            link_goes_up();
        snprintf(topic, sizeof(topic), "tok/%s", crowd_thing(n));
        link_opts.on_message(link_opts.arg,
                             &(struct link_message){.topic = slice_str(topic),
                                                    .payload = slice_str(
                                                        payload_of(n)),
                                                    .id = c[n].id,
                                                    .seq = c[n].seq,
                                                    .at_us = c[n].at_us});
        pump();
        if (n % 2 == 0)
            usleep(20);
    }
    for (int i = 0; i <= CROWD; i++) {
        for (int n = 1; n < MANY; n++)
            if (i == CROWD || *crowd_thing(n) == 'a')
                expect_message(&readers[i], &c[n], crowd_thing(n),
                               payload_of(n));
        expect_nothing(&readers[i], 0);
        hang_up(&readers[i]);
    }
}

/* ---- everything at once -------------------------------------------------- */

#define READERS 24
#define ROUNDS 960

/* Readers come and go, the link comes and goes, SUBACKs are late; each reader
 * gets everything from its start on, once, in order. */
static void nothing_is_lost_or_doubled_whatever_the_link_does(void **state)
{
    static struct command c[ROUNDS];
    static struct reader readers[READERS];
    static int first[READERS];
    char text[16];

    (void)state;
    srand(7);
    for (int n = 0; n < ROUNDS; n++) {
        if (n % (ROUNDS / READERS) == 0 && n / (ROUNDS / READERS) < READERS) {
            const int i = n / (ROUNDS / READERS);
            const struct stream_opts o =
                options("paid", i % 3 == 0   ? "#"
                                : i % 3 == 1 ? "a"
                                             : "a b +");
            assert_true(adopt(&readers[i], &o));
            first[i] = n;
        }
        switch (rand() % 40) {
        case 0: link_goes_down(); break;
        case 1:
            if (!up)
                link_goes_up();
            break;
        case 2: silent = true; break;
        case 3: silent = false; break;
        default: break;
        }
        snprintf(text, sizeof(text), "[%d]", n);
        c[n] = say("tok/a", text);
        if (n % 7 == 0)
            read_some(
                &readers[rand() % (n / (ROUNDS / READERS) % READERS + 1)]);
    }
    silent = false;
    if (!up)
        link_goes_up();
    for (int i = 0; i < READERS; i++) {
        expect(&readers[i], HEAD CONNECTED);
        for (int n = first[i]; n < ROUNDS; n++) {
            snprintf(text, sizeof(text), "[%d]", n);
            expect_message(&readers[i], &c[n], "a", text);
        }
        expect_nothing(&readers[i], 0);
    }
    for (int i = 0; i < READERS; i++)
        hang_up(&readers[i]);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_all, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_said_after_the_start_arrives),
        TEST(what_is_said_after_the_head_was_read_arrives),
        TEST(the_start_follows_the_plan),
        TEST(a_cursor_gives_all_after_it_then_live),
        TEST(without_a_suback_the_log_is_read),
        TEST(what_was_replayed_is_not_given_again_by_the_link),
        TEST(a_payload_is_what_the_link_says_it_is),
        TEST(a_lost_link_costs_nothing_and_doubles_nothing),
        TEST(removed_messages_are_announced_as_a_gap),
        TEST(what_is_removed_while_gaps_are_looked_for_is_announced),
        TEST(what_is_removed_while_the_log_is_read_is_announced),
        TEST(a_cursor_from_the_future_is_a_gap),
        TEST(several_filters_give_each_message_once_in_order),
        TEST(an_event_is_a_chunk_of_its_own),
        TEST(without_chunks_the_body_is_the_events),
        TEST(both_framings_get_the_same_events),
        TEST(a_slow_reader_gets_everything_once_in_order),
        TEST(what_comes_while_others_are_sent_comes_once_in_order),
        TEST(nothing_is_lost_or_doubled_whatever_the_link_does),
    };

    return RUN_IN_BOTH_FRAMINGS(tests);
}
