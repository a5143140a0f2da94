/* Shared subscriptions, against a real broker with three workers: where a client
 * lives is the hash of its name, so some members are neighbours of their group
 * and some are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "test/unit/broker/broker_fixture.h"

#define PATIENCE_US INT64_C(30000000)

static struct broker_fixture b;

/* A member that takes whatever comes. */
struct member {
    struct peer peer;
    uint8_t in[65536];
    size_t len;
    bool mute;       /* acknowledges nothing */
    unsigned heard;  /* PUBLISH packets */
    uint8_t last[8]; /* the end of the last payload */
};

static void join_as(struct member *m, const char *token, const char *client,
                    const char *filter, unsigned qos)
{
    char text[256];

    memset(m, 0, sizeof(*m));
    m->peer = device5(&b, token, client);
    snprintf(text, sizeof(text), "82[ 0001 [] ('%s') %02x ]", filter, qos);
    says(&m->peer, text);
    snprintf(text, sizeof(text), "90[ 0001 [] %02x ]", qos);
    hears(&m->peer, text);
}

/* v5 client with a Receive Maximum. */
static struct peer narrow(const char *token, const char *client, unsigned max)
{
    struct peer p = peer_tcp(broker_mqtt_port(b.broker));
    uint8_t body[128];
    char text[256];
    size_t len;

    snprintf(text, sizeof(text),
             "10[ ('MQTT') 05 82 0000 [ 21 %04x ] ('%s') ('%s') ]", max,
             client, token);
    says(&p, text);
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x20);
    return p;
}

static size_t packet_size(const uint8_t *p, size_t len, size_t *ret_head)
{
    size_t size = 0, at = 1;

    for (unsigned shift = 0; at < len; shift += 7) {
        size |= (size_t)(p[at] & 127) << shift;
        if ((p[at++] & 128) == 0) {
            *ret_head = at;
            return at + size <= len ? at + size : 0;
        }
    }
    return 0;
}

/* Payloads are a number of six digits: counted in seen[]. */
static void heard(struct member *m, const uint8_t *p, size_t head, size_t size,
                  unsigned *seen)
{
    char digits[7] = "";

    if ((p[0] & 0xf0) != 0x30)
        return;
    m->heard++;
    memcpy(digits, p + size - 6, 6);
    seen[atoi(digits)]++;
    if ((p[0] & 6) == 2 && !m->mute) {
        const size_t topic = (size_t)(p[head] << 8 | p[head + 1]);
        const uint8_t ack[] = {0x40, 2, p[head + 2 + topic],
                               p[head + 3 + topic]};
        says_bytes(&m->peer, ack, sizeof(ack));
    }
}

/* Takes what is there; false: it was the end. */
static bool take(struct member *m, unsigned *seen)
{
    const ssize_t n =
        recv(m->peer.fd, m->in + m->len, sizeof(m->in) - m->len, MSG_DONTWAIT);
    size_t at = 0, size, head;

    if (n == 0)
        return false;
    if (n < 0)
        return true;
    m->len += (size_t)n;
    while ((size = packet_size(m->in + at, m->len - at, &head)) > 0) {
        heard(m, m->in + at, head, size, seen);
        at += size;
    }
    memmove(m->in, m->in + at, m->len - at);
    m->len -= at;
    return true;
}

static unsigned distinct(const unsigned *seen, unsigned count)
{
    unsigned n = 0;

    for (unsigned i = 0; i < count; i++)
        n += seen[i] > 0;
    return n;
}

/* Until all of 0…count were seen by somebody. */
static void take_all(struct member *members, size_t member_count,
                     unsigned *seen, unsigned count)
{
    const int64_t until = clock_mono_us() + PATIENCE_US;

    while (distinct(seen, count) < count) {
        struct pollfd fds[16];
        for (size_t i = 0; i < member_count; i++)
            fds[i] = (struct pollfd){members[i].peer.fd, POLLIN, 0};
        poll(fds, member_count, 20);
        for (size_t i = 0; i < member_count; i++)
            assert_true(take(&members[i], seen));
        if (clock_mono_us() > until)
            fail_msg("only %u of %u came", distinct(seen, count), count);
    }
}

