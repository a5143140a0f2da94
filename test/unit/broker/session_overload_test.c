/* What happens when somebody is too slow: clients that do not read, a worker
 * that does not get round to its batches. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "store/command/token.h"
#include "test/unit/broker/broker_fixture.h"
#include "test/unit/store/by_hand.h"

/* ---- a whole broker ----------------------------------------------------- */

static struct broker_fixture b;

static void publish_numbered(struct peer *p, const char *topic,
                             uint32_t number, size_t size)
{
    char *packet = malloc(size + 64);
    const size_t topic_len = strlen(topic);
    const size_t body = 2 + topic_len + 2 + size;
    size_t at = 0;

    packet[at++] = 0x32;
    packet[at++] = (char)((body & 127) | 128);
    packet[at++] = (char)((body >> 7 & 127) | 128);
    packet[at++] = (char)(body >> 14);
    packet[at++] = 0;
    packet[at++] = (char)topic_len;
    memcpy(packet + at, topic, topic_len);
    at += topic_len;
    const uint32_t id = number % 1000 + 1;
    packet[at++] = (char)(id >> 8);
    packet[at++] = (char)id;
    memset(packet + at, 'x', size);
    memcpy(packet + at, &number, sizeof(number));
    says_bytes(p, packet, at + size);
    free(packet);
}

static void hears_numbered(struct peer *p, size_t topic_len, bool qos1,
                           uint32_t expected)
{
    uint8_t body[128];
    uint32_t number;
    size_t len;

    assert_int_equal(hears_packet(p, body, sizeof(body), &len),
                     qos1 ? 0x32 : 0x30);
    memcpy(&number, body + 2 + topic_len + (qos1 ? 2 : 0), sizeof(number));
    assert_int_equal(number, expected);
    if (qos1) {
        const uint8_t ack[] = {0x40, 2, body[2 + topic_len],
                               body[3 + topic_len]};
        says_bytes(p, ack, sizeof(ack));
    }
}

static void check_slow_reader(bool qos1)
{
    enum { MANY = 3000, SIZE = 5000 };
    const uint64_t before = status_number(&b, "\"switched\":");
    struct peer slow = device311(&b, "slow", "slow");
    struct peer quick = device311(&b, "slow", "quick");

    says(&slow,
         qos1 ? "82[ 0001 ('slow/x') 01 ]" : "82[ 0001 ('slow/x') 00 ]");
    hears(&slow, qos1 ? "90 03 0001 01" : "90 03 0001 00");
    for (uint32_t i = 0; i < MANY; i++) {
        uint8_t ack[4];
        publish_numbered(&quick, "slow/x", i, SIZE);
        if (i >= 100) /* a hundred in flight */
            assert_true(hears_bytes(&quick, ack, sizeof(ack)));
    }
    for (uint32_t i = 0; i < 100; i++)
        assert_true(hears_bytes(&quick, (uint8_t[4]){0}, 4));
    assert_in_range(status_number(&b, "\"switched\":"), before + 1,
                    before + 1000);
    for (uint32_t i = 0; i < MANY; i++)
        hears_numbered(&slow, 6, qos1, i);
    hears_nothing(&slow, 50);
    publish_numbered(&quick, "slow/x", MANY, SIZE); /* live again */
    hears_numbered(&slow, 6, qos1, MANY);
    hears_nothing(&slow, 50);
    peer_close(&slow);
    peer_close(&quick);
}

static void a_slow_reader_gets_everything_once_and_in_order(void **state)
{
    (void)state;
    check_slow_reader(false);
}

static void so_does_one_that_acknowledges(void **state)
{
    (void)state;
    check_slow_reader(true);
}

/* Sends until the broker has stopped reading for a while; the bytes it took. */
static size_t stuff(struct peer *p, const void *packet, size_t len, size_t max)
{
    const char *at = packet;
    size_t sent = 0, offset = 0;
    int waits = 0;

    fcntl(p->fd, F_SETFL, O_NONBLOCK);
    while (sent < max && waits < 30) {
        const ssize_t n = send(p->fd, at + offset, len - offset, MSG_NOSIGNAL);
        if (n > 0) {
            sent += (size_t)n;
            offset = (offset + (size_t)n) % len;
            waits = 0;
        } else {
            assert_int_equal(errno, EAGAIN);
            usleep(10000);
            waits++;
        }
    }
    return sent;
}

