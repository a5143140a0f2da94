/* The UNIX socket: who is an administrator, and what administrators may. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "test/unit/broker/broker_fixture.h"

static struct broker_fixture b;

/* Sends a packet and returns its PUBACK as text: printable bytes only. */
static const char *order(struct peer *p, const char *packet, unsigned code)
{
    static uint8_t body[20000];
    static char text[20001];
    size_t len, at = 0;

    says(p, packet);
    assert_int_equal(hears_packet(p, body, sizeof(body), &len), 0x40);
    assert_int_equal(len > 2 ? body[2] : 0, code);
    for (size_t i = 0; i < len; i++)
        text[at++] = (char)(body[i] >= ' ' && body[i] < 127 ? body[i] : '.');
    text[at] = '\0';
    return text;
}

static void assert_says(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("no %s in %s", part, text);
}

#define CREATE(token)                                                         \
    "32[ ('$confab/token_create') 0001 [] 82 a5 'token' a5 '" token           \
    "' a4 'plan' a4 'free' ]"
#define REVOKE(token)                                                         \
    "32[ ('$confab/token_revoke') 0001 [] 81 a5 'token' a5 '" token "' ]"

static void tokens_are_created_once_and_revoked(void **state)
{
    struct peer a = administrator(&b, "a");
    const char *answer;
    (void)state;

    answer = order(&a, CREATE("tok-1"), 0);
    assert_says(answer, "confab-status..200");
    assert_says(answer, "{\"token\":\"tok-1\",\"plan\":\"free\"}");
    answer = order(&a, CREATE("tok-1"), 0x83);
    assert_says(answer, "confab-status..409");
    assert_says(answer, "{\"refused\":\"EXISTS\"}");
    answer = order(&a, REVOKE("tok-1"), 0);
    assert_says(answer, "{\"token\":\"tok-1\",\"revoked\":true}");
    assert_says(order(&a, REVOKE("tok-9"), 0x83), "confab-status..404");
    peer_close(&a);
}

static void a_revoked_tokens_clients_are_sent_away(void **state)
{
    struct peer a = administrator(&b, "a");
    struct peer p = device5(&b, "tok-2", "p"), q = device311(&b, "tok-2", "q");
    struct peer other = device311(&b, "tok-3", "q");
    uint8_t body[128];
    size_t len;
    (void)state;

    order(&a, CREATE("tok-2"), 0);
    const int64_t before = clock_mono_us();
    order(&a, REVOKE("tok-2"), 0);
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0xe0);
    assert_int_equal(body[0], 0x87);
    hears_end(&p);
    hears_end(&q);
    assert_in_range(clock_mono_us() - before, 0, 1000000);
    peer_close(&p);
    peer_close(&q);
    p = peer_tcp(broker_mqtt_port(b.broker));
    says(&p, "10[ ('MQTT') 04 82 0000 ('p') ('tok-2') ]");
    hears(&p, "20 02 00 04");
    says(&other, "c000");
    hears(&other, "d0 00");
    peer_close(&other);
    peer_close(&p);
    peer_close(&a);
}

static void bad_orders_are_explained(void **state)
{
    static const struct {
        const char *says, *part;
    } rows[] = {
        {"32[ ('$confab/nonsense') 0001 [] 80 ]", "confab-status..404"},
        /* the writer's own, and a session's */
        {"32[ ('$confab/settings') 0001 [] 81 a3 'row' c4 01 00 ]",
         "confab-status..404"},
        {"32[ ('$confab/session_open') 0001 [] 80 ]", "confab-status..404"},
        {"32[ ('$confab/token_create') 0001 [] ]", "confab-status..400"},
        {"32[ ('$confab/token_create') 0001 [] 80 ]", "confab-status..400"},
        {"32[ ('$confab/token_create') 0001 [] 81 a5 'token' 07 ]",
         "confab-status..400"},
        {"32[ ('$confab/token_create') 0001 [] 82 a5 'token' a3 'abc' a4 'plan' "
         "a3 'xyz' ]",
         "there is no such plan"},
        {"32[ ('$confab/token_create') 0001 [] 81 a5 'token' a3 'a b' ]",
         "A-Z a-z 0-9"},
        {"32[ ('$confab/usage') 0001 [] 81 a5 'token' a3 'abc' ]",
         "needs token, start and reads"},
        {"32[ ('$confab/trim') 0001 [] 81 a5 'topic' a3 'abc' ]",
         "needs topic and through"},
        {"32[ ('$confab/ping') 0001 [] 80 80 ]", "confab-status..400"},
        {"32[ ('$confab/ping') 0001 [] c1 ]", "confab-status..400"},
        {"32[ ('$confab/ping') 0001 [] df ffffffff ]", "confab-status..400"},
        {"32[ ('$confab/ping') 0001 [ 26 ('confab-op') ('"
         "0123456789012345678901234567890123456789012345678901234567890123456789"
         "') ] 80 ]",
         "confab-op is too long"},
    };
    struct peer a = administrator(&b, "a");
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_says(order(&a, rows[i].says, 0x83), rows[i].part);
    /* and nothing of it has harmed the connection */
    assert_says(order(&a, "32[ ('$confab/ping') 0001 [] 80 ]", 0), "{}");
    peer_close(&a);
}

