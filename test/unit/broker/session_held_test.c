/* What a worker holds in memory for clients that are not done, and whose share of
 * it that is: strangers', a token's. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "store/command/token.h"
#include "test/unit/store/by_hand.h"

#define MiB (1U << 20)
#define QUOTA 0x97
#define PART 60000 /* what arrives of a packet, or a will's payload */

enum { MANY = 400 };

static struct by_hand h;
static struct peer peers[MANY];

static const struct {
    uint64_t whole, each;
} pools[] = {
#define X(name, whole, each) {whole, each},
    HELD_POOLS(X)
#undef X
};

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

static uint64_t held(enum held_pool pool)
{
    return h.workers[0]->held[pool];
}

static void turn_some(void)
{
    for (int i = 0; i < 5; i++) {
        usleep(1000);
        by_hand_turn(&h);
    }
}

static void close_all(int count)
{
    for (int i = 0; i < count; i++)
        peer_close(&peers[i]);
    turn_some();
}

/* Without those that were sent away and linger. */
static size_t open_connections(void)
{
    const struct connection *c;
    size_t count = 0;

    TAILQ_FOREACH (c, &h.workers[0]->connections, all)
        count += c->state <= CONNECTION_OPEN;
    return count;
}

static void put_length(struct buffer *b, uint32_t len)
{
    for (; len > 127; len >>= 7)
        buffer_put_char(b, (char)(len | 128U));
    buffer_put_char(b, (char)len);
}

static void put_many(struct buffer *b, char c, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buffer_put_char(b, c);
}

/* A CONNECT (v5) of which PART bytes have come and more are to come. */
static void says_half_a_connect(struct peer *p)
{
    struct buffer b = BUFFER_INIT;

    buffer_put_char(&b, 0x10);
    put_length(&b, 300000);
    buffer_put(&b, "\0\4MQTT\5\x82\0\0\0\xff\xff", 13);
    put_many(&b, 'i', PART);
    says_bytes(p, b.data, b.len);
    buffer_release(&b);
}

/* Clean start, with a will of that size; returns CONNACK's reason. */
static uint8_t connects_with_will(struct peer *p, const char *id,
                                  const char *token, uint16_t size)
{
    const size_t id_len = strlen(id), token_len = strlen(token);
    struct buffer b = BUFFER_INIT;
    uint8_t body[64] = {0};
    size_t len;

    buffer_put_char(&b, 0x10);
    put_length(&b, (uint32_t)(11 + 2 + id_len + 1 + 2 + token_len + 2 + 2 +
                              size + 2 + token_len));
    buffer_put(&b, "\0\4MQTT\5\x86\0\0\0", 11);
    buffer_put(&b, (char[]){0, (char)id_len}, 2);
    buffer_put_str(&b, id);
    buffer_put(&b, (char[]){0, 0, (char)(token_len + 2)}, 3);
    buffer_put_str(&b, token);
    buffer_put_str(&b, "/w");
    buffer_put(&b, (char[]){(char)(size >> 8), (char)size}, 2);
    put_many(&b, 'w', size);
    buffer_put(&b, (char[]){0, (char)token_len}, 2);
    buffer_put_str(&b, token);
    says_bytes(p, b.data, b.len);
    buffer_release(&b);
    assert_int_equal(hears_packet(p, body, sizeof(body), &len), 0x20);
    return body[1];
}

/* ---- before CONNECT ------------------------------------------------------- */

static void strangers_have_a_pool_of_their_own(void **state)
{
    static char packet[200000];
    (void)state;

    for (int i = 0; i < MANY; i++) {
        peers[i] = by_hand_stranger_from(&h, (uint64_t)i / 10 + 1);
        says_half_a_connect(&peers[i]);
        by_hand_turn(&h);
        by_hand_turn(&h);
        assert_in_range(held(HELD_STRANGERS), 0, pools[HELD_STRANGERS].whole);
    }
    assert_in_range(held(HELD_STRANGERS),
                    pools[HELD_STRANGERS].whole - PART * 4,
                    pools[HELD_STRANGERS].whole);
    turn_some();
    assert_in_range(open_connections(), 200, 16 * MiB / PART);

    /* Meanwhile clients come in, in pieces and with a will, and send what is
     * large. */
    struct peer p = by_hand_stranger_from(&h, 1000);
    says(&p, "10 16 00 04 'MQTT' 04 82");
    turn_some();
    says(&p, "0000 ('quiet') ('tok')");
    hears(&p, "20 02 00 00");
    struct peer q = by_hand_stranger_from(&h, 1000);
    assert_int_equal(connects_with_will(&q, "will", "tok", PART), 0);
    says(&p, "32 c9 9a 0c 0005 'tok/x' 0001");
    for (size_t at = 0; at < sizeof(packet); at += sizeof(packet) / 10) {
        says_bytes(&p, packet, sizeof(packet) / 10);
        turn_some();
    }
    hears(&p, "40 02 0001");
    peer_close(&p);
    peer_close(&q);
    close_all(MANY);
    assert_int_equal(held(HELD_STRANGERS), 0);
    assert_null(h.workers[0]->holders);
}