static void who_does_not_take_its_answers_is_not_read_from(void **state)
{
    enum { MAX = 200 << 20, PINGS = 32768 };
    struct peer deaf = device311(&b, "t", "deaf");
    struct peer other = device311(&b, "t", "other");
    char *pings = malloc(PINGS);
    (void)state;

    for (int i = 0; i < PINGS; i += 2)
        memcpy(pings + i, "\xc0\0", 2);
    assert_in_range(stuff(&deaf, pings, PINGS, MAX), 1 << 20, MAX - 1);
    says(&other, "c000");
    hears(&other, "d0 00");
    free(pings);
    peer_close(&deaf);
    peer_close(&other);
}

static void a_flood_is_stored_and_nobody_else_waits_for_it(void **state)
{
    enum { MANY = 20000 };
    struct peer flood = device311(&b, "flood", "flood");
    struct peer other = device311(&b, "calm", "other");
    char batch[100 * 20];
    size_t len = 0;
    (void)state;

    for (int i = 0; i < 100; i++) { /* QoS 0 */
        const char packet[] = {0x30, 13,  0,   7,   'f', 'l', 'o', 'o',
                               'd',  '/', 'x', '1', '2', '3', '4'};
        memcpy(batch + len, packet, sizeof(packet));
        len += sizeof(packet);
    }
    for (int i = 0; i < MANY / 100; i++)
        says_bytes(&flood, batch, len);
    says(&other, "32[ ('calm/x') 0001 'x' ]");
    hears(&other, "40 02 0001");
    says(&flood, "32[ ('flood/x') 0001 'last' ]");
    hears(&flood, "40 02 0001");

    struct store_reader *r = store_reader_acquire(b.store);
    struct thing_row row;
    assert_int_equal(store_reader_begin(r), STORE_OK);
    assert_int_equal(store_thing(r, slice_str("flood/x"), &row), STORE_OK);
    assert_int_equal(row.count, MANY + 1);
    store_reader_release(r);
    peer_close(&flood);
    peer_close(&other);
}

/* ---- workers turned by hand --------------------------------------------- */

static struct by_hand h;

static int begin_by_hand(void **state)
{
    (void)state;
    by_hand_begin(&h, 1);
    return 0;
}

static int end_by_hand(void **state)
{
    (void)state;
    by_hand_end(&h);
    return 0;
}

static void append(const char *topic, uint32_t number)
{
    by_hand_append(&h, topic, 0, slice_of(&number, sizeof(number)));
}

/* Batches of events, which cost no flush, until the mailbox is full. */
static void fill_mailbox(void)
{
    const struct message from = {.kind = MESSAGE_EVENT,
                                 .topic = slice_str("$events/t/fill/x")};

    for (int i = 0; i < WORKER_BATCHES_MAX; i++) {
        struct command c = {.kind = COMMAND_EVENT,
                            .message = message_new(&from)};
        by_hand_run(&h, &c);
        message_unref(c.message);
    }
}

static uint64_t dropped_batches(void)
{
    return counter_read(&h.workers[0]->counters.batches_dropped);
}

static void a_worker_with_too_many_batches_reads_the_log_instead(void **state)
{
    enum { MANY = 200 };
    struct peer p = by_hand_guest(&h, "reader", "t");
    const uint64_t before = dropped_batches();
    (void)state;

    says(&p, "82[ 0001 ('t/x') 00 ]");
    hears(&p, "90 03 0001 00");
    append("t/x", 0); /* this one has room */
    fill_mailbox();
    for (uint32_t i = 1; i < MANY; i++)
        append("t/x", i);
    assert_in_range(dropped_batches(), before + MANY - 1, before + MANY);
    for (uint32_t i = 0; i < MANY; i++)
        hears_numbered(&p, 3, false, i);
    append("t/x", MANY); /* batches are taken again */
    hears_numbered(&p, 3, false, MANY);
    hears_nothing(&p, 20);
    peer_close(&p);
    by_hand_turn(&h);
}

