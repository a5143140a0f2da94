#include "bridge/link/link.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/envelope.h"
#include "base/log.h"
#include "base/vocabulary.h"
#include "bridge/link/link_bundle.h"
#include "test/unit/bridge/scripted_broker.h"

#define SECOND INT64_C(1000000)

static char folder[] = "/tmp/link_test.XXXXXX";
static char path[64];

/* What the link's callbacks saw, one line each. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct buffer seen;

#define SEEN(...)                                                             \
    do {                                                                      \
        pthread_mutex_lock(&mutex);                                           \
        buffer_printf(&seen, __VA_ARGS__);                                    \
        pthread_mutex_unlock(&mutex);                                         \
    } while (0)

static void on_up(void *arg, uint64_t generation)
{
    (void)arg;
    SEEN("up %u\n", (unsigned)generation);
}

static void on_down(void *arg)
{
    (void)arg;
    SEEN("down\n");
}

static void on_message(void *arg, const struct link_message *m)
{
    (void)arg;
    SEEN("message %.*s %.*s %u %u %lld\n", (int)m->topic.len,
         (const char *)m->topic.data, (int)m->payload.len,
         (const char *)m->payload.data, (unsigned)m->id, (unsigned)m->seq,
         (long long)m->at_us);
    if (m->is_classified)
        SEEN("class %u\n", m->payload_class);
}

static void on_subscribed(void *arg, struct slice filter, bool ok)
{
    (void)arg;
    SEEN("subscribed %.*s %d\n", (int)filter.len, (const char *)filter.data,
         ok);
}

/* Waits (5 s) until the callbacks saw exactly that. */
static void expect_seen(const char *expected)
{
    bool same = false;

    for (int i = 0; i < 2500 && !same; i++) {
        pthread_mutex_lock(&mutex);
        same = seen.len == strlen(expected) &&
               memcmp(seen.data, expected, seen.len) == 0;
        pthread_mutex_unlock(&mutex);
        if (!same)
            usleep(2000);
    }
    if (!same) {
        buffer_put_char(&seen, 0);
        assert_string_equal(seen.data, expected);
    }
}

/* Longer than any test: messages wait for an answer, not for time to pass. */
#define PATIENT 60.

static struct link *start_with(size_t queue_bound, double gather_s)
{
    const struct link_opts opts = {
        .socket_path = path,
        .queue_bound = queue_bound,
        .gather_s = gather_s,
        .on_up = on_up,
        .on_down = on_down,
        .on_message = on_message,
        .on_subscribed = on_subscribed,
    };
    struct link *l;

    buffer_clear(&seen);
    l = link_start(&opts);
    assert_non_null(l);
    return l;
}

static struct link *start(size_t queue_bound)
{
    return start_with(queue_bound, PATIENT);
}

static void wait_up(const struct link *l)
{
    for (int i = 0; i < 2500 && !link_is_up(l); i++)
        usleep(2000);
    assert_true(link_is_up(l));
}

static void stop(struct link *l)
{
    link_stop(l, 0);
    link_free(l);
}

static void on_done(struct link_request *q)
{
    atomic_fetch_add((atomic_int *)q->owner, 1);
}

struct test_post {
    struct link_request q;
    atomic_int done;
};

static void make_post(struct test_post *p, const char *topic,
                      int64_t patience_us)
{
    *p = (struct test_post){
        .q = {.topic = slice_str(topic),
              .payload = slice_str("{\"n\":1}"),
              .is_json = true,
              .window_start_us = 5,
              .idempotency = slice_str("key"),
              .deadline_us = clock_mono_us() + patience_us,
              .done = on_done},
    };
    p->q.owner = &p->done;
}

static void wait_done(struct test_post *p)
{
    for (int i = 0; i < 2500 && atomic_load(&p->done) == 0; i++)
        usleep(2000);
    assert_int_equal(atomic_load(&p->done), 1);
}