static void status_counts(void **state)
{
    struct peer a = administrator(&b, "a");
    const char *answer = order(&a, "32[ ('$confab/status') 0001 [] 80 ]", 0);
    (void)state;

    assert_says(answer, "confab-status..200");
    assert_says(answer, "\"connections\":{\"now\":1,");
    assert_says(answer, "\"writer\":{\"accepting\":true,");
    assert_says(answer, "\"store\":{\"head\":");
    peer_close(&a);
}

static void a_message_is_answered_with_its_place(void **state)
{
    struct peer a = administrator(&b, "a");
    const char *answer = order(
        &a, "32[ ('tok-4/x') 0001 [ 26 ('confab-class') ('json') ] '{}' ]", 0);
    (void)state;

    assert_says(answer, "confab-status..200");
    assert_says(answer, "confab-id..");
    assert_says(answer, "confab-seq..1");
    assert_says(answer, "confab-at..");
    peer_close(&a);
}

#define OP "26 ('confab-op') ('op-1')"
static void an_operation_is_done_once(void **state)
{
    struct peer a = administrator(&b, "a"), p = device311(&b, "tok-5", "p");
    char first[512];
    (void)state;

    says(&p, "82[ 0001 ('tok-5/x') 00 ]");
    hears(&p, "90 03 0001 00");
    snprintf(first, sizeof(first), "%s",
             order(&a, "32[ ('tok-5/x') 0001 [ " OP " ] 'x' ]", 0));
    assert_null(strstr(first, "confab-repeat"));
    peer_close(&a);
    a = administrator(&b, "a");
    const char *again = order(&a, "3a[ ('tok-5/x') 0001 [ " OP " ] 'x' ]", 0);
    assert_says(again, "confab-repeat..1");
    /* both name the same place */
    assert_says(again,
                strstr(first, "confab-id") == NULL ? "?" : "confab-seq..1");
    hears(&p, "30[ ('tok-5/x') 'x' ]");
    hears_nothing(&p, 50);
    peer_close(&a);
    peer_close(&p);
}

/* An element of `$confab/append`. */
#define ELEMENT(op, topic, payload, flags)                                    \
    "96 " op " " topic " " payload " " flags " 00 a0 "

static void a_bundle_is_appended_in_order_and_answered_at_once(void **state)
{
    struct peer a = administrator(&b, "a"), p = device5(&b, "tok-b", "p");
    struct store_stats before, after;
    const char *answer;
    char expected[256];
    (void)state;

    says(&p, "82[ 0001 [] ('tok-b/#') 28 ]"); /* Retain As Published */
    hears(&p, "90[ 0001 [] 00 ]");
    store_stats(b.store, &before);
    answer = order(
        &a,
        "32[ ('$confab/append') 0001 [] 94 " ELEMENT("a2 'b1'", "a7 'tok-b/x'",
                                                     "c4 02 '{}'", "02")
            ELEMENT("a2 'b2'", "a7 'tok-b/y'", "c4 00", "01")
                ELEMENT("a2 'b3'", "a7 'tok-b/#'", "c4 01 '3'", "00")
                    ELEMENT("a2 'b4'", "a7 'tok-b/x'", "c4 01 '4'", "00") "]",
        0);
    assert_says(answer, "confab-status..200");
    hears(&p, "30[ ('tok-b/x') [] '{}' ] 31[ ('tok-b/y') [] ]"
              "30[ ('tok-b/x') [] '4' ]");
    hears_nothing(&p, 20);
    store_stats(b.store, &after);
    assert_int_equal(after.head, before.head + 3);
    snprintf(expected, sizeof(expected), "[[200,%u,1,",
             (unsigned)before.head + 1);
    assert_says(answer, expected);
    snprintf(expected, sizeof(expected), ",null,0,0,\"\"],[200,%u,1,",
             (unsigned)before.head + 2);
    assert_says(answer, expected);
    assert_says(answer, "[400,0,0,0,null,0,0,\"topic is not <token>/<thing> "
                        "with a valid thing\"]");
    snprintf(expected, sizeof(expected), ",[200,%u,2,",
             (unsigned)before.head + 3);
    assert_says(answer, expected);
    peer_close(&a);
    peer_close(&p);
}