/* Numbers [from, to) to topic, QoS 1; acknowledged. */
static void publish(struct peer *p, const char *topic, unsigned from,
                    unsigned to)
{
    char text[128];

    for (unsigned i = from; i < to; i++) {
        snprintf(text, sizeof(text), "32[ ('%s') %04x [] '%06u' ]", topic,
                 i + 1, i);
        says(p, text);
    }
    for (unsigned i = from; i < to; i++) {
        snprintf(text, sizeof(text), "40 02 %04x", i + 1);
        hears(p, text);
    }
}

static void once_each(const unsigned *seen, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (seen[i] != 1)
            fail_msg("%u came %u times", i, seen[i]);
}

static void leave_all(struct member *members, size_t count)
{
    for (size_t i = 0; i < count; i++)
        peer_close(&members[i].peer);
}

static struct member members[16];

/* ---- who gets it -------------------------------------------------------- */

static void a_message_goes_to_one_member(void **state)
{
    enum { MEMBERS = 6, MANY = 600 };
    struct peer q = device5(&b, "one", "q");
    unsigned seen[MANY] = {0};
    char name[16];
    (void)state;

    for (int i = 0; i < MEMBERS; i++) {
        snprintf(name, sizeof(name), "m%d", i);
        join_as(&members[i], "one", name, "$share/g/one/#", 1);
    }
    publish(&q, "one/a/b", 0, MANY);
    take_all(members, MEMBERS, seen, MANY);
    once_each(seen, MANY);
    for (int i = 0; i < MEMBERS; i++) {
        hears_nothing(&members[i].peer, 5);
        if (members[i].heard < MANY / MEMBERS / 4)
            fail_msg("member %d got %u", i, members[i].heard);
    }
    leave_all(members, MEMBERS);
    peer_close(&q);
}

static void every_group_gets_it(void **state)
{
    enum { MANY = 100 };
    struct peer q = device5(&b, "two", "q");
    unsigned seen[3][MANY] = {{0}};
    (void)state;

    join_as(&members[0], "two", "a", "$share/g/two/+", 1);
    join_as(&members[1], "two", "b", "$share/h/two/+", 0);
    join_as(&members[2], "two", "c", "$share/g/two/#", 1); /* another filter */
    publish(&q, "two/a", 0, MANY);
    for (int i = 0; i < 3; i++) {
        take_all(&members[i], 1, seen[i], MANY);
        once_each(seen[i], MANY);
    }
    leave_all(members, 3);
    peer_close(&q);
}

static void groups_of_two_tokens_are_apart(void **state)
{
    struct peer q = device5(&b, "ta", "q"), r = device5(&b, "tb", "q");
    unsigned seen[2][20] = {{0}};
    (void)state;

    join_as(&members[0], "ta", "m", "$share/g/ta/#", 1);
    join_as(&members[1], "tb", "m", "$share/g/tb/#", 1);
    publish(&q, "ta/x", 0, 20);
    publish(&r, "tb/x", 0, 20);
    for (int i = 0; i < 2; i++) {
        take_all(&members[i], 1, seen[i], 20);
        once_each(seen[i], 20);
    }
    leave_all(members, 2);
    peer_close(&q);
    peer_close(&r);
}

static void each_member_gets_its_own_qos(void **state)
{
    struct peer p = device5(&b, "qos", "a"), r = device311(&b, "qos", "b");
    struct peer q = device5(&b, "qos", "q");
    (void)state;

    says(&p, "82[ 0001 [] ('$share/g/qos/x') 01 ]");
    hears(&p, "90[ 0001 [] 01 ]");
    says(&r, "82[ 0001 ('$share/g/qos/x') 00 ]");
    hears(&r, "90[ 0001 00 ]");
    says(&q, "32[ ('qos/x') 0001 [] '1' ] 32[ ('qos/x') 0002 [] '2' ]");
    hears(&q, "40 02 0001 40 02 0002");
    hears(&p, "32[ ('qos/x') 0001 [] '1' ]");
    hears(&r, "30[ ('qos/x') '2' ]");
    peer_close(&p);
    peer_close(&q);
    peer_close(&r);
}

static void a_subscription_of_ones_own_delivers_too(void **state)
{
    struct peer q = device5(&b, "own", "q");
    unsigned seen[2] = {0};
    (void)state;

    join_as(&members[0], "own", "a", "$share/g/own/+", 0);
    says(&members[0].peer, "82[ 0002 [] ('own/x') 00 ]");
    hears(&members[0].peer, "90[ 0002 [] 00 ]");
    publish(&q, "own/x", 0, 1);
    publish(&q, "own/y", 1, 2);
    const int64_t until = clock_mono_us() + PATIENCE_US;
    while (members[0].heard < 3 && clock_mono_us() < until)
        take(&members[0], seen); /* in no order with one's own */
    assert_int_equal(seen[0], 2);
    assert_int_equal(seen[1], 1);
    hears_nothing(&members[0].peer, 50);
    leave_all(members, 1);
    peer_close(&q);
}