static void expect_log(struct scripted_broker *b, size_t lines,
                       const char *expected)
{
    char *log = scripted_broker_log(b, lines);

    assert_string_equal(log, expected);
    free(log);
}

/* ---- tests --------------------------------------------------------------- */

static void an_answer_carries_what_the_broker_says(void **state)
{
    struct scripted_broker *b = scripted_broker_start(path, 0);
    struct link *l = start(0);
    struct test_post p;

    (void)state;
    make_post(&p, "tok/a", 5 * SECOND);
    assert_true(link_publish(l, &p.q)); /* the link may not be up yet */
    wait_done(&p);
    assert_int_equal(p.q.outcome, LINK_ANSWERED);
    assert_int_equal(p.q.status, 200);
    assert_int_equal(p.q.id, 1);
    assert_true(p.q.seq == UINT64_MAX);
    assert_int_equal(p.q.at_us, INT64_C(1795242737123456));
    assert_int_equal(p.q.remaining, 99);
    assert_int_equal(p.q.retry_after_s, 17);
    assert_true(p.q.repeated);
    assert_string_equal(p.q.reason, "as you wish");
    assert_int_equal(p.q.result_len, 7);
    assert_string_equal(p.q.result, "{\"a\":1}");
    free(p.q.result);
    stop(l);
    scripted_broker_stop(b);
}

/* Posts to t/0, t/1 … until `lines` lines are logged; nothing is answered yet. */
static void post_unanswered(struct link *l, struct scripted_broker *b,
                            struct test_post *posts, int from, int to,
                            size_t lines)
{
    static const char *const topics[] = {"t/0", "t/1", "t/2",
                                         "t/3", "t/4", "t/5"};

    for (int i = from; i < to; i++) {
        make_post(&posts[i], topics[i], 5 * SECOND);
        assert_true(link_publish(l, &posts[i].q));
    }
    free(scripted_broker_log(b, lines));
}

static void expect_answers(struct test_post *posts, int count, int first_id)
{
    for (int i = 0; i < count; i++) {
        wait_done(&posts[i]);
        assert_int_equal(posts[i].q.outcome, LINK_ANSWERED);
        assert_int_equal(posts[i].q.status, 200);
        assert_int_equal(posts[i].q.id, first_id + i);
        assert_int_equal(posts[i].q.at_us, INT64_C(1795242737123456));
        assert_true(posts[i].q.seq == UINT64_MAX);
        assert_int_equal(posts[i].q.remaining, 99);
        assert_int_equal(posts[i].q.retry_after_s, 17);
        assert_true(posts[i].q.repeated);
        assert_string_equal(posts[i].q.reason, "as you wish");
        free(posts[i].q.result);
    }
}

static void messages_that_wait_share_a_publish(void **state)
{
    struct scripted_broker *b = scripted_broker_start(path, 0);
    struct link *l = start(0);
    struct test_post posts[6], command;

    (void)state;
    wait_up(l);
    scripted_broker_do(b, SCRIPT_IGNORE, 0);
    post_unanswered(l, b, posts, 0, 1, 2);
    post_unanswered(l, b, posts, 1, 5, 2); /* behind it */
    make_post(&command, "$confab/ping", 5 * SECOND);
    assert_true(link_publish(l, &command.q));
    scripted_broker_do(b, SCRIPT_ACK, 0);
    scripted_broker_ack_ignored(b);
    expect_answers(posts, 5, 1);
    wait_done(&command);
    free(command.q.result);
    expect_log(b, 4,
               "connect 1\npublish t/0 1\n"
               "bundle t/1 2 t/2 3 t/3 4 t/4 5\npublish $confab/ping 6\n");
    stop(l);
    scripted_broker_stop(b);
}

#define CROWD 70
static struct test_post crowd[CROWD];
static char names[CROWD][300];
static char large[20000];