static void an_operation_is_done_once_in_whichever_bundle(void **state)
{
    struct peer a = administrator(&b, "a");
    struct store_stats before, after;
    const char *answer;
    char expected[128];
    (void)state;

    store_stats(b.store, &before);
    order(&a, "32[ ('tok-b/once') 0001 [ 26 ('confab-op') ('once-1') ] 'x' ]",
          0);
    order(&a,
          "32[ ('$confab/append') 0001 [] 92 " ELEMENT(
              "a6 'once-1'", "aa 'tok-b/once'", "c4 01 'x'", "00")
              ELEMENT("a6 'once-2'", "aa 'tok-b/once'", "c4 01 'y'", "00") "]",
          0);
    answer =
        order(&a,
              "32[ ('$confab/append') 0001 [] 91 " ELEMENT(
                  "a6 'once-2'", "aa 'tok-b/once'", "c4 01 'y'", "00") "]",
              0);
    snprintf(expected, sizeof(expected), "[[200,%u,2,",
             (unsigned)before.head + 2);
    assert_says(answer, expected);
    assert_says(answer, ",0,1,\"\"]]");
    store_stats(b.store, &after);
    assert_int_equal(after.head, before.head + 2);
    peer_close(&a);
}

/* The last message stored; "": it has no sender. */
static const char *last_sender(void)
{
    static char sender[MESSAGE_SENDER_MAX + 1];
    struct store_reader *r = store_reader_acquire(b.store);
    struct record record;

    assert_non_null(r);
    assert_int_equal(store_reader_begin(r), STORE_OK);
    assert_int_equal(store_get(r, store_head(r), &record), STORE_OK);
    assert_true(record.m.sender.data != NULL || record.m.sender.len == 0);
    memcpy(sender, record.m.sender.len > 0 ? record.m.sender.data : "",
           record.m.sender.len);
    sender[record.m.sender.len] = '\0';
    store_reader_release(r);
    return sender;
}

/* Who speaks for many says whose a message is; a client is nobody's user, and
 * may not say so. */
static void a_sender_is_believed_from_administrators_only(void **state)
{
    struct peer a = administrator(&b, "a"), p = device5(&b, "tok-s", "client");
    char packet[1024], name[MESSAGE_SENDER_MAX + 2];
    (void)state;

    says(&p, "82[ 0001 [] ('tok-s/#') 00 ]");
    hears(&p, "90[ 0001 [] 00 ]");
    order(&a, "32[ ('tok-s/x') 0001 [ 26 ('confab-sender') ('ann') ] '1' ]",
          0);
    assert_string_equal(last_sender(), "ann");
    /* and told to nobody */
    hears(&p, "30[ ('tok-s/x') [] '1' ]");
    order(&a,
          "32[ ('$confab/append') 0001 [] 92 "
          "97 a2 's1' a7 'tok-s/x' c4 01 '2' 00 00 a0 a3 'bob' "
          "96 a2 's2' a7 'tok-s/x' c4 01 '3' 00 00 a0 ]",
          0);
    assert_string_equal(last_sender(), "");
    order(&a,
          "32[ ('$confab/append') 0001 [] 91 "
          "97 a2 's3' a7 'tok-s/x' c4 01 '4' 00 00 a0 a3 'bob' ]",
          0);
    assert_string_equal(last_sender(), "bob");
    order(&a, "32[ ('tok-s/x') 0001 [] '5' ]", 0);
    assert_string_equal(last_sender(), "");
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    snprintf(packet, sizeof(packet),
             "32[ ('tok-s/x') 0001 [ 26 ('confab-sender') ('%s') ] '6' ]",
             name);
    assert_says(order(&a, packet, 0x83), "confab-sender is too long");
    peer_close(&p);

    p = device5(&b, "tok-s", "client2");
    order(&p, "32[ ('tok-s/x') 0001 [ 26 ('confab-sender') ('ann') ] '7' ]",
          0x83);
    order(&p, "32[ ('tok-s/x') 0002 [] '8' ]", 0);
    assert_string_equal(last_sender(), "");
    peer_close(&a);
    peer_close(&p);
}