static void retained_messages_do_not_greet_a_group(void **state)
{
    struct peer p = device5(&b, "ret", "a"), q = device5(&b, "ret", "q");
    (void)state;

    says(&q, "33[ ('ret/x') 0001 [] 'old' ]");
    hears(&q, "40 02 0001");
    says(&p, "82[ 0001 [] ('$share/g/ret/x') 00 ]");
    hears(&p, "90[ 0001 [] 00 ]");
    says(&q, "31[ ('ret/x') [] 'new' ]");
    hears(&p, "30[ ('ret/x') [] 'new' ]");
    says(&p, "82[ 0002 [] ('$share/g/ret/x') 08 ]"); /* Retain As Published */
    hears(&p, "90[ 0002 [] 00 ]");
    says(&q, "31[ ('ret/x') [] 'newer' ]");
    hears(&p, "31[ ('ret/x') [] 'newer' ]");
    peer_close(&p);
    peer_close(&q);
}

/* ---- what may be asked for ---------------------------------------------- */

static void names_and_rights_are_checked(void **state)
{
    struct peer p = device5(&b, "ask", "a");
    uint8_t body[64];
    size_t len;
    (void)state;

    says(&p, "82[ 0001 [] ('$share/g/ask/#') 00 ('$share//ask/x') 00 "
             "('$share/g+/ask/x') 00 ('$share/g#/ask/x') 00 ('$share/g') 00 "
             "('$share/g/') 00 ('$share/g/ask/#/x') 00 "
             "('$share/g/other/x') 00 ('$share/g/#') 00 ('ask/y') 01 ]");
    hears(&p,
          "90[ 0001 [ 1f ('filter 2: + and # stand for whole levels, # for "
          "the last one only, and shared ones are "
          "$share/<group>/<filter>') ] 00 8f 8f 8f 8f 8f 8f 87 87 01 ]");
    says(&p, "a2[ 0002 [] ('$share/g/ask/#') ('$share/g/ask/#') "
             "('$share/h/ask/#') ]");
    hears(&p, "b0[ 0002 [] 00 11 11 ]");
    says(&p, "82[ 0003 [] ('$share/g/ask/#') 04 ]"); /* No Local */
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0xe0);
    assert_int_equal(body[0], 0x82);
    peer_close(&p);
}

static void a_client_is_in_a_bounded_number_of_groups(void **state)
{
    struct peer p = device5(&b, "bound", "a");
    char text[64];
    uint8_t body[256];
    size_t len;
    (void)state;

    for (unsigned i = 0; i < 256; i++) {
        snprintf(text, sizeof(text), "82[ 0001 [] ('$share/%u/bound/x') 00 ]",
                 i);
        says(&p, text);
        hears(&p, "90[ 0001 [] 00 ]");
    }
    says(&p, "82[ 0001 [] ('$share/more/bound/x') 00 ('bound/y') 00 "
             "('$share/7/bound/x') 01 ]");
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x90);
    assert_memory_equal(body + len - 3, "\x97\x00\x01", 3);
    says(&p, "a2[ 0002 [] ('$share/9/bound/x') ]");
    hears(&p, "b0[ 0002 [] 00 ]");
    says(&p, "82[ 0001 [] ('$share/more/bound/x') 00 ]");
    hears(&p, "90[ 0001 [] 00 ]");
    peer_close(&p);
}

static void packets_behind_a_subscribe_wait_for_it(void **state)
{
    struct peer p = device5(&b, "wait", "a");
    (void)state;

    says(&p, "82[ 0001 [] ('$share/a/wait/1') 01 ('$share/b/wait/2') 00 "
             "('$share/c/wait/3') 00 ('$share/a/wait/1') 00 ] c0 00 "
             "82[ 0002 [] ('$share/d/wait/4') 01 ] c0 00");
    hears(&p, "90[ 0001 [] 01 00 00 00 ] d0 00 90[ 0002 [] 01 ] d0 00");
    peer_close(&p);
}

