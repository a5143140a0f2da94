/* `$confab/clients` and `$confab/kick`, against a real broker with two workers:
 * clients live in both. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/flat_json.h"
#include "broker/admin/client_query.h"
#include "test/unit/broker/broker_fixture.h"

#define MANY 150

static struct broker_fixture b;
static char result[20000]; /* confab-result of the last order */

/* Sends a PUBLISH and returns its reason code; its result is in `result`. */
static unsigned order(struct peer *p, const char *packet)
{
    static const char name[] = "confab-result";
    static uint8_t body[20000];
    size_t len;

    says(p, packet);
    assert_int_equal(hears_packet(p, body, sizeof(body), &len), 0x40);
    result[0] = '\0';
    for (size_t i = 0; i + sizeof(name) + 1 < len; i++) {
        if (memcmp(body + i, name, sizeof(name) - 1) != 0)
            continue;
        const uint8_t *value = body + i + sizeof(name) - 1;
        const size_t size = (size_t)value[0] << 8 | value[1];
        memcpy(result, value + 2, size);
        result[size] = '\0';
    }
    return len > 2 ? body[2] : 0;
}

static void assert_says(const char *part)
{
    if (strstr(result, part) == NULL)
        fail_msg("no %s in %s", part, result);
}

/* The order with `members` of its map (a digit: how many), goes on from where
 * the last answer stopped. false: that was the end. */
static bool order_next(struct peer *p, const char *name, unsigned count,
                       const char *members, bool first)
{
    struct slice next = slice_of(NULL, 0);
    char packet[512];

    if (!first) {
        assert_true(flat_json_member(slice_str(result), "next", &next));
        if (slice_eq(next, slice_str("null")))
            return false;
    }
    const struct slice from =
        first ? slice_of("", 0)
              : slice_of((const char *)next.data + 1, next.len - 2);
    snprintf(packet, sizeof(packet),
             "32[ ('$confab/%s') 0001 [] 8%x a4 'from' d9 %02x '%.*s' %s ]",
             name, count + 1, (unsigned)from.len, (int)from.len,
             (const char *)from.data, members);
    assert_int_equal(order(p, packet), 0);
    return true;
}

/* How many are listed over all pages. */
static unsigned listed(struct peer *p, unsigned count, const char *members)
{
    unsigned n = 0;
    bool first = true;

    while (order_next(p, "clients", count, members, first)) {
        struct slice clients, client;
        size_t at = 0;
        first = false;
        assert_true(strlen(result) <= CLIENT_QUERY_BYTES);
        assert_true(flat_json_member(slice_str(result), "clients", &clients));
        while (flat_json_next(clients, &at, &client))
            n++;
    }
    return n;
}

static unsigned kicked(struct peer *p, unsigned count, const char *members)
{
    unsigned n = 0;
    bool first = true;

    while (order_next(p, "kick", count, members, first)) {
        struct slice value;
        first = false;
        assert_true(flat_json_member(slice_str(result), "kicked", &value));
        n += (unsigned)strtoul(value.data, NULL, 10);
    }
    return n;
}

#define TOKEN(name) "a5 'token' a5 '" name "'"
#define CLIENT(id) "a6 'client' a2 '" id "'"

static void a_client_is_described(void **state)
{
    struct peer a = administrator(&b, "a");
    struct peer p = device311(&b, "tok-1", "p1");
    (void)state;

    says(&p, "82[ 0001 ('tok-1/#') 01 ('$events/tok-1/#') 00 ]");
    hears(&p, "90 04 0001 01 00");
    says(&p, "32[ ('tok-1/x') 0001 'x' ]");
    /* its PUBACK, and its own message, which stays in flight */
    uint8_t body[64];
    size_t len;
    hears_packet(&p, body, sizeof(body), &len);
    hears_packet(&p, body, sizeof(body), &len);
    order(&a, "32[ ('$confab/clients') 0001 [] 81 " TOKEN("tok-1") " ]");
    if (strstr(result, "p1") == NULL) { /* the other worker has it */
        struct slice next;
        assert_true(flat_json_member(slice_str(result), "next", &next));
        assert_true(next.len > 2);
        assert_true(order_next(&a, "clients", 1, TOKEN("tok-1"), false));
    }
    assert_says("{\"clients\":[{\"token\":\"t\xe2\x80\xa6\",\"client\":\"p1\","
                "\"address\":\"127.0.0.1:");
    assert_says("\"version\":\"3.1.1\",\"transport\":\"tcp\",\"since\":\"20");
    assert_says("\"keep_alive_s\":0,\"subscriptions\":2,\"inflight\":1,"
                "\"queued_bytes\":0,\"catching_up\":false,\"expiry_s\":0}");
    peer_close(&p);
    peer_close(&a);
}

