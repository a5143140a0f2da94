#include "bridge/outgoing/webhooks.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "test/unit/bridge/fetch_fixture.h"
#include "test/unit/bridge/scripted_server.h"
#include "test/unit/store/writing.h"

/* A request as the receiver saw it. */
struct received {
    uint64_t id;
    char thing[64], event[32], type[64], signature[256], body[256];
    int64_t at_us;
    int status; /* answered */
};

#define RECEIVED_MAX 20000

static struct writing writing;
static struct scripted_server *server;
static struct fetcher *fetcher;
static struct webhooks *webhooks;

/* What follows is guarded by the mutex. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct received received[RECEIVED_MAX];
static size_t received_count;
static unsigned fails_left;  /* requests to answer with 500 */
static char fails_thing[64]; /* of this thing only; "" all */
static char held_thing[64];  /* requests of it wait; "*": all */
static unsigned held;        /* so many do now */
static const char *fail_text;
static struct buffer dead;        /* a line each */
static struct buffer redelivered; /* ids */
static struct {
    struct webhook_position p;
    char topics[WEBHOOK_BEHIND_MAX][64];
    unsigned times;
} position; /* told last */

/* ---- the receiver -------------------------------------------------------- */

static void note(struct received *r, const struct scripted_request *q)
{
    const char *id = request_header(q, "x-confab-id");
    const char *thing;

    r->id = id == NULL ? 0 : strtoull(id, NULL, 10);
    snprintf(r->event, sizeof(r->event), "%s",
             request_header(q, "x-confab-event"));
    snprintf(r->type, sizeof(r->type), "%s",
             request_header(q, "content-type"));
    snprintf(r->signature, sizeof(r->signature), "%s",
             request_header(q, "x-confab-signature"));
    snprintf(r->body, sizeof(r->body), "%s", q->body);
    thing = strstr(q->body, "\"thing\":\"");
    if (thing != NULL)
        snprintf(r->thing, sizeof(r->thing), "%.*s",
                 (int)strcspn(thing + 9, "\""), thing + 9);
    r->at_us = clock_mono_us();
}

static bool is_held(const struct received *r)
{
    return strcmp(held_thing, "*") == 0 ||
           (held_thing[0] != '\0' && strcmp(held_thing, r->thing) == 0);
}

static int decide(struct received *r)
{
    if (fails_left == 0 ||
        (fails_thing[0] != '\0' && strcmp(fails_thing, r->thing) != 0))
        return 200;
    fails_left--;
    return 500;
}

static bool receive(struct scripted_request *q, void *arg)
{
    struct received r = {.id = 0};

    (void)arg;
    note(&r, q);
    pthread_mutex_lock(&mutex);
    held++;
    pthread_cond_broadcast(&changed);
    while (is_held(&r))
        pthread_cond_wait(&changed, &mutex);
    held--;
    r.status = decide(&r);
    const char *text = fail_text;
    assert_true(received_count < RECEIVED_MAX);
    received[received_count++] = r;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
    return r.status == 200 ? send_text(q, "HTTP/1.1 204 No Content\r\n\r\n")
                           : send_text(q, text);
}

#define FAILS "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops"

static void fail_next(unsigned times, const char *thing, const char *text)
{
    pthread_mutex_lock(&mutex);
    fails_left = times;
    snprintf(fails_thing, sizeof(fails_thing), "%s", thing);
    fail_text = text;
    pthread_mutex_unlock(&mutex);
}

static void hold(const char *thing)
{
    pthread_mutex_lock(&mutex);
    snprintf(held_thing, sizeof(held_thing), "%s", thing);
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

/* Waits up to 20 s; the mutex is held. */
static void wait_change(int64_t until_us)
{
    struct timespec t;

    if (clock_mono_us() > until_us) {
        const size_t count = received_count;
        pthread_mutex_unlock(&mutex); /* end() takes it */
        fail_msg("nothing happened within 20 s: %zu received", count);
    }
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_nsec += 100000000;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&changed, &mutex, &t);
}