/* Posts number i, with a topic of `topic_len` and a payload of `size` bytes. */
static void post_sized(struct link *l, int i, size_t topic_len, size_t size)
{
    memset(names[i], 'x', topic_len);
    names[i][topic_len] = 0;
    memcpy(names[i], "t/", 2);
    make_post(&crowd[i], names[i], 5 * SECOND);
    crowd[i].q.payload = slice_of(large, size);
    assert_true(link_publish(l, &crowd[i].q));
}

/* It is under way after this. */
static void post_first(struct link *l, struct scripted_broker *b)
{
    post_sized(l, 0, 3, 1);
    free(scripted_broker_log(b, 2));
}

static size_t count_of(const char *text, const char *part)
{
    size_t n = 0;

    while ((text = strstr(text, part)) != NULL)
        n++, text++;
    return n;
}

/* Waits for the line and returns how many messages it says. */
static size_t messages_in_line(struct scripted_broker *b, size_t line)
{
    char *log = scripted_broker_log(b, line);
    const char *at = log;

    for (size_t i = 1; i < line; i++)
        at = strchr(at, '\n') + 1;
    const size_t n = count_of(at, "t/");
    free(log);
    return n;
}

static void a_full_bundle_does_not_wait(void **state)
{
    static const struct {
        size_t size;
        int posts;
        size_t bundled;
    } cases[] = {
        {1, LINK_BUNDLE_MAX + 1, LINK_BUNDLE_MAX}, {16384, 8, 7}, /* 120 KiB */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct scripted_broker *b = scripted_broker_start(path, 0);
        struct link *l = start(0);
        wait_up(l);
        scripted_broker_do(b, SCRIPT_IGNORE, 0);
        post_first(l, b);
        for (int k = 0; k < cases[i].posts; k++)
            post_sized(l, 1 + k, 3, cases[i].size);
        assert_int_equal(messages_in_line(b, 3), cases[i].bundled);
        stop(l);
        scripted_broker_stop(b);
    }
}

static void what_the_next_cannot_join_does_not_wait(void **state)
{
    struct scripted_broker *b = scripted_broker_start(path, 0);
    struct link *l = start(0);

    (void)state;
    wait_up(l);
    scripted_broker_do(b, SCRIPT_IGNORE, 0);
    post_first(l, b);
    for (int i = 1; i < 9; i++)
        post_sized(l, i, 3, i % 2 == 1 ? 1 : LINK_BUNDLE_PAYLOAD_MAX + 1);
    assert_int_equal(messages_in_line(b, 10), 1);
    stop(l);
    scripted_broker_stop(b);
}

static void without_an_answer_messages_go_on_their_way_soon(void **state)
{
    struct scripted_broker *b = scripted_broker_start(path, 0);
    struct link *l = start_with(0, 0.002);

    (void)state;
    wait_up(l);
    scripted_broker_do(b, SCRIPT_IGNORE, 0);
    post_first(l, b);
    post_sized(l, 1, 3, 1);
    assert_int_equal(messages_in_line(b, 3), 1);
    post_sized(l, 2, 3, 1); /* and again */
    assert_int_equal(messages_in_line(b, 4), 1);
    stop(l);
    scripted_broker_stop(b);
}

/* 135,168: the broker's limit for administrators where no plan allows payloads
 * above 4 KiB. 65,536: no such broker, but what is too large together is not
 * too large alone. */
static void a_bundle_is_not_refused_for_its_size(void **state)
{
    static const uint32_t limits[] = {135168, 65536};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct scripted_broker *b = scripted_broker_start(path, 0);
        scripted_broker_limit_packets(b, limits[i]);
        struct link *l = start(0);
        wait_up(l);
        scripted_broker_do(b, SCRIPT_IGNORE, 0);
        post_first(l, b);
        for (int k = 1; k < 40; k++)
            post_sized(l, k, 250, k == 5 ? 10 : 4096);
        scripted_broker_do(b, SCRIPT_ACK, 0);
        scripted_broker_ack_ignored(b);
        for (int k = 0; k < 40; k++) {
            wait_done(&crowd[k]);
            assert_int_equal(crowd[k].q.status, 200);
            free(crowd[k].q.result);
        }
        stop(l);
        scripted_broker_stop(b);
    }
}