static void administrators_and_strangers_are_not_called(void **state)
{
    struct peer a = administrator(&b, "a1");
    struct peer stranger = peer_tcp(broker_mqtt_port(b.broker));
    (void)state;

    assert_int_equal(listed(&a, 1, CLIENT("a*")), 0);
    assert_int_equal(kicked(&a, 2, "a5 'token' a0 a6 'client' a2 'a1'"), 0);
    assert_int_equal(order(&a, "32[ ('$confab/ping') 0001 [] 80 ]"), 0);
    peer_close(&stranger);
    peer_close(&a);
}

static void a_long_list_comes_in_pages_with_everybody_once(void **state)
{
    static struct peer peers[MANY];
    struct peer a = administrator(&b, "a");
    char id[64];
    (void)state;

    for (unsigned i = 0; i < MANY; i++) {
        snprintf(id, sizeof(id), "a client with quite a long name %03u", i);
        peers[i] = device311(&b, i % 2 == 0 ? "even" : "odds", id);
    }
    assert_int_equal(listed(&a, 1, "a5 'token' a4 'even'"), MANY / 2);
    assert_int_equal(listed(&a, 1, "a6 'client' a5 '*name'"), 0);
    assert_int_equal(listed(&a, 1, "a6 'client' a6 '*name*'"), MANY);
    assert_int_equal(listed(&a, 1, "a6 'client' a3 '*07'"), MANY / 100 + 1);
    /* clients that go between two pages take nobody else with them */
    assert_true(order_next(&a, "clients", 1, "a6 'client' a6 '*name*'", true));
    assert_int_equal(kicked(&a, 2, "a5 'token' a4 'odds' a3 'all' 01"),
                     MANY / 2);
    assert_int_equal(listed(&a, 1, "a5 'token' a4 'odds'"), 0);
    assert_int_equal(listed(&a, 1, "a5 'token' a4 'even'"), MANY / 2);
    for (unsigned i = 1; i < MANY; i += 2)
        hears_end(&peers[i]);
    for (unsigned i = 0; i < MANY; i++)
        peer_close(&peers[i]);
    peer_close(&a);
}

/* A page stops at a client, and that one is gone before the next. */
static void a_page_goes_on_behind_a_client_that_left(void **state)
{
    static struct peer peers[MANY];
    struct peer a = administrator(&b, "a");
    struct slice clients, client, id;
    char shown[64] = "";
    unsigned seen = 0;
    size_t at = 0;
    (void)state;

    for (unsigned i = 0; i < MANY; i++) {
        snprintf(shown, sizeof(shown), "one with quite a long name %03u", i);
        peers[i] = device311(&b, "page", shown);
    }
    assert_true(order_next(&a, "clients", 1, "a5 'token' a4 'page'", true));
    assert_true(flat_json_member(slice_str(result), "clients", &clients));
    while (flat_json_next(clients, &at, &client)) {
        assert_true(flat_json_member(client, "client", &id));
        snprintf(shown, sizeof(shown), "%.*s", (int)id.len - 2,
                 (const char *)id.data + 1);
        seen++;
    }
    assert_in_range(seen, 1, MANY - 2);
    const unsigned last =
        (unsigned)strtoul(shown + strlen(shown) - 3, NULL, 10);
    char saved[sizeof(result)];
    memcpy(saved, result, sizeof(saved));
    says(&peers[last], "e000");
    hears_end(&peers[last]);
    memcpy(result, saved, sizeof(saved));
    while (order_next(&a, "clients", 1, "a5 'token' a4 'page'", false)) {
        assert_true(flat_json_member(slice_str(result), "clients", &clients));
        for (at = 0; flat_json_next(clients, &at, &client);)
            seen++;
    }
    assert_int_equal(seen, MANY);
    for (unsigned i = 0; i < MANY; i++)
        peer_close(&peers[i]);
    peer_close(&a);
}