static void who_unsubscribes_gets_no_more(void **state)
{
    struct peer p = device5(&b, "uns", "a"), q = device5(&b, "uns", "q");
    unsigned seen[20] = {0};
    (void)state;

    says(&p, "82[ 0001 [] ('$share/g/uns/#') 01 ]");
    hears(&p, "90[ 0001 [] 01 ]");
    publish(&q, "uns/x", 0, 1);
    hears(&p, "32[ ('uns/x') 0001 [] '000000' ]");
    says(&p, "a2[ 0002 [] ('$share/g/uns/#') ]");
    hears(&p, "b0[ 0002 [] 00 ]");
    publish(&q, "uns/x", 1, 10); /* nobody's: the group has ended */
    join_as(&members[0], "uns", "m", "$share/g/uns/#", 1);
    publish(&q, "uns/x", 10, 20);
    for (unsigned i = 0; i < 10; i++)
        seen[i] = 1;
    take_all(members, 1, seen, 20);
    once_each(seen, 20);
    says(&p, "40 02 0001 c0 00"); /* what was in flight is finished */
    hears(&p, "d0 00");
    peer_close(&p);
    leave_all(members, 1);
    peer_close(&q);
}

/* ---- what comes back ---------------------------------------------------- */

static void what_a_member_leaves_behind_goes_to_another(void **state)
{
    struct peer p = device5(&b, "back", "a"), q = device5(&b, "back", "q");
    unsigned seen[30] = {0};
    (void)state;

    says(&p, "82[ 0001 [] ('$share/g/back/#') 01 ]");
    hears(&p, "90[ 0001 [] 01 ]");
    publish(&q, "back/x", 0, 20);
    for (unsigned i = 0; i < 20; i++) {
        char text[64];
        snprintf(text, sizeof(text), "32[ ('back/x') %04x [] '%06u' ]", i + 1,
                 i);
        hears(&p, text);
    }
    says(&p, "40 02 0001 40 02 0005 c0 00");
    hears(&p, "d0 00");
    join_as(&members[0], "back", "m", "$share/g/back/#", 1);
    says(&p, "e0 00"); /* the others are not acknowledged */
    hears_end(&p);
    seen[0] = seen[4] = 1;
    take_all(members, 1, seen, 20);
    publish(&q, "back/x", 20, 30);
    take_all(members, 1, seen, 30);
    once_each(seen, 30);
    peer_close(&p);
    leave_all(members, 1);
    peer_close(&q);
}

static void an_error_in_the_ack_discards_the_message(void **state)
{
    struct peer p = device5(&b, "err", "a"), q = device5(&b, "err", "q");
    (void)state;

    says(&p, "82[ 0001 [] ('$share/g/err/#') 01 ]");
    hears(&p, "90[ 0001 [] 01 ]");
    publish(&q, "err/x", 0, 1);
    hears(&p, "32[ ('err/x') 0001 [] '000000' ]");
    says(&p, "40 03 0001 80 c0 00"); /* MQTT-4.8.2-6 */
    hears(&p, "d0 00");
    join_as(&members[0], "err", "m", "$share/g/err/#", 1);
    peer_close(&p);
    hears_nothing(&members[0].peer, 50);
    leave_all(members, 1);
    peer_close(&q);
}

static void a_slow_member_does_not_stop_the_others(void **state)
{
    enum { MANY = 2000 };
    struct peer p = narrow("slow", "s", 3), q = device5(&b, "slow", "q");
    unsigned seen[MANY] = {0};
    (void)state;

    says(&p, "82[ 0001 [] ('$share/g/slow/#') 01 ]");
    hears(&p, "90[ 0001 [] 01 ]");
    join_as(&members[0], "slow", "m", "$share/g/slow/#", 1);
    publish(&q, "slow/x", 0, MANY);
    const int64_t until = clock_mono_us() + PATIENCE_US;
    while (distinct(seen, MANY) < MANY - 3 && clock_mono_us() < until)
        take(&members[0], seen);
    assert_int_equal(distinct(seen, MANY), MANY - 3);
    peer_close(&p); /* then its three come, too */
    take_all(members, 1, seen, MANY);
    once_each(seen, MANY);
    leave_all(members, 1);
    peer_close(&q);
}

