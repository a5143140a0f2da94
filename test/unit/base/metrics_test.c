#include "base/metrics.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { SLOT_SENT, SLOT_LOST_A, SLOT_LOST_B, SLOT_OPEN, SLOT_RARE, SLOT_COUNT };

static const struct metric rows[] = {
    {"uptime",
     {{0}},
     METRIC_GAUGE,
     METRIC_SECONDS,
     METRIC_SAMPLED,
     NULL,
     "uptime_s",
     "Since start."},
    {"sent",
     {{0}},
     METRIC_COUNTER,
     METRIC_BYTES,
     SLOT_SENT,
     "bytes",
     "sent",
     "Sent to clients; a \\ and a \"line\nend\"."},
    {NULL,
     {{0}},
     METRIC_GAUGE,
     METRIC_NUMBER,
     METRIC_SAMPLED,
     "bytes",
     "port",
     NULL},
    {"lost",
     {{"cause", "a \"b\"\\\n"}},
     METRIC_COUNTER,
     METRIC_NUMBER,
     SLOT_LOST_A,
     "lost",
     "a",
     "Lost."},
    {"lost",
     {{"cause", "b"}, {"door", "x"}},
     METRIC_COUNTER,
     METRIC_NUMBER,
     SLOT_LOST_B,
     "lost",
     "b",
     NULL},
    {"open",
     {{0}},
     METRIC_GAUGE,
     METRIC_NUMBER,
     SLOT_OPEN,
     NULL,
     "open",
     "Open."},
    {"accepting",
     {{0}},
     METRIC_GAUGE,
     METRIC_YES,
     METRIC_SAMPLED,
     "writer",
     "accepting",
     "Accepts."},
    {"commit",
     {{0}},
     METRIC_GAUGE,
     METRIC_TIME,
     METRIC_SAMPLED,
     "writer",
     "last_commit",
     "Last."},
    {"latency",
     {{0}},
     METRIC_GAUGE,
     METRIC_MICROSECONDS,
     METRIC_SAMPLED,
     "writer",
     "p50_us",
     "Median."},
    {"hidden",
     {{0}},
     METRIC_COUNTER,
     METRIC_NUMBER,
     SLOT_SENT,
     NULL,
     NULL,
     "Not in JSON."},
    {"rare",
     {{0}},
     METRIC_RARE,
     METRIC_NUMBER,
     SLOT_RARE,
     NULL,
     NULL,
     "Rare."},
    {"store",
     {{0}},
     METRIC_GAUGE,
     METRIC_NUMBER,
     METRIC_SAMPLED,
     "store",
     "head",
     "Missing."},
};

static uint64_t last_commit_us;

static void sample(void *arg, uint64_t *values)
{
    assert_ptr_equal(arg, &last_commit_us);
    values[0] = 61;
    values[2] = 1883;
    values[6] = last_commit_us != 0;
    values[7] = last_commit_us;
    values[8] = 1250007;
}

static struct metrics *registry(void)
{
    struct metrics *m = metrics_new(sample, &last_commit_us);
    size_t first;

    assert_non_null(m);
    assert_true(metrics_add_rows(m, rows, 4, &first));
    assert_int_equal(first, 0);
    assert_true(metrics_add_rows(m, rows + 4, 8, &first));
    assert_int_equal(first, 4);
    assert_int_equal(metrics_row_count(m), 12);
    return m;
}

static void check_text(struct metrics *m, const char *expected)
{
    struct buffer b = BUFFER_INIT;

    metrics_put_text(m, &b);
    buffer_put_char(&b, '\0');
    assert_true(buffer_ok(&b));
    assert_string_equal(b.data, expected);
    buffer_release(&b);
}

static bool shows(struct metrics *m, const char *part)
{
    struct buffer b = BUFFER_INIT;

    metrics_put_text(m, &b);
    buffer_put_char(&b, '\0');
    const bool found = strstr(b.data, part) != NULL;
    buffer_release(&b);
    return found;
}

static void check_json(struct metrics *m, const char *expected)
{
    struct buffer b = BUFFER_INIT;
    struct json_writer w = json_writer_of(&b);

    json_object(&w);
    metrics_put_json(m, &w);
    json_object_end(&w);
    buffer_put_char(&b, '\0');
    assert_string_equal(b.data, expected);
    buffer_release(&b);
}