static void a_kicked_client_is_told_and_its_will_published(void **state)
{
    struct peer a = administrator(&b, "a");
    struct peer witness = device311(&b, "tok-2", "w1");
    struct peer p = peer_tcp(broker_mqtt_port(b.broker));
    uint8_t body[256];
    size_t len;
    (void)state;

    says(&witness, "82[ 0001 ('tok-2/will') 00 ]");
    hears(&witness, "90 03 0001 00");
    says(&p, "10[ ('MQTT') 05 86 0000 [] ('p2') [] ('tok-2/will') ('gone') "
             "('tok-2') ]");
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x20);
    /* another token's, another client's, and a pattern, which is a name here */
    assert_int_equal(kicked(&a, 2, TOKEN("tok-3") " " CLIENT("p2")), 0);
    assert_int_equal(kicked(&a, 2, TOKEN("tok-2") " " CLIENT("p3")), 0);
    assert_int_equal(kicked(&a, 2, TOKEN("tok-2") " " CLIENT("p*")), 0);
    assert_int_equal(kicked(&a, 2, TOKEN("tok-2") " " CLIENT("p2")), 1);
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0xe0);
    assert_int_equal(body[0], 0x98);
    hears_end(&p);
    hears(&witness, "30[ ('tok-2/will') 'gone' ]");
    assert_int_equal(status_number(&b, "\"kicked\":") > 0, 1);
    peer_close(&p);
    peer_close(&witness);
    peer_close(&a);
}

static void an_address_names_one_client(void **state)
{
    struct peer a = administrator(&b, "a");
    struct peer p = device311(&b, "tok-4", "p4"),
                q = device311(&b, NULL, "q4");
    struct slice clients, client, address = slice_of(NULL, 0);
    char members[128];
    bool first = true;
    (void)state;

    while (order_next(&a, "clients", 1, "a5 'token' a0", first)) {
        size_t at = 0;
        first = false;
        assert_true(flat_json_member(slice_str(result), "clients", &clients));
        if (!flat_json_next(clients, &at, &client))
            continue;
        assert_true(flat_json_member(client, "address", &address));
        snprintf(members, sizeof(members), "a7 'address' d9 %02x '%.*s'",
                 (unsigned)address.len - 2, (int)address.len - 2,
                 (const char *)address.data + 1);
    }
    assert_non_null(address.data);
    assert_int_equal(kicked(&a, 1, members), 1);
    hears_end(&q);
    says(&p, "c000");
    hears(&p, "d0 00");
    peer_close(&p);
    peer_close(&q);
    peer_close(&a);
}

/* Only those who were there at the first question are meant. */
static void who_comes_back_is_not_kicked_again(void **state)
{
    struct peer a = administrator(&b, "a");
    (void)state;

    assert_true(
        order_next(&a, "kick", 2, TOKEN("tok-5") " a3 'all' 01", true));
    struct peer p = device311(&b, "tok-5", "p5"),
                q = device311(&b, "tok-5", "q");
    while (order_next(&a, "kick", 2, TOKEN("tok-5") " a3 'all' 01", false))
        assert_says("\"kicked\":0");
    says(&p, "c000");
    hears(&p, "d0 00");
    says(&q, "c000");
    hears(&q, "d0 00");
    assert_int_equal(kicked(&a, 2, TOKEN("tok-5") " a3 'all' 01"), 2);
    peer_close(&p);
    peer_close(&q);
    peer_close(&a);
}

static void a_huge_id_is_shortened_and_says_so(void **state)
{
    static char packet[5000], id[3000 + 1];
    struct peer a = administrator(&b, "a");
    struct peer p = peer_tcp(broker_mqtt_port(b.broker));
    bool first = true, found = false;
    (void)state;

    /* each byte takes six in JSON */
    memset(id, '\001', 3000);
    snprintf(packet, sizeof(packet),
             "10[ ('MQTT') 04 82 0000 ('%s') ('huge') ]", id);
    says(&p, packet);
    hears(&p, "20 02 00 00");
    while (order_next(&a, "clients", 1, "a5 'token' a4 'huge'", first)) {
        first = false;
        found |= strstr(result, "\\u0001\",\"client_bytes\":3000,") != NULL;
    }
    assert_true(found);
    peer_close(&p);
    peer_close(&a);
}