static void an_address_has_a_share_of_it(void **state)
{
    (void)state;

    for (int i = 0; i < 100; i++) {
        peers[i] = by_hand_stranger_from(&h, 7);
        says_half_a_connect(&peers[i]);
        by_hand_turn(&h);
        by_hand_turn(&h);
    }
    assert_in_range(held(HELD_STRANGERS),
                    pools[HELD_STRANGERS].each - PART * 2,
                    pools[HELD_STRANGERS].each);
    peers[100] = by_hand_stranger_from(&h, 8);
    says_half_a_connect(&peers[100]);
    turn_some();
    assert_in_range(held(HELD_STRANGERS), pools[HELD_STRANGERS].each - PART,
                    pools[HELD_STRANGERS].each + PART * 2);
    assert_in_range(open_connections(), 60, 4 * MiB / PART + 1);
    close_all(101);
    assert_int_equal(held(HELD_STRANGERS), 0);
}

static uint64_t address_of(const char *hex, sa_family_t family)
{
    struct sockaddr_storage at = {.ss_family = family};
    uint8_t bytes[16] = {0};

    for (size_t i = 0; hex[2 * i] != '\0'; i++) {
        unsigned byte;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        bytes[i] = (uint8_t)byte;
    }
    if (family == AF_INET)
        memcpy(&((struct sockaddr_in *)&at)->sin_addr, bytes, 4);
    else
        memcpy(&((struct sockaddr_in6 *)&at)->sin6_addr, bytes, 16);
    return held_address_of(&at);
}

static void who_is_at_one_address(void **state)
{
    const uint64_t v4 = address_of("c0000201", AF_INET);
    (void)state;

    assert_int_not_equal(v4, 0);
    assert_int_not_equal(v4, address_of("c0000202", AF_INET));
    assert_int_equal(v4,
                     address_of("00000000000000000000ffffc0000201", AF_INET6));
    assert_int_equal(address_of("20010db8000000010000000000000001", AF_INET6),
                     address_of("20010db800000001ffffffffffffffff", AF_INET6));
    assert_int_not_equal(
        address_of("20010db8000000010000000000000001", AF_INET6),
        address_of("20010db8000000020000000000000001", AF_INET6));
    /* proxies */
    assert_int_equal(address_of("7f000001", AF_INET), 0);
    assert_int_equal(address_of("00000000000000000000000000000001", AF_INET6),
                     0);
    assert_int_equal(address_of("", AF_UNIX), 0);
}

/* ---- of clients ----------------------------------------------------------- */

static void a_token_has_a_share_of_wills(void **state)
{
    uint8_t reason = 0;
    int count = 0;
    char id[16];
    (void)state;

    while (count < MANY - 3) {
        snprintf(id, sizeof(id), "c%d", count);
        peers[count] = by_hand_stranger(&h);
        reason = connects_with_will(&peers[count++], id, "hog", PART);
        if (reason != 0)
            break;
    }
    assert_int_equal(reason, QUOTA);
    assert_in_range(held(HELD_WILLS), pools[HELD_WILLS].each - PART * 2,
                    pools[HELD_WILLS].each);
    /* a small one of the same token, a large one of another */
    peers[count] = by_hand_stranger(&h);
    assert_int_equal(connects_with_will(&peers[count++], "small", "hog", 100),
                     0);
    peers[count] = by_hand_stranger(&h);
    assert_int_equal(
        connects_with_will(&peers[count++], "other", "calm", PART), 0);
    close_all(count);
    assert_int_equal(held(HELD_WILLS), 0);
    assert_null(h.workers[0]->holders);
}