static void after_a_loss_the_unanswered_is_sent_again_as_it_was(void **state)
{
    struct scripted_broker *b = scripted_broker_start(path, 0);
    struct link *l = start(0);
    struct test_post posts[6];

    (void)state;
    wait_up(l);
    scripted_broker_do(b, SCRIPT_IGNORE, 0);
    post_unanswered(l, b, posts, 0, 1, 2);
    post_unanswered(l, b, posts, 1, 4, 2);
    scripted_broker_cut(b);
    free(scripted_broker_log(b, 4)); /* all in one now */
    post_unanswered(l, b, posts, 4, 6, 4);
    scripted_broker_do(b, SCRIPT_ACK, 0);
    scripted_broker_cut(b);
    expect_answers(posts, 6, 1);
    expect_log(b, 6,
               "connect 1\npublish t/0 1\n"
               "connect 2\nbundle t/0 1 t/1 2 t/2 3 t/3 4\n"
               "connect 3\nbundle t/0 1 t/1 2 t/2 3 t/3 4 t/4 5 t/5 6\n");
    expect_seen("up 1\ndown\nup 2\ndown\nup 3\n");
    stop(l);
    scripted_broker_stop(b);
}

static void one_of_a_bundle_may_end_before_the_others(void **state)
{
    struct scripted_broker *b = scripted_broker_start(path, 0);
    struct link *l = start(0);
    struct test_post posts[5];

    (void)state;
    wait_up(l);
    scripted_broker_do(b, SCRIPT_IGNORE, 0);
    post_unanswered(l, b, posts, 0, 1, 2);
    post_unanswered(l, b, posts, 1, 3, 2);
    make_post(&posts[3], "t/late", SECOND / 2);
    assert_true(link_publish(l, &posts[3].q));
    make_post(&posts[4], "t/4", 5 * SECOND);
    assert_true(link_publish(l, &posts[4].q));
    scripted_broker_ack_ignored(b);
    expect_answers(posts, 1, 1);
    wait_done(&posts[3]);
    assert_int_equal(posts[3].q.outcome, LINK_TIMEOUT);
    scripted_broker_ack_ignored(b);
    expect_answers(posts + 1, 2, 2);
    expect_answers(posts + 4, 1, 5);
    assert_int_equal(atomic_load(&posts[3].done), 1);
    expect_log(b, 3,
               "connect 1\npublish t/0 1\n"
               "bundle t/1 2 t/2 3 t/late 4 t/4 5\n");
    stop(l);
    scripted_broker_stop(b);
}

static void past_its_deadline_the_outcome_is_unknown(void **state)
{
    struct scripted_broker *b = scripted_broker_start(path, 0);
    struct link *l = start(0);
    struct test_post late, next;

    (void)state;
    wait_up(l);
    scripted_broker_do(b, SCRIPT_IGNORE, 1);
    make_post(&late, "t/late", SECOND / 5);
    assert_true(link_publish(l, &late.q));
    wait_done(&late);
    assert_int_equal(late.q.outcome, LINK_TIMEOUT);
    assert_null(late.q.result);
    scripted_broker_ack_ignored(b); /* nobody waits for it any more */
    make_post(&next, "t/next", 5 * SECOND);
    assert_true(link_publish(l, &next.q));
    wait_done(&next);
    assert_int_equal(next.q.outcome, LINK_ANSWERED);
    assert_int_equal(atomic_load(&late.done), 1);
    free(next.q.result);
    stop(l);
    scripted_broker_stop(b);
}