/* libmosquitto ends a connection over a control character or a noncharacter. */
static void no_id_can_break_the_answer(void **state)
{
    struct peer a = administrator(&b, "a");
    struct peer p = peer_tcp(broker_mqtt_port(b.broker));
    bool first = true, found = false;
    (void)state;

    says(&p, "10[ ('MQTT') 04 82 0000 ( 'a\"\\' 0a 7f c285 efb790 efbfbf "
             "f09fbfbf c3bc f09f9880 ) ('odd') ]");
    hears(&p, "20 02 00 00");
    while (order_next(&a, "clients", 1, "a5 'token' a3 'odd'", first)) {
        first = false;
        found |= strstr(result, "\"a\\\"\\\\\\u000a\\u007f\\u0085\\ufdd0"
                                "\\uffff\\ud83f\\udfff\xc3\xbc"
                                "\xf0\x9f\x98\x80\"") != NULL;
    }
    assert_true(found);
    peer_close(&p);
    peer_close(&a);
}

static void unclear_orders_do_nothing(void **state)
{
    static const char *const bodies[] = {
        "80",
        "81 a3 'all' 01",
        "81 a5 'token' a3 'tok'",
        "81 a6 'client' a1 'c'",
        "82 a5 'token' a3 'tok' a3 'all' 00",
        "83 a5 'token' a3 'tok' a3 'all' 01 a4 'from' a1 'x'",
        "83 a5 'token' a3 'tok' a3 'all' 01 a4 'from' a5 '2.1.1'",
        "83 a5 'token' a3 'tok' a3 'all' 01 a4 'from' a5 '0.1.x'",
        "83 a5 'token' a3 'tok' a3 'all' 01 a4 'from' a3 '0.1'",
        "83 a5 'token' a3 'tok' a3 'all' 01 a4 'from' a6 '0.1.1 '",
        ("83 a5 'token' a3 'tok' a3 'all' 01 a4 'from' d9 18 "
         "'0.99999999999999999999.1'"),
    };
    struct peer a = administrator(&b, "a"), p = device311(&b, "tok", "c");
    char packet[256];
    (void)state;

    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        snprintf(packet, sizeof(packet), "32[ ('$confab/kick') 0001 [] %s ]",
                 bodies[i]);
        assert_int_equal(order(&a, packet), 0x83);
    }
    says(&p, "c000");
    hears(&p, "d0 00");
    peer_close(&p);
    peer_close(&a);
}

static void a_star_stands_for_any_text(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool fits;
    } rows[] = {
        {"", "", true},          {"", "a", false},
        {"*", "", true},         {"*", "anything", true},
        {"a", "a", true},        {"a", "ab", false},
        {"a*", "ab", true},      {"*b", "ab", true},
        {"a*c", "abcbc", true},  {"a*c", "abcb", false},
        {"*a*a*", "ab", false},  {"*a*a*", "xaya", true},
        {"a**", "a", true},      {"?", "a", false},
        {"*aab", "aaaab", true}, {"*\xc3\xbc", "K\xc3\xbc", true},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (client_query_matches(slice_str(rows[i].pattern),
                                 slice_str(rows[i].text)) != rows[i].fits)
            fail_msg("%s and %s", rows[i].pattern, rows[i].text);
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
        cmocka_unit_test(a_client_is_described),
        cmocka_unit_test(administrators_and_strangers_are_not_called),
        cmocka_unit_test(a_long_list_comes_in_pages_with_everybody_once),
        cmocka_unit_test(a_page_goes_on_behind_a_client_that_left),
        cmocka_unit_test(a_kicked_client_is_told_and_its_will_published),
        cmocka_unit_test(an_address_names_one_client),
        cmocka_unit_test(who_comes_back_is_not_kicked_again),
        cmocka_unit_test(a_huge_id_is_shortened_and_says_so),
        cmocka_unit_test(no_id_can_break_the_answer),
        cmocka_unit_test(unclear_orders_do_nothing),
        cmocka_unit_test(a_star_stands_for_any_text),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