static void a_revocation_in_a_lost_batch_is_made_up_for(void **state)
{
    struct peer p = by_hand_guest(&h, "revoked", "r"),
                q = by_hand_guest(&h, "other", "t");
    struct token_create create = {slice_str("r"), slice_str("local")};
    struct command c = {.kind = COMMAND_TOKEN_CREATE, .args = &create};
    (void)state;

    by_hand_run(&h, &c);
    fill_mailbox();
    struct token_revoke revoke = {slice_str("r")};
    c = (struct command){.kind = COMMAND_TOKEN_REVOKE, .args = &revoke};
    by_hand_run(&h, &c);
    hears_end(&p);
    says(&q, "c000");
    hears(&q, "d0 00");
    peer_close(&p);
    peer_close(&q);
    by_hand_turn(&h);
}

static void turn_some(int times)
{
    for (int i = 0; i < times; i++) {
        usleep(1000);
        by_hand_turn(&h);
    }
}

static void large_batches_are_read_from_the_log_instead(void **state)
{
    enum { MANY = 80, SIZE = 1000000 };
    static char payload[SIZE];
    const struct worker *w = h.workers[0];
    struct peer p = by_hand_guest(&h, "reader", "t");
    const uint64_t before = dropped_batches();
    (void)state;

    says(&p, "82[ 0001 ('t/large') 00 ]");
    hears(&p, "90 03 0001 00");
    for (uint32_t i = 0; i < MANY; i++) {
        memcpy(payload, &i, sizeof(i));
        by_hand_append(&h, "t/large", 0, slice_of(payload, SIZE));
        assert_in_range(atomic_load(&w->batch_bytes), 0,
                        WORKER_BATCH_BYTES_MAX + SIZE + 1024);
    }
    assert_in_range(dropped_batches(), before + 1, before + MANY);
    for (uint32_t i = 0; i < MANY; i++)
        hears_numbered(&p, 7, false, i);
    assert_int_equal(atomic_load(&w->batch_bytes), 0);
    peer_close(&p);
    by_hand_turn(&h);
}

static void a_packet_costs_what_has_arrived_of_it(void **state)
{
    static char zeros[300000];
    struct peer p = by_hand_guest(&h, "big", "t");
    const struct worker *w = h.workers[0];
    uint8_t body[8];
    size_t len;
    (void)state;

    fcntl(p.fd, F_SETFL, 0);
    assert_int_equal(w->held[HELD_INPUT], 0);
    says(&p, "32 c6 cf 24 0003 't/x' 0001"); /* 600,006 bytes are to come */
    turn_some(3);
    assert_int_equal(w->held[HELD_INPUT], 0); /* too little to count */
    for (int i = 0; i < 10; i++) {
        says_bytes(&p, zeros, 30000);
        turn_some(3);
    }
    assert_in_range(w->held[HELD_INPUT], 300000, 700000);
    for (int i = 0; i < 10; i++) {
        says_bytes(&p, zeros, i < 9 ? 30000 : 29998);
        turn_some(3);
    }
    says(&p, "00 c0"); /* the last byte, and the first of a PINGREQ */
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x40);
    assert_int_equal(w->held[HELD_INPUT], 0); /* too little to count */
    says(&p, "00");
    hears(&p, "d0 00");
    assert_int_equal(w->held[HELD_INPUT], 0);
    peer_close(&p);
    turn_some(3);
}

/* A peer (v5, token t) whose CONNACK was heard. */
static struct peer guest5(const char *client_id)
{
    struct peer p = by_hand_stranger(&h);
    uint8_t body[64];
    size_t len;
    char text[128];

    snprintf(text, sizeof(text), "10[ ('MQTT') 05 82 0000 [] ('%s') ('t') ]",
             client_id);
    says(&p, text);
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x20);
    assert_int_equal(body[1], 0);
    return p;
}

/* PUBLISH, QoS 1, to t/x with an empty payload and Content Type, Response Topic
 * and Correlation Data of `each` bytes, and a User Property of about that. */
static struct buffer publish_of_properties(uint16_t id, uint16_t each)
{
    static const char identifiers[] = {3, 8, 9, 38};
    struct buffer packet = BUFFER_INIT;
    const uint32_t properties = 4 * (1 + 2 + (uint32_t)each) + 2;
    const uint32_t rest = 2 + 3 + 2 + 3 + properties;