static void without_a_broker_requests_end_after_two_seconds(void **state)
{
    struct link *l = start(0);
    const int64_t since = clock_mono_us();
    struct test_post p;

    (void)state;
    make_post(&p, "t/a", 30 * SECOND);
    assert_true(link_publish(l, &p.q));
    wait_done(&p);
    assert_int_equal(p.q.outcome, LINK_AWAY);
    assert_true(clock_mono_us() - since >= 19 * SECOND / 10);
    /* It is away for good: no more waiting in vain. */
    assert_false(link_publish(l, &p.q));
    assert_int_equal(atomic_load(&p.done), 1);
    stop(l);
}

static void a_request_survives_a_broker_that_comes_late(void **state)
{
    struct link *l = start(0);
    struct scripted_broker *b;
    struct test_post p;

    (void)state;
    make_post(&p, "t/a", 30 * SECOND);
    assert_true(link_publish(l, &p.q));
    usleep(300000);
    b = scripted_broker_start(path, 0);
    wait_done(&p);
    assert_int_equal(p.q.outcome, LINK_ANSWERED);
    free(p.q.result);
    stop(l);
    scripted_broker_stop(b);
}

static void no_more_are_under_way_than_the_broker_takes(void **state)
{
    struct scripted_broker *b = scripted_broker_start(path, 3);
    struct link *l = start(0);
    struct test_post posts[5];

    (void)state;
    scripted_broker_do(b, SCRIPT_IGNORE, 5);
    for (int i = 0; i < 5; i++) {
        make_post(&posts[i], "$confab/ping", 30 * SECOND);
        assert_true(link_publish(l, &posts[i].q));
    }
    expect_log(b, 4,
               "connect 1\npublish $confab/ping 1\npublish $confab/ping 2\n"
               "publish $confab/ping 3\n");
    usleep(50000);
    expect_log(b, 4,
               "connect 1\npublish $confab/ping 1\npublish $confab/ping 2\n"
               "publish $confab/ping 3\n");
    scripted_broker_ack_ignored(b);
    free(scripted_broker_log(b, 6));
    scripted_broker_ack_ignored(b);
    for (int i = 0; i < 5; i++) {
        wait_done(&posts[i]);
        free(posts[i].q.result);
    }
    stop(l);
    scripted_broker_stop(b);
}

static void a_full_queue_refuses(void **state)
{
    struct scripted_broker *b = scripted_broker_start(path, 0);
    struct link *l = start(2);
    struct test_post posts[3];

    (void)state;
    wait_up(l);
    scripted_broker_do(b, SCRIPT_IGNORE, 0);
    for (int i = 0; i < 3; i++) {
        make_post(&posts[i], "t/a", 30 * SECOND);
        assert_int_equal(link_publish(l, &posts[i].q), i < 2);
    }
    free(
        scripted_broker_log(b, 2)); /* both, or one that the other waits for */
    scripted_broker_do(b, SCRIPT_ACK, 0);
    scripted_broker_ack_ignored(b);
    wait_done(&posts[0]);
    wait_done(&posts[1]);
    assert_true(link_publish(l, &posts[2].q));
    wait_done(&posts[2]);
    for (int i = 0; i < 3; i++)
        free(posts[i].q.result);
    stop(l);
    scripted_broker_stop(b);
}

static void end_post(struct test_post *p)
{
    wait_done(p);
    free(p->q.result);
}