static void what_is_no_bundle_stores_nothing(void **state)
{
    static const char *const bodies[] = {
        "",
        "80",
        "90",
        "91 90",
        "91 96 a1 'o' a3 't/x' c4 01 'x' 00 00",
        "92 " ELEMENT("a1 'o'", "a3 't/x'", "c4 01 'x'", "00"), /* one only */
        "91 " ELEMENT("a1 'o'", "a3 't/x'", "c4 01 'x'", "00") "00",
        "91 " ELEMENT("a1 'o'", "a3 't/x'", "c4 ff 'x'", "00"),
        "91 " ELEMENT("a1 'o'", "a3 't/x'", "a1 'x'", "00"), /* no bin */
        "91 96 a1 'o' a3 't/x' c4 01 'x' 00 ff a0",          /* window -1 */
        "dd ffffffff",
        "dc 0041"};
    struct peer a = administrator(&b, "a");
    struct store_stats before, after;
    char packet[256];
    (void)state;

    store_stats(b.store, &before);
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        snprintf(packet, sizeof(packet), "32[ ('$confab/append') 0001 [] %s ]",
                 bodies[i]);
        assert_says(order(&a, packet, 0x83),
                    "must contain messages to append");
    }
    store_stats(b.store, &after);
    assert_int_equal(after.head, before.head);
    peer_close(&a);
}

/* Answers come in the order of the PUBLISHes, whatever they are (MQTT-4.6.0-2),
 * and a bundle whose sender has left is stored all the same. */
static void bundles_keep_their_place_and_outlive_their_sender(void **state)
{
    struct peer a = administrator(&b, "a");
    struct store_stats before, after;
    const int64_t until = clock_mono_us() + 5000000;
    (void)state;

    store_stats(b.store, &before);
    says(&a, "32[ ('$confab/append') 0001 [] 91 " ELEMENT(
                 "a2 'p1'", "a7 'tok-b/p'", "c4 01 '1'",
                 "00") "]"
                       "32[ ('$confab/nonsense') 0002 [] 80 ]"
                       "32[ ('$confab/append') 0003 [] 80 ]");
    for (unsigned i = 1; i <= 3; i++) {
        uint8_t body[1024];
        size_t len;
        assert_int_equal(hears_packet(&a, body, sizeof(body), &len), 0x40);
        assert_int_equal(body[0] << 8 | body[1], i);
    }
    says(&a, "32[ ('$confab/append') 0001 [] 92 " ELEMENT(
                 "a2 'p2'", "a7 'tok-b/p'", "c4 01 '2'", "00")
                 ELEMENT("a2 'p3'", "a7 'tok-b/p'", "c4 01 '3'",
                         "00") "]"
                               "30[ ('$confab/append') [] 91 " ELEMENT(
                                   "a2 'p4'", "a7 'tok-b/p'", "c4 01 '4'",
                                   "00") "]");
    peer_close(&a);
    do {
        usleep(1000);
        store_stats(b.store, &after);
    } while (after.head < before.head + 4 && clock_mono_us() < until);
    assert_int_equal(after.head, before.head + 4);
}

static void reserved_properties_never_reach_a_client(void **state)
{
    struct peer a = administrator(&b, "a"), p = device5(&b, "tok-6", "p");
    (void)state;

    says(&p, "82[ 0001 [] ('tok-6/x') 00 ]");
    hears(&p, "90[ 0001 [] 00 ]");
    order(&a,
          "32[ ('tok-6/x') 0001 [ 26 ('a') ('1') 26 ('confab-op') ('op-2') "
          "26 ('b') ('2') ] 'x' ]",
          0);
    hears(&p, "30[ ('tok-6/x') [ 26 ('a') ('1') 26 ('b') ('2') ] 'x' ]");
    peer_close(&a);
    peer_close(&p);
}