/* Nobody acknowledges, so the group has to read the log later. */
static void a_group_without_credit_catches_up(void **state)
{
    enum { MANY = 3000 };
    struct peer q = device5(&b, "behind", "q");
    unsigned seen[MANY] = {0};
    (void)state;

    join_as(&members[0], "behind", "a", "$share/g/behind/+/x", 1);
    join_as(&members[1], "behind", "b", "$share/g/behind/+/x", 1);
    const uint64_t before = status_number(&b, "\"behind\":");
    publish(&q, "behind/1/x", 0, MANY);
    /* PUBACKs come from another worker than the one that has the group */
    for (int i = 0; i < 5000 && status_number(&b, "\"behind\":") <= before;
         i++)
        usleep(1000);
    assert_true(status_number(&b, "\"behind\":") > before);
    take_all(members, 2, seen, MANY);
    once_each(seen, MANY);
    says(&q, "30[ ('behind/2/x') [] '000000' ]"); /* live again */
    seen[0] = 0;
    take_all(members, 2, seen, MANY);
    leave_all(members, 2);
    peer_close(&q);
}

/* A client whose window its own subscription fills gives the group's back, and
 * gets it when it has room. */
static void a_member_without_room_is_asked_again(void **state)
{
    struct peer p = narrow("room", "s", 1), q = device5(&b, "room", "q");
    (void)state;

    says(&p, "82[ 0001 [] ('room/mine') 01 ('$share/g/room/+') 01 ]");
    hears(&p, "90[ 0001 [] 01 01 ]");
    says(&p, "82[ 0002 [] ('$share/g/room/ours') 01 ]");
    hears(&p, "90[ 0002 [] 01 ]");
    says(&p, "a2[ 0003 [] ('$share/g/room/+') ]");
    hears(&p, "b0[ 0003 [] 00 ]");
    says(&q, "32[ ('room/mine') 0001 [] '1' ]");
    hears(&q, "40 02 0001");
    hears(&p, "32[ ('room/mine') 0001 [] '1' ]");
    says(&q,
         "32[ ('room/ours') 0002 [] '2' ] 32[ ('room/ours') 0003 [] '3' ]");
    hears(&q, "40 02 0002 40 02 0003");
    hears_nothing(&p, 50);
    says(&p, "40 02 0001");
    hears(&p, "32[ ('room/ours') 0002 [] '2' ]");
    says(&p, "40 02 0002");
    hears(&p, "32[ ('room/ours') 0003 [] '3' ]");
    peer_close(&p);
    peer_close(&q);
}

static void an_event_goes_to_one_member_or_nobody(void **state)
{
    struct peer p = narrow("ev", "s", 1), q = administrator(&b, "q");
    (void)state;

    says(&p, "82[ 0001 [] ('$share/g/$events/ev/#') 01 ]");
    hears(&p, "90[ 0001 [] 01 ]");
    says(&q, "32[ ('$events/ev/typing/x') 0001 [] '1' ]");
    hears(&p, "32[ ('$events/ev/typing/x') 0001 [] '1' ]");
    const uint64_t before = status_number(&b, "\"event_slow\":");
    says(&q, "32[ ('$events/ev/typing/x') 0002 [] '2' ]");
    const int64_t until = clock_mono_us() + PATIENCE_US;
    while (status_number(&b, "\"event_slow\":") == before &&
           clock_mono_us() < until)
        hears_nothing(&p, 1);
    assert_int_equal(status_number(&b, "\"event_slow\":"), before + 1);
    says(&p, "40 02 0001");
    struct pollfd answer = {p.fd, POLLIN, 0};
    do /* until the group has heard of the acknowledgement */
        says(&q, "32[ ('$events/ev/typing/x') 0003 [] '3' ]");
    while (poll(&answer, 1, 20) == 0 && clock_mono_us() < until);
    hears(&p, "32[ ('$events/ev/typing/x') 0002 [] '3' ]");
    peer_close(&p);
    peer_close(&q);
}

/* ---- many --------------------------------------------------------------- */