/* 64 places: a token has a quarter of them, whatever it sends. */
static void one_token_leaves_the_others_room(void **state)
{
    struct scripted_broker *b = scripted_broker_start(path, 0);
    struct link *l = start(64);
    struct test_post greedy[64], other[5];
    size_t taken = 0;

    (void)state;
    wait_up(l);
    scripted_broker_do(b, SCRIPT_IGNORE, 0);
    for (int i = 0; i < 64; i++) {
        make_post(&greedy[i], "greedy/a", 30 * SECOND);
        if (link_publish(l, &greedy[i].q))
            taken++;
        else
            assert_int_equal(greedy[i].q.outcome, LINK_FULL);
    }
    assert_int_equal(taken, 16);
    for (int i = 0; i < 5; i++) {
        make_post(&other[i], "other/a", 30 * SECOND);
        assert_true(link_publish(l, &other[i].q));
    }
    scripted_broker_do(b, SCRIPT_ACK, 0);
    scripted_broker_ack_ignored(b);
    for (size_t i = 0; i < taken; i++)
        end_post(&greedy[i]);
    for (int i = 0; i < 5; i++)
        end_post(&other[i]);
    /* what was answered is counted no more */
    for (size_t i = 0; i < 16; i++) {
        make_post(&greedy[i], "greedy/a", 30 * SECOND);
        assert_true(link_publish(l, &greedy[i].q));
    }
    for (size_t i = 0; i < 16; i++)
        end_post(&greedy[i]);
    stop(l);
    scripted_broker_stop(b);
}

static void what_mqtt_cannot_carry_is_refused_here(void **state)
{
    struct scripted_broker *b = scripted_broker_start(path, 0);
    struct link *l = start(0);
    static const char *const keys[] = {"a\tb", "\xff", "\x7f", "\xc2\x85",
                                       "\xef\xbf\xbf"};
    struct test_post nul, key;

    (void)state;
    make_post(&nul, "", 5 * SECOND);
    nul.q.topic = slice_of("t/a\0b", 5);
    assert_true(link_publish(l, &nul.q));
    wait_done(&nul);
    assert_int_equal(nul.q.outcome, LINK_ANSWERED);
    assert_int_equal(nul.q.status, 400);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        make_post(&key, "t/a", 5 * SECOND);
        key.q.idempotency = slice_str(keys[i]);
        assert_true(link_publish(l, &key.q));
        wait_done(&key);
        assert_int_equal(key.q.status, 400);
    }
    expect_log(b, 1, "connect 1\n");
    stop(l);
    scripted_broker_stop(b);
}

static void messages_arrive_stamped_after_the_suback(void **state)
{
    struct scripted_broker *b = scripted_broker_start(path, 0);
    struct link *l = start(0);

    (void)state;
    wait_up(l);
    assert_true(link_subscribe(l, slice_str("t/#")));
    assert_true(link_subscribe(l, slice_str("refused")));
    expect_seen("up 1\nsubscribed t/# 1\nsubscribed refused 0\n");
    scripted_broker_send(b, "t/a", "hello", 42);
    expect_seen("up 1\nsubscribed t/# 1\nsubscribed refused 0\n"
                "message t/a hello 42 3 1795242737123456\n");
    assert_true(link_unsubscribe(l, slice_str("t/#")));
    expect_log(b, 4,
               "connect 1\nsubscribe t/#\nsubscribe refused\n"
               "unsubscribe t/#\n");
    stop(l);
    scripted_broker_stop(b);
    assert_int_equal(seen.len, strlen("up 1\nsubscribed t/# 1\n"
                                      "subscribed refused 0\nmessage t/a "
                                      "hello 42 3 1795242737123456\n"));
}

/* How often `text` is in what was written to stderr meanwhile. */
static int stderr_kept = -1;
static FILE *stderr_file;

static void keep_stderr(void)
{
    stderr_file = tmpfile();
    assert_non_null(stderr_file);
    fflush(stderr);
    stderr_kept = dup(STDERR_FILENO);
    assert_true(dup2(fileno(stderr_file), STDERR_FILENO) >= 0);
}

static unsigned give_stderr_back(const char *text)
{
    char line[512];
    unsigned count = 0;

    fflush(stderr);
    dup2(stderr_kept, STDERR_FILENO);
    close(stderr_kept);
    rewind(stderr_file);
    while (fgets(line, sizeof(line), stderr_file) != NULL)
        count += strstr(line, text) != NULL;
    fclose(stderr_file);
    return count;
}