static void events_reach_their_token_in_order_and_are_not_stored(void **state)
{
    struct peer a = administrator(&b, "a"), p = device311(&b, "tok-7", "p");
    struct store_stats before, after;
    (void)state;

    says(&p, "82[ 0001 ('tok-7/#') 00 ('$events/tok-7/#') 00 ]");
    hears(&p, "90 04 0001 00 00");
    store_stats(b.store, &before);
    says(&a, "30[ ('tok-7/x') [] '1' ] 30[ ('$events/tok-7/typing/x') [] '2' ]"
             "30[ ('tok-7/x') [] '3' ] 32[ ('$events/tok-7/typing/x') 0001 [] "
             "'4' ]");
    hears(&p, "30[ ('tok-7/x') '1' ] 30[ ('$events/tok-7/typing/x') '2' ]"
              "30[ ('tok-7/x') '3' ] 30[ ('$events/tok-7/typing/x') '4' ]");
    store_stats(b.store, &after);
    assert_int_equal(after.head, before.head + 2);
    peer_close(&a);
    peer_close(&p);
}

static void with_a_user_name_one_is_a_client_there_too(void **state)
{
    struct peer p = peer_unix(b.socket);
    (void)state;

    says(&p, "10[ ('MQTT') 04 82 0000 ('p') ('tok-8') ]");
    hears(&p, "20 02 00 00");
    says(&p, "32[ ('tok-8/x') 0001 'x' ]");
    hears(&p, "40 02 0001");
    says(&p, "32[ ('$confab/ping') 0002 80 ]");
    hears_end(&p);
    peer_close(&p);
}

static void registered_mode_knows_created_tokens_only(void **state)
{
    struct peer p, a;
    (void)state;

    broker_fixture_stop(&b);
    b.config.tokens_access = ACCESS_REGISTERED;
    broker_fixture_start(&b);
    p = peer_tcp(broker_mqtt_port(b.broker));
    says(&p, "10[ ('MQTT') 04 82 0000 ('p') ('tok-9') ]");
    hears(&p, "20 02 00 04");
    hears_end(&p);
    peer_close(&p);
    p = peer_tcp(broker_mqtt_port(b.broker));
    says(&p, "10[ ('MQTT') 04 02 0000 ('p') ]"); /* no user name */
    hears(&p, "20 02 00 05");
    hears_end(&p);
    peer_close(&p);
    a = administrator(&b, "a");
    order(&a, CREATE("tok-9"), 0);
    p = device311(&b, "tok-9", "p");
    says(&p, "32[ ('tok-9/x') 0001 'x' ]");
    hears(&p, "40 02 0001");
    assert_says(order(&a, "32[ ('nobody/x') 0001 [] 'x' ]", 0x87),
                "confab-status..401");
    peer_close(&a);
    peer_close(&p);
    broker_fixture_stop(&b);
    b.config.tokens_access = ACCESS_OPEN;
    broker_fixture_start(&b);
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
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_are_created_once_and_revoked),
        cmocka_unit_test(a_revoked_tokens_clients_are_sent_away),
        cmocka_unit_test(bad_orders_are_explained),
        cmocka_unit_test(status_counts),
        cmocka_unit_test(a_message_is_answered_with_its_place),
        cmocka_unit_test(an_operation_is_done_once),
        cmocka_unit_test(a_bundle_is_appended_in_order_and_answered_at_once),
        cmocka_unit_test(an_operation_is_done_once_in_whichever_bundle),
        cmocka_unit_test(a_sender_is_believed_from_administrators_only),
        cmocka_unit_test(what_is_no_bundle_stores_nothing),
        cmocka_unit_test(bundles_keep_their_place_and_outlive_their_sender),
        cmocka_unit_test(reserved_properties_never_reach_a_client),
        cmocka_unit_test(events_reach_their_token_in_order_and_are_not_stored),
        cmocka_unit_test(with_a_user_name_one_is_a_client_there_too),
        cmocka_unit_test(registered_mode_knows_created_tokens_only),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
