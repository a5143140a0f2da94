/* A token's clients have one share of a worker's turn together, however many they
 * are and whatever they send. What is asked here is in which order work is done,
 * never how long it takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "test/unit/store/by_hand.h"

enum { CROWD = 40, PACKETS = 8, FILTERS = 400, RETAINED = 40 };

static struct by_hand h;
static struct peer crowd[CROWD];

static int begin(void **state)
{
    (void)state;
    by_hand_begin(&h, 1);
    return 0;
}

static int end(void **state)
{
    (void)state;
    by_hand_end(&h);
    return 0;
}

static void gather(const char *token)
{
    char id[16];

    for (int i = 0; i < CROWD; i++) {
        snprintf(id, sizeof(id), "crowd %d", i);
        crowd[i] = by_hand_guest(&h, id, token);
    }
}

static void disperse(void)
{
    for (int i = 0; i < CROWD; i++)
        peer_close(&crowd[i]);
}

static uint64_t packets_handled(void)
{
    return counter_read(&h.workers[0]->counters.packets);
}

static void put_packet(struct buffer *b, uint8_t first,
                       const struct buffer *body)
{
    size_t len = body->len;

    buffer_put_char(b, (char)first);
    for (; len > 127; len >>= 7)
        buffer_put_char(b, (char)(len | 128U));
    buffer_put_char(b, (char)len);
    buffer_put_slice(b, buffer_slice(body));
}

/* PACKETS packets (3.1.1), each with FILTERS filters of that token. */
static void subscribes_a_lot(struct peer *p, const char *token)
{
    struct buffer b = BUFFER_INIT;

    for (int i = 0; i < PACKETS; i++) {
        struct buffer body = BUFFER_INIT;
        buffer_put(&body, (char[]){0, (char)(i + 1)}, 2);
        for (int j = 0; j < FILTERS; j++) {
            char filter[32];
            const int n = snprintf(filter, sizeof(filter), "%s/%d", token, j);
            buffer_put(&body, (char[]){0, (char)n}, 2);
            buffer_put(&body, filter, (size_t)n);
            buffer_put_char(&body, 0);
        }
        put_packet(&b, 0x82, &body);
        buffer_release(&body);
    }
    says_bytes(p, b.data, b.len);
    buffer_release(&b);
}

/* Packets without a meaning here, very many. */
static void acknowledges_nothing(struct peer *p, const char *token)
{
    static char acks[15000][4];
    (void)token;

    for (size_t i = 0; i < 15000; i++)
        memcpy(acks[i], "\x40\2\0\1", 4);
    says_bytes(p, acks, sizeof(acks));
}

/* All of it is handled in the end. */
static void finish(uint64_t total)
{
    while (packets_handled() < total)
        by_hand_turn(&h);
    assert_int_equal(packets_handled(), total);
}

static void a_crowd_does_not_hold_a_quiet_one(void (*sends)(struct peer *,
                                                            const char *),
                                              uint64_t each)
{
    struct peer quiet = by_hand_guest(&h, "quiet", "one");

    gather("many");
    const uint64_t before = packets_handled();
    for (int i = 0; i < CROWD; i++)
        sends(&crowd[i], "many");
    says(&quiet, "c0 00");
    hears(&quiet, "d0 00");
    assert_in_range(packets_handled() - before, 1, CROWD * each * 7 / 8);
    finish(before + CROWD * each + 1);
    disperse();
    peer_close(&quiet);
}

static void subscriptions_do_not_hold_a_worker(void **state)
{
    (void)state;
    a_crowd_does_not_hold_a_quiet_one(subscribes_a_lot, PACKETS);
}

static void small_packets_do_not_hold_a_worker(void **state)
{
    (void)state;
    a_crowd_does_not_hold_a_quiet_one(acknowledges_nothing, 15000);
}

/* Forty times as much work, and the same share. */
static void a_token_of_one_is_not_one_of_forty(void **state)
{
    (void)state;

    gather("many");
    struct peer other = by_hand_guest(&h, "other", "one");
    const uint64_t before = packets_handled();
    for (int i = 0; i < CROWD; i++)
        subscribes_a_lot(&crowd[i], "many");
    subscribes_a_lot(&other, "one");
    for (int i = 0; i < PACKETS; i++) {
        uint8_t body[8];
        size_t len;
        assert_int_equal(hears_packet(&other, body, sizeof(body), &len), 0x90);
        assert_int_equal(body[1], i + 1);
    }
    assert_in_range(packets_handled() - before, PACKETS, CROWD * PACKETS - 1);
    finish(before + (CROWD + 1) * PACKETS);
    disperse();
    peer_close(&other);
}

static bool all_have_begun(void)
{
    const struct connection *c;

    TAILQ_FOREACH (c, &h.workers[0]->connections, all)
        if (c->token_len == 4 && c->filter_count == 0)
            return false;
    return true;
}

static void connections_of_a_token_go_round(void **state)
{
    (void)state;

    gather("many");
    const uint64_t before = packets_handled();
    for (int i = 0; i < CROWD; i++)
        subscribes_a_lot(&crowd[i], "many");
    while (!all_have_begun())
        by_hand_turn(&h);
    assert_in_range(packets_handled() - before, CROWD, CROWD * PACKETS - 1);
    disperse();
}

static void retain(const char *topic, struct slice payload)
{
    const struct message m = {.topic = slice_str(topic),
                              .retain = true,
                              .payload = payload};
    struct message_append args = {0};
    struct command c = {.kind = COMMAND_APPEND,
                        .args = &args,
                        .message = message_new(&m)};

    by_hand_run(&h, &c);
    message_unref(c.message);
}

static bool somebody_has_nothing_yet(void)
{
    const struct connection *c;

    TAILQ_FOREACH (c, &h.workers[0]->connections, all)
        if (c->in_backlog && c->out.bytes == 0 && !c->out.blocked)
            return true;
    return false;
}

/* What a crowd is owed from the log does not go before what one is. */
static void a_backlog_is_not_in_front_of_another_tokens(void **state)
{
    static char payload[10000];
    struct peer quiet = by_hand_guest(&h, "quiet", "one");
    (void)state;

    for (int i = 0; i < RETAINED; i++) {
        char topic[32];
        snprintf(topic, sizeof(topic), "many/%d", i);
        retain(topic, slice_of(payload, sizeof(payload)));
    }
    retain("one/x", slice_str("hello"));
    gather("many");
    for (int i = 0; i < CROWD; i++)
        says(&crowd[i], "82 0b 0001 0006 'many/#' 00");
    by_hand_turn(&h);
    says(&quiet, "82 0a 0001 0005 'one/#' 00");
    hears(&quiet, "90 03 0001 00");
    hears(&quiet, "31 0c 0005 'one/x' 'hello'");
    assert_true(somebody_has_nothing_yet());
    disperse();
    peer_close(&quiet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(subscriptions_do_not_hold_a_worker,
                                        begin, end),
        cmocka_unit_test_setup_teardown(small_packets_do_not_hold_a_worker,
                                        begin, end),
        cmocka_unit_test_setup_teardown(a_token_of_one_is_not_one_of_forty,
                                        begin, end),
        cmocka_unit_test_setup_teardown(connections_of_a_token_go_round, begin,
                                        end),
        cmocka_unit_test_setup_teardown(
            a_backlog_is_not_in_front_of_another_tokens, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