    buffer_put_char(&packet, 0x32);
    for (int i = 0; i < 3; i++)
        buffer_put_char(&packet,
                        (char)((rest >> 7 * i & 127) | (i < 2 ? 128U : 0U)));
    buffer_put(&packet, "\0\3t/x", 5);
    buffer_put_char(&packet, (char)(id >> 8));
    buffer_put_char(&packet, (char)id);
    for (int i = 0; i < 3; i++)
        buffer_put_char(&packet, (char)((properties >> 7 * i & 127) |
                                        (i < 2 ? 128U : 0U)));
    for (int i = 0; i < 4; i++) {
        buffer_put_char(&packet, identifiers[i]);
        buffer_put_char(&packet, (char)(each >> 8));
        buffer_put_char(&packet, (char)each);
        for (uint16_t k = 0; k < each; k++)
            buffer_put_char(&packet, 'p');
    }
    buffer_put(&packet, "\0\0", 2); /* the user property's value */
    assert_true(buffer_ok(&packet));
    return packet;
}

static void credits_count_all_that_a_command_holds(void **state)
{
    enum { EACH = 50000 };
    const struct worker *w = h.workers[0];
    struct peer p = guest5("props");
    struct buffer packet = publish_of_properties(1, EACH);
    uint8_t body[64];
    size_t len;
    (void)state;

    says_bytes(&p, packet.data, packet.len);
    /* A turn reads after it has given the writer what was there. */
    while (w->publishes->outbox_count == 0)
        by_hand_turn(&h);
    assert_in_range(w->credits.bytes, 4 * EACH, 4 * EACH + 2048);
    assert_int_equal(
        TAILQ_LAST(&w->connections, connection_list)->command_bytes,
        w->credits.bytes);
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x40);
    assert_int_equal(w->credits.bytes, 0);
    buffer_release(&packet);
    peer_close(&p);
    turn_some(3);
}

static void of_a_session_that_is_opened_too(void **state)
{
    enum { WILL = 60000 };
    const struct worker *w = h.workers[0];
    struct peer p = by_hand_stranger(&h);
    struct buffer packet = BUFFER_INIT;
    const uint32_t rest = 10 + 3 + 5 + 2 + WILL + 3;
    (void)state;

    buffer_put_char(&packet, 0x10);
    for (int i = 0; i < 3; i++)
        buffer_put_char(&packet,
                        (char)((rest >> 7 * i & 127) | (i < 2 ? 128U : 0U)));
    buffer_put(&packet, "\0\4MQTT\4\x84\0\0\0\1w\0\3t/w", 18);
    buffer_put_char(&packet, (char)(WILL >> 8));
    buffer_put_char(&packet, (char)(WILL & 255));
    for (int i = 0; i < WILL; i++)
        buffer_put_char(&packet, 'w');
    buffer_put(&packet, "\0\1t", 3);
    says_bytes(&p, packet.data, packet.len);
    while (w->publishes->outbox_count == 0)
        by_hand_turn(&h);
    assert_in_range(w->credits.bytes, WILL, WILL + 2048);
    hears(&p, "20 02 00 00");
    buffer_release(&packet);
    peer_close(&p);
    turn_some(3);
}

/* ---- the worker's credits are used up ----------------------------------- */

/* As if so many commands of others were with the writer. */
static void use_up_credits(void)
{
    h.workers[0]->credits.commands += WORKER_COMMANDS_MAX;
}

static void give_credits_back(void)
{
    h.workers[0]->credits.commands -= WORKER_COMMANDS_MAX;
}

static void who_arrives_then_is_served_later(void **state)
{
    (void)state;

    use_up_credits();
    struct peer p = by_hand_stranger(&h);
    says(&p, "10[ ('MQTT') 04 82 0000 ('late') ('t') ]");
    hears_nothing(&p, 20);
    give_credits_back();
    hears(&p, "20 02 00 00");
    peer_close(&p);
    turn_some(3);
}

/* It has said CONNECT in time; it is us who do not read it. */
static void who_is_not_read_is_not_sent_away_for_silence(void **state)
{
    struct worker *w = h.workers[0];
    (void)state;

    use_up_credits();
    struct peer p = by_hand_stranger(&h);
    says(&p, "10[ ('MQTT') 04 82 0000 ('late') ('t') ]");
    turn_some(3);
    struct connection *c = TAILQ_FIRST(&w->starving);
    assert_non_null(c);
    ev_invoke(w->loop, &c->timer, EV_TIMER);
    give_credits_back();
    hears(&p, "20 02 00 00");
    peer_close(&p);
    turn_some(3);
}