static void figures_are_shown_in_text_and_json(void **state)
{
    static _Atomic uint64_t first[SLOT_COUNT], second[SLOT_COUNT];
    struct metrics *m = registry();

    (void)state;
    assert_true(metrics_add_block(m, first));
    assert_true(metrics_add_block(m, second));
    counter_add(&first[SLOT_SENT], 1000);
    counter_add(&second[SLOT_SENT], 24);
    counter_add(&second[SLOT_LOST_A], 2);
    counter_add(&first[SLOT_OPEN], 5);
    counter_sub(&second[SLOT_OPEN], 3); /* came to it from the first */
    last_commit_us = INT64_C(1700000000123456);
    check_text(m,
               "# HELP confab_uptime_seconds Since start.\n"
               "# TYPE confab_uptime_seconds gauge\n"
               "confab_uptime_seconds 61\n"
               "# HELP confab_sent_bytes_total Sent to clients; a \\\\ and a "
               "\"line\\nend\".\n"
               "# TYPE confab_sent_bytes_total counter\n"
               "confab_sent_bytes_total 1024\n"
               "# HELP confab_lost_total Lost.\n"
               "# TYPE confab_lost_total counter\n"
               "confab_lost_total{cause=\"a \\\"b\\\"\\\\\\n\"} 2\n"
               "confab_lost_total{cause=\"b\",door=\"x\"} 0\n"
               "# HELP confab_open Open.\n"
               "# TYPE confab_open gauge\n"
               "confab_open 2\n"
               "# HELP confab_accepting Accepts.\n"
               "# TYPE confab_accepting gauge\n"
               "confab_accepting 1\n"
               "# HELP confab_commit_timestamp_seconds Last.\n"
               "# TYPE confab_commit_timestamp_seconds gauge\n"
               "confab_commit_timestamp_seconds 1700000000.123456\n"
               "# HELP confab_latency_seconds Median.\n"
               "# TYPE confab_latency_seconds gauge\n"
               "confab_latency_seconds 1.250007\n"
               "# HELP confab_hidden_total Not in JSON.\n"
               "# TYPE confab_hidden_total counter\n"
               "confab_hidden_total 1024\n");
    assert_false(shows(m, "confab_rare_total"));
    counter_add(&first[SLOT_RARE], 1);
    assert_true(shows(m, "# TYPE confab_rare_total counter\n"
                         "confab_rare_total 1\n"));
    check_json(m, "{\"uptime_s\":61,\"bytes\":{\"sent\":1024,\"port\":1883},"
                  "\"lost\":{\"a\":2,\"b\":0},\"open\":2,"
                  "\"writer\":{\"accepting\":true,"
                  "\"last_commit\":\"2023-11-14T22:13:20.123Z\","
                  "\"p50_us\":1250007}}");
    last_commit_us = 0;
    check_json(m, "{\"uptime_s\":61,\"bytes\":{\"sent\":1024,\"port\":1883},"
                  "\"lost\":{\"a\":2,\"b\":0},\"open\":2,"
                  "\"writer\":{\"accepting\":false,\"last_commit\":null,"
                  "\"p50_us\":1250007}}");
    metrics_free(m);
}

/* ---- threads ------------------------------------------------------------- */

#define THREADS 4
#define ROUNDS 100000

static void *count(void *arg)
{
    for (int i = 0; i < ROUNDS; i++)
        counter_add((_Atomic uint64_t *)arg + SLOT_SENT, 3);
    return NULL;
}

static void a_sum_never_goes_down_and_ends_with_all_of_it(void **state)
{
    static _Atomic uint64_t blocks[THREADS][SLOT_COUNT];
    struct metrics *m = registry();
    uint64_t values[12], last = 0;
    pthread_t threads[THREADS];

    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_true(metrics_add_block(m, blocks[i]));
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count, blocks[i]),
                         0);
    for (int i = 0; i < 1000; i++) {
        metrics_read(m, values);
        assert_true(values[1] >= last);
        last = values[1];
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    metrics_read(m, values);
    assert_int_equal(values[1], 3 * THREADS * ROUNDS);
    metrics_free(m);
}

/* ---- mistakes of ours ---------------------------------------------------- */

static bool is_refused(const struct metric *more)
{
    int status;
    const pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit none = {0, 0};
        struct metrics *m = registry();
        setrlimit(RLIMIT_CORE, &none);
        signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO);
        metrics_add_rows(m, more, 1, NULL);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void rows_that_make_a_bad_page_are_refused(void **state)
{
    struct metric r = {.name = "new", .help = "New."};

    (void)state;
    assert_false(is_refused(&r));
    r.name = "New";
    assert_true(is_refused(&r));
    r.name = "9";
    assert_true(is_refused(&r));
    r.name = "lost"; /* a family in two places */
    assert_true(is_refused(&r));
    r.name = "new";
    r.labels[0] = (struct metric_label){"a-b", "x"};
    assert_true(is_refused(&r));
    r.labels[0] = (struct metric_label){"a_b", "x"};
    assert_false(is_refused(&r));
    r.group = "writer"; /* an object in two places */
    r.member = "more";
    assert_true(is_refused(&r));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_are_shown_in_text_and_json),
        cmocka_unit_test(a_sum_never_goes_down_and_ends_with_all_of_it),
        cmocka_unit_test(rows_that_make_a_bad_page_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