static void and_no_more_than_its_plan_says(void **state)
{
    struct token_create free_token = {slice_str("free"), slice_str("free")};
    struct command make = {.kind = COMMAND_TOKEN_CREATE, .args = &free_token};
    uint8_t reason = 0;
    int count = 0;
    char id[16];
    (void)state;

    by_hand_run(&h, &make);
    while (reason == 0 && count < MANY) {
        snprintf(id, sizeof(id), "c%d", count);
        peers[count] = by_hand_stranger(&h);
        reason = connects_with_will(&peers[count++], id, "free", 10000);
    }
    /* 100 connections of 10,000 bytes fit into the 4 MiB of its plan */
    assert_int_equal(reason, QUOTA);
    assert_int_equal(count, 101);
    close_all(count);
    h.config.plans[0].session_bytes_max = 100000;
    reason = 0;
    count = 0;
    while (reason == 0 && count < MANY) {
        snprintf(id, sizeof(id), "c%d", count);
        peers[count] = by_hand_stranger(&h);
        reason = connects_with_will(&peers[count++], id, "free", 10000);
    }
    assert_int_equal(reason, QUOTA);
    assert_int_equal(count, 10);
    close_all(count);
    assert_int_equal(held(HELD_WILLS), 0);
}

/* What has arrived of large packets. */
static void a_token_has_a_share_of_input(void **state)
{
    static char zeros[900000];
    const uint64_t each = pools[HELD_INPUT].each;
    const int fit = (int)(each / MiB), count = fit + 20;
    char id[16];
    (void)state;

    for (int i = 0; i < count; i++) {
        snprintf(id, sizeof(id), "c%d", i);
        peers[i] = by_hand_guest(&h, id, "hog");
        says(&peers[i], "32 d0 84 3d 0005 'hog/x' 0001"); /* 1,000,016 */
        for (size_t at = 0; at < sizeof(zeros); at += 100000) {
            if (open_connections() <= (size_t)i)
                break; /* it was closed */
            says_bytes(&peers[i], zeros, 100000);
            for (int turns = 0; turns < 6; turns++)
                by_hand_turn(&h);
        }
        if (open_connections() <= (size_t)i)
            break;
        assert_in_range(held(HELD_INPUT), 0, each);
    }
    assert_in_range(held(HELD_INPUT), each - 2 * MiB, each);
    const size_t hogs = open_connections();
    assert_in_range(hogs, 1, fit + 1);

    struct peer p = by_hand_guest(&h, "calm", "calm");
    says(&p, "32 d0 84 3d 0006 'calm/x' 0001");
    for (int i = 0; i < 10; i++) {
        says_bytes(&p, zeros, i < 9 ? 100000 : 1000016 - 10 - 900000);
        turn_some();
    }
    hears(&p, "40 02 0001");
    peer_close(&p);
    for (int i = 0; i < count && peers[i].fd > 0; i++)
        peer_close(&peers[i]);
    turn_some();
    assert_int_equal(held(HELD_INPUT), 0);
}

/* Several tokens that take all they can get, of which anybody may make some, and
 * one that comes later: of each of the pools that they share. */
static void wills_fill(struct peer *p, const char *id, const char *token)
{
    (void)connects_with_will(p, id, token, PART);
}

static void filters_fill(struct peer *p, const char *id, const char *token)
{
    static char filter[60000];
    struct buffer b = BUFFER_INIT;
    char text[64];

    snprintf(text, sizeof(text), "10[ ('MQTT') 04 82 0000 ('%s') ('%s') ]", id,
             token);
    says(p, text);
    hears(p, "20 02 00 00");
    memset(filter, 'f', sizeof(filter));
    for (int i = 0; i < 60; i++) {
        const int n = snprintf(filter, sizeof(filter), "%s/%d", token, i);
        uint8_t body[3];
        size_t len;
        filter[n] = 'f';
        buffer_clear(&b);
        buffer_put_char(&b, (char)0x82);
        put_length(&b, 2 + 2 + sizeof(filter) + 1);
        buffer_put(&b, "\0\1\xea\x60", 4);
        buffer_put(&b, filter, sizeof(filter));
        buffer_put_char(&b, 0);
        says_bytes(p, b.data, b.len);
        assert_int_equal(hears_packet(p, body, sizeof(body), &len), 0x90);
        if (body[2] == 0x80)
            break;
    }
    buffer_release(&b);
}