static void so_is_who_opens_its_stored_session(void **state)
{
    const struct worker *w = h.workers[0];
    struct peer p = by_hand_stranger(&h);
    (void)state;

    says(&p, "10[ ('MQTT') 04 80 0000 ('stored') ('t') ]");
    while (w->openings == 0)
        by_hand_turn(&h);
    use_up_credits();
    hears(&p, "20 02 00 00"); /* the store answers all the same */
    says(&p, "c000");
    hears_nothing(&p, 20);
    give_credits_back();
    hears(&p, "d0 00");
    peer_close(&p);
    turn_some(3);
}

static void so_is_who_joins_a_group(void **state)
{
    const struct worker *w = h.workers[0];
    struct peer p = by_hand_guest(&h, "member", "t");
    (void)state;

    says(&p, "82[ 0001 ('$share/g/t/#') 00 ]");
    while (w->share->groups == NULL)
        by_hand_turn(&h);
    use_up_credits();
    hears_nothing(&p, 20); /* JOINED comes meanwhile */
    give_credits_back();
    hears(&p, "90 03 0001 00");
    peer_close(&p);
    turn_some(10);
    assert_null(w->share->groups);
}

static void so_is_who_gets_its_own_credits_back(void **state)
{
    enum { MANY = CONNECTION_COMMANDS_MAX + 76, SIZE = 10 };
    static char packets[MANY * SIZE];
    const struct worker *w = h.workers[0];
    struct peer p = by_hand_guest(&h, "hog", "t");
    uint8_t acks[MANY * 4];
    (void)state;

    for (int i = 0; i < MANY; i++) {
        const char packet[SIZE] = {
            0x32,          8,  0, 3, 't', '/', 'x', (char)((i + 1) >> 8),
            (char)(i + 1), '1'};
        memcpy(packets + i * SIZE, packet, SIZE);
    }
    says_bytes(&p, packets, sizeof(packets));
    /* On a busy machine they come in parts, and are answered in parts. */
    for (int n = 0; n < 2000 && w->credits.commands < CONNECTION_COMMANDS_MAX;
         n++)
        by_hand_turn(&h);
    use_up_credits();
    while (w->credits.commands > WORKER_COMMANDS_MAX)
        by_hand_turn(&h);
    give_credits_back();
    assert_true(hears_bytes(&p, acks, sizeof(acks)));
    peer_close(&p);
    turn_some(3);
}

static int begin(void **state)
{
    (void)state;
    broker_fixture_prepare(&b);
    broker_fixture_start(&b);
    return 0;
}

static int end(void **state)
{
    (void)state;
    broker_fixture_stop(&b);
    broker_fixture_remove(&b);
    return 0;
}

int main(void)
{
    const struct CMUnitTest whole[] = {
        cmocka_unit_test(a_slow_reader_gets_everything_once_and_in_order),
        cmocka_unit_test(so_does_one_that_acknowledges),
        cmocka_unit_test(who_does_not_take_its_answers_is_not_read_from),
        cmocka_unit_test(a_flood_is_stored_and_nobody_else_waits_for_it),
    };
    const struct CMUnitTest by_hand[] = {
        cmocka_unit_test(a_worker_with_too_many_batches_reads_the_log_instead),
        cmocka_unit_test(a_revocation_in_a_lost_batch_is_made_up_for),
        cmocka_unit_test(large_batches_are_read_from_the_log_instead),
        cmocka_unit_test(a_packet_costs_what_has_arrived_of_it),
        cmocka_unit_test(credits_count_all_that_a_command_holds),
        cmocka_unit_test(of_a_session_that_is_opened_too),
        cmocka_unit_test(who_arrives_then_is_served_later),
        cmocka_unit_test(who_is_not_read_is_not_sent_away_for_silence),
        cmocka_unit_test(so_is_who_opens_its_stored_session),
        cmocka_unit_test(so_is_who_joins_a_group),
        cmocka_unit_test(so_is_who_gets_its_own_credits_back),
    };
    return cmocka_run_group_tests(whole, begin, end) +
           cmocka_run_group_tests(by_hand, begin_by_hand, end_by_hand);
}