/* Members come, take some, acknowledge some, and go: rudely or not. */
static void a_thousand_members_come_and_go_and_nothing_is_lost(void **state)
{
    enum { VISITORS = 1000, AT_ONCE = 8, PER_VISITOR = 10 };
    enum { MANY = VISITORS * PER_VISITOR };
    struct peer q = device5(&b, "many", "q");
    unsigned *seen = calloc(MANY, sizeof(*seen));
    char name[16];
    (void)state;

    join_as(&members[AT_ONCE], "many", "host", "$share/g/many/#", 1);
    for (unsigned i = 0; i < VISITORS; i++) {
        struct member *m = &members[i % AT_ONCE];
        if (i >= AT_ONCE) {
            if (i % 3 == 0)
                peer_reset(&m->peer);
            else
                peer_close(&m->peer);
        }
        snprintf(name, sizeof(name), "v%u", i);
        join_as(m, "many", name, "$share/g/many/#", 1);
        /* only what it acknowledges counts */
        m->mute = i % 4 == 0;
        for (unsigned j = 0; j < PER_VISITOR; j++) {
            char text[64];
            const unsigned n = i * PER_VISITOR + j;
            snprintf(text, sizeof(text), "32[ ('many/x') %04x [] '%06u' ]",
                     n + 1, n);
            says(&q, text);
        }
        for (unsigned j = 0; j < PER_VISITOR; j++) {
            char text[64];
            snprintf(text, sizeof(text), "40 02 %04x",
                     i * PER_VISITOR + j + 1);
            hears(&q, text);
        }
        for (unsigned j = 0; j <= AT_ONCE; j++) {
            static unsigned nobody[MANY];
            if (i < AT_ONCE && j > i && j != AT_ONCE)
                continue;
            take(&members[j], members[j].mute ? nobody : seen);
        }
    }
    leave_all(members, AT_ONCE);
    take_all(&members[AT_ONCE], 1, seen, MANY);
    leave_all(&members[AT_ONCE], 1);
    peer_close(&q);
    free(seen);
}

/* What is in flight at an UNSUBSCRIBE stays with its client, what is on its way
 * there turns back. */
static void coming_and_going_without_a_disconnect_loses_nothing(void **state)
{
    enum { ROUNDS = 300, PER_ROUND = 10, GUESTS = 3 };
    enum { MANY = ROUNDS * PER_ROUND };
    struct peer q = device5(&b, "go", "q");
    unsigned seen[MANY] = {0};
    char name[16];
    (void)state;

    for (unsigned i = 0; i <= GUESTS; i++) {
        snprintf(name, sizeof(name), "m%u", i);
        join_as(&members[i], "go", name, "$share/g/go/#", 1);
    }
    for (unsigned i = 0; i < ROUNDS; i++) {
        says(&members[i % GUESTS].peer, i / GUESTS % 2 == 0
                                            ? "a2[ 0002 [] ('$share/g/go/#') ]"
                                            : "82[ 0003 [] ('$share/g/go/#') "
                                              "01 ]");
        publish(&q, "go/x", i * PER_ROUND, (i + 1) * PER_ROUND);
        for (unsigned j = 0; j <= GUESTS; j++)
            take(&members[j], seen);
    }
    take_all(members, GUESTS + 1, seen, MANY);
    once_each(seen, MANY);
    for (unsigned i = 0; i < GUESTS; i++)
        assert_true(members[i].heard > 0);
    leave_all(members, GUESTS + 1);
    peer_close(&q);
}

static int begin(void **state)
{
    (void)state;
    broker_fixture_prepare(&b);
    b.config.mqtt_workers = 3;
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
        cmocka_unit_test(a_message_goes_to_one_member),
        cmocka_unit_test(every_group_gets_it),
        cmocka_unit_test(groups_of_two_tokens_are_apart),
        cmocka_unit_test(each_member_gets_its_own_qos),
        cmocka_unit_test(a_subscription_of_ones_own_delivers_too),
        cmocka_unit_test(retained_messages_do_not_greet_a_group),
        cmocka_unit_test(names_and_rights_are_checked),
        cmocka_unit_test(a_client_is_in_a_bounded_number_of_groups),
        cmocka_unit_test(packets_behind_a_subscribe_wait_for_it),
        cmocka_unit_test(who_unsubscribes_gets_no_more),
        cmocka_unit_test(what_a_member_leaves_behind_goes_to_another),
        cmocka_unit_test(an_error_in_the_ack_discards_the_message),
        cmocka_unit_test(a_slow_member_does_not_stop_the_others),
        cmocka_unit_test(a_group_without_credit_catches_up),
        cmocka_unit_test(a_member_without_room_is_asked_again),
        cmocka_unit_test(an_event_goes_to_one_member_or_nobody),
        cmocka_unit_test(coming_and_going_without_a_disconnect_loses_nothing),
        cmocka_unit_test(a_thousand_members_come_and_go_and_nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