/* It was a line each: 791 MiB a day of one token. */
static void many_refusals_are_one_line_of_the_log(void **state)
{
    struct scripted_broker *b = scripted_broker_start(path, 0);
    struct link *l = start(0);
    struct buffer expected = BUFFER_INIT;

    (void)state;
    wait_up(l);
    keep_stderr();
    log_set_level(LOG_LEVEL_WARN);
    buffer_put_str(&expected, "up 1\n");
    for (int i = 0; i < 300; i++) {
        assert_true(link_subscribe(l, slice_str("refused")));
        buffer_put_str(&expected, "subscribed refused 0\n");
    }
    buffer_put_char(&expected, 0);
    expect_seen(expected.data);
    stop(l);
    log_set_level(LOG_LEVEL_ERROR);
    assert_int_equal(give_stderr_back("broker refused"), 1);
    buffer_release(&expected);
    scripted_broker_stop(b);
}

/* The topic comes out as it went in, whatever it is; what is no envelope after
 * all is dropped, and the link goes on. */
static void messages_come_out_of_their_envelopes(void **state)
{
    struct scripted_broker *b = scripted_broker_start(path, 0);
    struct link *l = start(0);

    (void)state;
    wait_up(l);
    scripted_broker_send_bytes(b, ENVELOPE_TOPIC,
                               slice_of("\0\3t/\1hello", 10), 42);
    scripted_broker_send_bytes(b, ENVELOPE_TOPIC, slice_of("\0\x9t/\1", 5),
                               43);
    scripted_broker_send(b, "t/a", "on", 44);
    expect_seen("up 1\nmessage t/\1 hello 42 3 1795242737123456\n"
                "message t/a on 44 3 1795242737123456\n");
    stop(l);
    scripted_broker_stop(b);
}

/* All there is to say is in the payload; a class nobody knows is none. */
static void stamped_envelopes_say_what_the_payload_is(void **state)
{
    struct scripted_broker *b = scripted_broker_start(path, 0);
    struct stamped s = {
        .payload_class = 2, .id = 42, .seq = 7, .at_us = 1795242737123456};
    uint8_t body[STAMP_SIZE + 10];
    struct link *l = start(0);

    (void)state;
    wait_up(l);
    stamp_write(&s, body);
    memcpy(body + STAMP_SIZE, "\0\3t/\1hello", 10);
    scripted_broker_send_bytes(b, STAMPED_TOPIC, slice_of(body, sizeof(body)),
                               1);
    scripted_broker_send_bytes(b, STAMPED_TOPIC,
                               slice_of(body, STAMP_SIZE + 4), 1);
    s.payload_class = 3;
    stamp_write(&s, body);
    scripted_broker_send_bytes(b, STAMPED_TOPIC, slice_of(body, sizeof(body)),
                               1);
    expect_seen("up 1\nmessage t/\1 hello 42 7 1795242737123456\nclass 2\n"
                "message t/\1 hello 42 7 1795242737123456\n");
    stop(l);
    scripted_broker_stop(b);
}

/* libmosquitto would not send them, nobody can publish what they match. */
static void filters_with_disallowed_characters_are_granted_here(void **state)
{
    struct scripted_broker *b = scripted_broker_start(path, 0);
    struct link *l = start(0);

    (void)state;
    wait_up(l);
    assert_true(link_subscribe(l, slice_str("t/\xef\xbf\xbf")));
    assert_true(link_subscribe(l, slice_str("t/a")));
    expect_seen("up 1\nsubscribed t/\xef\xbf\xbf 1\nsubscribed t/a 1\n");
    assert_true(link_unsubscribe(l, slice_str("t/\xef\xbf\xbf")));
    assert_true(link_unsubscribe(l, slice_str("t/a")));
    expect_log(b, 3, "connect 1\nsubscribe t/a\nunsubscribe t/a\n");
    stop(l);
    scripted_broker_stop(b);
}