/* As if all but `left` were held for others. */
static void some_tokens_leave_room(enum held_pool pool, uint64_t left,
                                   int each,
                                   void (*fill)(struct peer *, const char *,
                                                const char *))
{
    const uint64_t others = pools[pool].whole - left;
    char id[16], token[16];
    int count = 0;

    h.workers[0]->held[pool] += others;
    for (int t = 0; t < 3; t++)
        for (int i = 0; i < each; i++) {
            snprintf(id, sizeof(id), "c%d", i);
            snprintf(token, sizeof(token), "hog%d", t);
            peers[count] = by_hand_stranger(&h);
            fill(&peers[count++], id, token);
        }
    const uint64_t before = held(pool);
    assert_in_range(before - others, left / 3, left * 2 / 3);
    for (int i = 0; i < 5; i++) {
        snprintf(id, sizeof(id), "c%d", i);
        peers[count] = by_hand_stranger(&h);
        fill(&peers[count++], id, "calm");
    }
    assert_in_range(held(pool) - before, left / 15, left / 4);
    close_all(count);
    while (held(pool) > others)
        turn_some();
    assert_int_equal(held(pool), others);
    h.workers[0]->held[pool] = 0;
    assert_null(h.workers[0]->holders);
}

static void some_tokens_do_not_use_up_wills(void **state)
{
    (void)state;
    some_tokens_leave_room(HELD_WILLS, 3 * MiB, 25, wills_fill);
}

static void some_tokens_do_not_use_up_filters(void **state)
{
    (void)state;
    some_tokens_leave_room(HELD_FILTERS, 30 * MiB, 4, filters_fill);
}

/* Of clean sessions, too. */
static void filters_of_a_token_follow_its_plan(void **state)
{
    struct token_create gratis = {slice_str("gratis"), slice_str("free")};
    struct command make = {.kind = COMMAND_TOKEN_CREATE, .args = &gratis};
    (void)state;

    by_hand_run(&h, &make);
    h.config.plans[0].session_bytes_max = 4 * MiB;
    for (int i = 0; i < 20; i++) {
        char id[16];
        snprintf(id, sizeof(id), "c%d", i);
        peers[i] = by_hand_stranger(&h);
        filters_fill(&peers[i], id, "gratis");
    }
    assert_in_range(held(HELD_FILTERS), 15 * MiB, 17 * MiB);
    peers[20] = by_hand_guest(&h, "short", "gratis");
    says(&peers[20], "82[ 0001 ('gratis/x') 00 ]");
    hears(&peers[20], "90 03 0001 00");
    close_all(21);
    while (held(HELD_FILTERS) > 0)
        turn_some();
}

/* As if commands of that size of the connection's token were with the writer. */
static struct holder *use_credits(size_t size)
{
    struct connection *c =
        TAILQ_LAST(&h.workers[0]->connections, connection_list);

    return held_take_credits(c, size);
}

static void a_token_has_a_share_of_credits(void **state)
{
    (void)state;

    struct peer other = by_hand_guest(&h, "other", "calm");
    struct peer same = by_hand_guest(&h, "same", "hog");
    struct peer p = by_hand_guest(&h, "p", "hog");
    struct holder *used = use_credits(HELD_CREDITS_MAX);
    says(&p, "c000");
    says(&same, "c000");
    says(&other, "c000");
    hears(&other, "d0 00");
    hears_nothing(&p, 20);
    hears_nothing(&same, 0);
    /* it has none of its own that could come back */
    held_give_credits(h.workers[0], used, HELD_CREDITS_MAX);
    hears(&p, "d0 00");
    hears(&same, "d0 00");

    /* They are its token's when the connection has gone, too. */
    used = use_credits(HELD_CREDITS_MAX);
    peer_close(&p);
    peer_close(&same);
    turn_some();
    p = by_hand_stranger(&h);
    says(&p, "10[ ('MQTT') 04 82 0000 ('again') ('hog') ] c000");
    hears(&p, "20 02 00 00");
    hears_nothing(&p, 20);
    held_give_credits(h.workers[0], used, HELD_CREDITS_MAX);
    hears(&p, "d0 00");
    peer_close(&p);
    peer_close(&other);
    turn_some();
    assert_null(h.workers[0]->holders);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strangers_have_a_pool_of_their_own),
        cmocka_unit_test(an_address_has_a_share_of_it),
        cmocka_unit_test(who_is_at_one_address),
        cmocka_unit_test(a_token_has_a_share_of_wills),
        cmocka_unit_test(and_no_more_than_its_plan_says),
        cmocka_unit_test(a_token_has_a_share_of_input),
        cmocka_unit_test(a_token_has_a_share_of_credits),
        cmocka_unit_test(some_tokens_do_not_use_up_wills),
        cmocka_unit_test(some_tokens_do_not_use_up_filters),
        cmocka_unit_test(filters_of_a_token_follow_its_plan),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