#define WAIT_UNTIL(condition)                                                 \
    do {                                                                      \
        const int64_t until_us = clock_mono_us() + 20 * SECOND;               \
        pthread_mutex_lock(&mutex);                                           \
        while (!(condition))                                                  \
            wait_change(until_us);                                            \
        pthread_mutex_unlock(&mutex);                                         \
    } while (0)

static bool was_received(uint64_t id) /* the mutex is held */
{
    for (size_t i = 0; i < received_count; i++)
        if (received[i].id == id)
            return true;
    return false;
}

static size_t count_received(void)
{
    pthread_mutex_lock(&mutex);
    const size_t count = received_count;
    pthread_mutex_unlock(&mutex);
    return count;
}

static void wait_received(size_t count)
{
    WAIT_UNTIL(received_count >= count);
}

/* ---- what webhooks tell -------------------------------------------------- */

static void on_moved(void *arg, struct slice tenant,
                     const struct webhook_position *p)
{
    (void)arg;
    (void)tenant;
    pthread_mutex_lock(&mutex);
    position.p = *p;
    position.times++;
    for (size_t i = 0; i < p->behind_count; i++) {
        snprintf(position.topics[i], sizeof(position.topics[i]), "%.*s",
                 (int)p->behind[i].topic.len,
                 (const char *)p->behind[i].topic.data);
        position.p.behind[i].topic = slice_str(position.topics[i]);
    }
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

static void on_died(void *arg, const struct webhook_dead *d)
{
    (void)arg;
    pthread_mutex_lock(&mutex);
    buffer_printf(&dead, "%llu %.*s %u %d %s\n", (unsigned long long)d->id,
                  (int)d->topic.len, (const char *)d->topic.data, d->attempts,
                  d->status, d->text);
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

static void on_redelivered(void *arg, struct slice tenant, uint64_t id)
{
    (void)arg;
    (void)tenant;
    pthread_mutex_lock(&mutex);
    buffer_printf(&redelivered, "%llu ", (unsigned long long)id);
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

/* ---- start and end ------------------------------------------------------- */

static unsigned attempts;

static void start_webhooks(void)
{
    const struct webhooks_opts opts = {
        .store = writing.store,
        .events = {.moved = on_moved,
                   .died = on_died,
                   .redelivered = on_redelivered},
        .retry = {.first_ms = 20,
                  .max_ms = 100,
                  .retry_after_max_ms = 1500,
                  .attempts = attempts},
        .connect_ms = 5000,
        .total_ms = 15000,
    };

    webhooks = webhooks_new(&opts);
    assert_non_null(webhooks);
    const struct fetcher_opts fetcher_opts = {
        .per_host = 16,
        .arg = webhooks,
        .on_start = webhooks_on_start,
        .on_stop = webhooks_on_stop,
    };
    fetcher = start_fetcher(&fetcher_opts);
    webhooks_use(webhooks, fetcher);
}

/* Again: nothing, for tests that fail after they have stopped it. */
static void stop_webhooks(void)
{
    if (fetcher == NULL)
        return;
    fetcher_stop(fetcher);
    webhooks_free(webhooks);
    fetcher_free(fetcher);
    fetcher = NULL;
}

/* Also the receiver: it may still be busy with requests whose sender is gone. */
static void stop_both(void)
{
    stop_webhooks();
    if (server != NULL)
        scripted_server_stop(server);
    server = NULL;
}

static int begin_with(unsigned most_attempts)
{
    attempts = most_attempts;
    received_count = 0;
    fail_next(0, "", FAILS);
    hold("");
    memset(&position, 0, sizeof(position));
    memset(&writing, 0, sizeof(writing));
    writing_open(&writing, 0);
    server = scripted_server_start(receive, NULL);
    start_webhooks();
    return 0;
}

static int begin(void **state)
{
    (void)state;
    return begin_with(4);
}

static int begin_patiently(void **state)
{
    (void)state;
    return begin_with(10000);
}

static int end(void **state)
{
    (void)state;
    hold("");
    stop_both();
    writing_close(&writing);
    buffer_release(&dead);
    buffer_release(&redelivered);
    return 0;
}

static void put_at(const struct webhook_position *p)
{
    const struct webhook_settings settings = {
        .tenant = slice_str("acme"),
        .url = url_of(scripted_server_port(server), "/hook"),
        .secrets = {slice_str("new secret"), slice_str("old secret")},
        .secret_count = 2,
    };

    assert_true(webhooks_put(webhooks, &settings, p));
}

static void put(uint64_t id)
{
    const struct webhook_position p = {.id = id};

    put_at(&p);
}

static uint64_t say(const char *topic, unsigned n)
{
    char payload[64];

    snprintf(payload, sizeof(payload), "{\"n\":%u}", n);
    struct sent *s = new_append(topic, payload);
    s->c.message->payload_class = PAYLOAD_JSON;
    return run(&writing, s).id;
}

static void restart_at_told_position(void)
{
    stop_webhooks(); /* tells the last one */
    start_webhooks();
    put_at(&position.p);
}

/* ---- tests --------------------------------------------------------------- */

static void a_message_is_posted_and_signed(void **state)
{
    struct buffer signature = BUFFER_INIT;
    const struct slice secrets[] = {slice_str("new secret"),
                                    slice_str("old secret")};
    char expected[256];

    (void)state;
    put(0);
    const uint64_t id = say("acme/door/1", 7);
    wait_received(1);
    const struct received *r = &received[0];
    assert_int_equal(r->id, id);
    assert_string_equal(r->event, "message");
    assert_string_equal(r->type, "application/json");
    snprintf(expected, sizeof(expected),
             "{\"id\":%llu,\"thing\":\"door/1\",\"chat\":{\"n\":7},"
             "\"createdAt\":\"2027-01-15T08:00:00.000Z\"}",
             (unsigned long long)id);
    assert_string_equal(r->body, expected);
    signature_put(&signature, secrets, 2, strtoll(r->signature + 2, NULL, 10),
                  slice_str(r->body));
    buffer_put_char(&signature, '\0');
    assert_string_equal(r->signature, signature.data);
    assert_true(llabs(strtoll(r->signature + 2, NULL, 10) -
                      clock_real_us() / SECOND) < 60);
    buffer_release(&signature);
}

static void only_the_tenants_messages_from_its_position_on(void **state)
{
    (void)state;
    say("acme/before", 1);
    const uint64_t head = say("acme/before", 2);
    say("acme/a", 3);
    say("acmes/a", 4);
    say("acm/a", 5);
    put(head);
    wait_received(1);
    say("acmes/a", 6);
    say("other/acme/a", 7);
    say("acme/b", 8);
    wait_received(2);
    assert_string_equal(received[0].thing, "a");
    assert_string_equal(received[1].thing, "b");
}

/* While one is in flight, the next of its thing waits, and other things go on. */
static void things_keep_their_order_and_do_not_wait_for_others(void **state)
{
    (void)state;
    put(0);
    hold("slow");
    say("acme/slow", 0);
    WAIT_UNTIL(held == 1);
    for (unsigned i = 1; i < 20; i++) {
        say("acme/slow", i);
        say("acme/quick", i);
    }
    wait_received(19);
    assert_int_equal(held, 1);
    hold("");
    wait_received(39);
    uint64_t slow = 0, quick = 0;
    for (size_t i = 0; i < 39; i++) {
        uint64_t *last = received[i].thing[0] == 's' ? &slow : &quick;
        assert_true(received[i].id > *last);
        *last = received[i].id;
    }
}

static void what_fails_is_tried_again_in_its_place(void **state)
{
    (void)state;
    put(0);
    fail_next(2, "a", FAILS);
    const uint64_t first = say("acme/a", 1), second = say("acme/a", 2);
    wait_received(4);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(received[i].id, first);
    assert_int_equal(received[3].id, second);
    assert_int_equal(received[1].status, 500);
    assert_int_equal(received[2].status, 200);
    assert_int_equal(dead.len, 0);
}

static void what_fails_too_often_is_dead_and_its_thing_goes_on(void **state)
{
    char expected[128];

    (void)state;
    put(0);
    fail_next(4, "a", FAILS);
    const uint64_t first = say("acme/a", 1), second = say("acme/a", 2);
    wait_received(5);
    assert_int_equal(received[3].id, first);
    assert_int_equal(received[4].id, second);
    snprintf(expected, sizeof(expected), "%llu acme/a 4 500 answered: 500\n",
             (unsigned long long)first);
    buffer_put_char(&dead, '\0');
    assert_string_equal(dead.data, expected);
    WAIT_UNTIL(position.p.id >= second && position.p.behind_count == 0);
}

static void retry_after_is_honoured(void **state)
{
    (void)state;
    put(0);
    fail_next(1, "",
              "HTTP/1.1 429 Slow down\r\nRetry-After: 1\r\n"
              "Content-Length: 0\r\n\r\n");
    say("acme/a", 1);
    wait_received(2);
    assert_true(received[1].at_us - received[0].at_us > 900000);
}

static void a_redirect_is_a_failure(void **state)
{
    (void)state;
    put(0);
    fail_next(4, "",
              "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n"
              "Content-Length: 0\r\n\r\n");
    say("acme/a", 1);
    wait_received(4);
    WAIT_UNTIL(dead.len > 0);
    buffer_put_char(&dead, '\0');
    assert_non_null(strstr(dead.data, "4 302 redirects are not followed"));
}

/* ---- positions ----------------------------------------------------------- */

static void a_position_passes_over_nothing_that_is_owed(void **state)
{
    (void)state;
    put(0);
    hold("stuck");
    const uint64_t stuck = say("acme/stuck", 1);
    for (unsigned i = 0; i < 5; i++)
        say("acme/b", i);
    const uint64_t last = say("acme/stuck", 2);
    WAIT_UNTIL(position.p.id == last);
    assert_int_equal(position.p.behind_count, 1);
    assert_string_equal(position.topics[0], "acme/stuck");
    assert_int_equal(position.p.behind[0].id, stuck - 1);
    hold("");
    WAIT_UNTIL(position.p.behind_count == 0);
    assert_int_equal(position.p.id, last);
}

/* What was delivered of other things does not come again; what was not comes. */
static void a_restart_goes_on_where_each_thing_was(void **state)
{
    (void)state;
    put(0);
    fail_next(UINT32_MAX, "stuck", FAILS);
    const uint64_t first = say("acme/stuck", 1);
    for (unsigned i = 0; i < 5; i++)
        say("acme/b", i);
    const uint64_t second = say("acme/stuck", 2);
    WAIT_UNTIL(position.p.id >= second && position.p.behind_count == 1);
    stop_both();
    assert_int_equal(dead.len, 0);
    fail_next(0, "", FAILS);
    received_count = 0;
    server = scripted_server_start(receive, NULL);
    start_webhooks();
    put_at(&position.p);
    say("acme/stuck", 3);
    wait_received(3);
    assert_int_equal(received[0].id, first);
    assert_int_equal(received[1].id, second);
    WAIT_UNTIL(position.p.behind_count == 0 && position.p.id > second);
    assert_int_equal(received_count, 3);
}

/* More things than a position names: it is held back by the rest. */
static void a_position_is_bounded(void **state)
{
    char topic[64];
    uint64_t last = 0, ids[100];

    (void)state;
    fail_next(UINT32_MAX, "", FAILS);
    put(0);
    for (unsigned i = 0; i < 100; i++) {
        snprintf(topic, sizeof(topic), "acme/%u", i);
        ids[i] = last = say(topic, i);
    }
    WAIT_UNTIL(was_received(last)); /* all were read */
    stop_both();
    assert_int_equal(position.p.behind_count, WEBHOOK_BEHIND_MAX);
    assert_int_equal(position.p.id, ids[WEBHOOK_BEHIND_MAX] - 1);
    for (unsigned i = 0; i < WEBHOOK_BEHIND_MAX; i++)
        assert_int_equal(position.p.behind[i].id, ids[i] - 1);
    fail_next(0, "", FAILS);
    received_count = 0;
    server = scripted_server_start(receive, NULL);
    start_webhooks();
    put_at(&position.p);
    wait_received(100);
    WAIT_UNTIL(position.p.id == last && position.p.behind_count == 0);
    assert_int_equal(received_count, 100);
}

static void one_that_is_behind_with_many_things_reads_no_further(void **state)
{
    char topic[64];
    const size_t count = WEBHOOK_THINGS_MAX + 300;
    static bool seen[WEBHOOK_THINGS_MAX + 301];
    uint64_t last = 0;

    (void)state;
    memset(seen, 0, sizeof(seen));
    hold("*");
    put(0);
    for (unsigned i = 0; i < count; i++) {
        snprintf(topic, sizeof(topic), "acme/%u", i);
        last = say(topic, i);
    }
    fail_next(50, "", FAILS);
    WAIT_UNTIL(held == WEBHOOK_IN_FLIGHT_MAX);
    usleep(300000); /* it reads until it is full */
    hold("");
    WAIT_UNTIL(position.p.id >= last && position.p.behind_count == 0);
    for (size_t i = 0; i < received_count; i++)
        if (received[i].status == 200)
            seen[atoi(received[i].thing)] = true;
    for (unsigned i = 0; i < count; i++)
        if (!seen[i])
            fail_msg("message of thing %u is missing", i);
}

static void what_retention_removed_is_passed_over(void **state)
{
    (void)state;
    put(0);
    hold("a");
    say("acme/a", 1);
    WAIT_UNTIL(held == 1);
    const uint64_t gone = say("acme/a", 2), stays = say("acme/a", 3);
    assert_result(trim(&writing, "acme/a", gone), OK);
    hold("");
    wait_received(2);
    assert_int_equal(received[1].id, stays);
}

/* ---- settings ------------------------------------------------------------ */

static void new_settings_hold_for_what_is_sent_next(void **state)
{
    char url[128];

    (void)state;
    put(0);
    say("acme/a", 1);
    wait_received(1);
    snprintf(url, sizeof(url), "%s",
             url_of(scripted_server_port(server), "/hook"));
    const struct webhook_settings settings = {
        .tenant = slice_str("acme"),
        .url = url,
        .secrets = {slice_str("third secret")},
        .secret_count = 1,
    };
    const struct webhook_position ignored = {.id = 0};
    assert_true(webhooks_put(webhooks, &settings, &ignored));
    say("acme/a", 2);
    wait_received(2);
    assert_non_null(strstr(received[0].signature, ",v1="));
    assert_non_null(strstr(strstr(received[0].signature, ",v1=") + 1, ",v1="));
    assert_null(strstr(strstr(received[1].signature, ",v1=") + 1, ",v1="));
}

static void one_that_is_removed_sends_nothing_more(void **state)
{
    (void)state;
    put(0);
    hold("a");
    say("acme/a", 1);
    WAIT_UNTIL(held == 1);
    say("acme/a", 2);
    assert_true(webhooks_remove(webhooks, slice_str("acme")));
    usleep(300000);
    hold("");
    say("acme/a", 3);
    usleep(300000);
    assert_int_equal(count_received(), 1);
    const uint64_t head = say("acme/a", 4);
    put(head); /* again, and from there on */
    const uint64_t next = say("acme/a", 5);
    wait_received(2);
    assert_int_equal(received[1].id, next);
}

static void the_dead_can_be_sent_again(void **state)
{
    (void)state;
    put(0);
    fail_next(4, "", FAILS);
    const uint64_t id = say("acme/a", 1);
    const uint64_t foreign = say("globex/a", 2);
    WAIT_UNTIL(dead.len > 0);
    assert_true(webhooks_redeliver(webhooks, slice_str("acme"), id));
    wait_received(5);
    assert_int_equal(received[4].id, id);
    WAIT_UNTIL(redelivered.len > 0);
    /* Neither another tenant's message nor one that is not there. */
    assert_true(webhooks_redeliver(webhooks, slice_str("acme"), foreign));
    assert_true(webhooks_redeliver(webhooks, slice_str("acme"), 999999));
    char expected[64];
    const int len =
        snprintf(expected, sizeof(expected), "%llu %llu 999999 ",
                 (unsigned long long)id, (unsigned long long)foreign);
    WAIT_UNTIL(redelivered.len >= (size_t)len);
    assert_memory_equal(redelivered.data, expected, (size_t)len);
    assert_int_equal(received_count, 5);
}

/* ---- everything at once -------------------------------------------------- */

#define THINGS 8
#define MESSAGES 600

static unsigned random_state = 1;

static unsigned random_below(unsigned n)
{
    random_state = random_state * 1103515245 + 12345;
    return random_state / 65536 % n;
}

/* Failing answers and restarts at any time: every message arrives, and of each thing
 * in order, but for those repeated after a restart. */
static void nothing_is_lost_across_failures_and_restarts(void **state)
{
    static uint64_t ids[THINGS][MESSAGES];
    size_t counts[THINGS] = {0}, next[THINGS] = {0};
    uint64_t last = 0;
    char topic[64];

    (void)state;
    put(0);
    for (unsigned i = 0; i < MESSAGES; i++) {
        const unsigned thing = random_below(THINGS);
        snprintf(topic, sizeof(topic), "acme/%u", thing);
        last = say(topic, i);
        ids[thing][counts[thing]++] = last;
        if (random_below(10) == 0)
            fail_next(random_below(3), "", FAILS);
        if (i % 150 == 149) {
            restart_at_told_position();
        }
    }
    WAIT_UNTIL(position.p.id >= last && position.p.behind_count == 0);
    assert_int_equal(dead.len, 0);
    for (size_t i = 0; i < received_count; i++) {
        const struct received *r = &received[i];
        const int thing = atoi(r->thing);
        if (r->status == 200 && next[thing] < counts[thing] &&
            r->id == ids[thing][next[thing]])
            next[thing]++;
        else if (r->status == 200 && next[thing] < counts[thing] &&
                 r->id > ids[thing][next[thing]])
            fail_msg("%llu of thing %d came too early",
                     (unsigned long long)r->id, thing);
    }
    for (unsigned i = 0; i < THINGS; i++)
        assert_int_equal(next[i], counts[i]);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
#define PATIENT(f) cmocka_unit_test_setup_teardown(f, begin_patiently, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_message_is_posted_and_signed),
        TEST(only_the_tenants_messages_from_its_position_on),
        TEST(things_keep_their_order_and_do_not_wait_for_others),
        TEST(what_fails_is_tried_again_in_its_place),
        TEST(what_fails_too_often_is_dead_and_its_thing_goes_on),
        TEST(retry_after_is_honoured),
        TEST(a_redirect_is_a_failure),
        TEST(a_position_passes_over_nothing_that_is_owed),
        PATIENT(a_restart_goes_on_where_each_thing_was),
        PATIENT(a_position_is_bounded),
        PATIENT(one_that_is_behind_with_many_things_reads_no_further),
        TEST(what_retention_removed_is_passed_over),
        TEST(new_settings_hold_for_what_is_sent_next),
        TEST(one_that_is_removed_sends_nothing_more),
        TEST(the_dead_can_be_sent_again),
        PATIENT(nothing_is_lost_across_failures_and_restarts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