static void stopping_answers_everything_once(void **state)
{
    struct scripted_broker *b = scripted_broker_start(path, 1);
    struct link *l = start(0);
    struct test_post sent, waiting, after;

    (void)state;
    wait_up(l);
    scripted_broker_do(b, SCRIPT_IGNORE, 0);
    make_post(&sent, "t/sent", 30 * SECOND);
    make_post(&waiting, "t/waiting", 30 * SECOND);
    make_post(&after, "t/after", 30 * SECOND);
    assert_true(link_publish(l, &sent.q));
    free(scripted_broker_log(b, 2));
    assert_true(link_publish(l, &waiting.q));
    link_stop(l, 150);
    assert_int_equal(atomic_load(&sent.done), 1);
    assert_int_equal(atomic_load(&waiting.done), 1);
    assert_int_equal(sent.q.outcome, LINK_TIMEOUT);
    assert_int_equal(waiting.q.outcome, LINK_AWAY);
    assert_false(link_publish(l, &after.q));
    assert_int_equal(after.q.outcome, LINK_AWAY);
    assert_false(link_subscribe(l, slice_str("t/a")));
    link_free(l);
    scripted_broker_stop(b);
}

static void stopping_waits_for_answers_under_way(void **state)
{
    struct scripted_broker *b = scripted_broker_start(path, 0);
    struct link *l = start(0);
    struct test_post posts[100];

    (void)state;
    for (int i = 0; i < 100; i++) {
        make_post(&posts[i], "t/a", 30 * SECOND);
        assert_true(link_publish(l, &posts[i].q));
    }
    link_stop(l, 5000);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(atomic_load(&posts[i].done), 1);
        assert_int_equal(posts[i].q.outcome, LINK_ANSWERED);
        free(posts[i].q.result);
    }
    link_free(l);
    scripted_broker_stop(b);
}

static void a_deep_folder_is_reached_too(void **state)
{
    char deep[256], short_path[sizeof(path)];
    struct scripted_broker *b;
    struct link *l;
    const struct link_opts opts = {.socket_path = deep};

    (void)state;
    memcpy(short_path, path, sizeof(path));
    b = scripted_broker_start(short_path, 0);
    snprintf(deep, sizeof(deep), "%s", folder);
    while (strlen(deep) < 150)
        strcat(deep, "/.");
    strcat(deep, "/sock");
    l = link_start(&opts);
    assert_non_null(l);
    wait_up(l);
    stop(l);
    scripted_broker_stop(b);
}

static int make_folder(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/sock", folder);
    memset(large, '1', sizeof(large));
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    buffer_release(&seen);
    unlink(path);
    return rmdir(folder);
}

static int remove_socket(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

#define TEST(f) cmocka_unit_test_setup(f, remove_socket)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_answer_carries_what_the_broker_says),
        TEST(messages_that_wait_share_a_publish),
        TEST(a_full_bundle_does_not_wait),
        TEST(what_the_next_cannot_join_does_not_wait),
        TEST(without_an_answer_messages_go_on_their_way_soon),
        TEST(a_bundle_is_not_refused_for_its_size),
        TEST(one_of_a_bundle_may_end_before_the_others),
        TEST(after_a_loss_the_unanswered_is_sent_again_as_it_was),
        TEST(past_its_deadline_the_outcome_is_unknown),
        TEST(without_a_broker_requests_end_after_two_seconds),
        TEST(a_request_survives_a_broker_that_comes_late),
        TEST(no_more_are_under_way_than_the_broker_takes),
        TEST(a_full_queue_refuses),
        TEST(one_token_leaves_the_others_room),
        TEST(what_mqtt_cannot_carry_is_refused_here),
        TEST(messages_arrive_stamped_after_the_suback),
        TEST(many_refusals_are_one_line_of_the_log),
        TEST(messages_come_out_of_their_envelopes),
        TEST(stamped_envelopes_say_what_the_payload_is),
        TEST(filters_with_disallowed_characters_are_granted_here),
        TEST(stopping_answers_everything_once),
        TEST(stopping_waits_for_answers_under_way),
        TEST(a_deep_folder_is_reached_too),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
