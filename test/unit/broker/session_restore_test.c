/* A stored session with very many filters comes back, and goes, in steps between
 * which the worker serves the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "broker/session/session_restore.h"
#include "test/unit/store/by_hand.h"

enum { FILTERS = 1500, A_PACKET = 100 };

static struct by_hand h;

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

static size_t filters(void)
{
    return subscription_index_count(h.workers[0]->index);
}

static struct peer knocks(const char *id)
{
    struct peer p = by_hand_stranger(&h);
    char text[96];

    snprintf(text, sizeof(text), "10[ ('MQTT') 04 80 0000 ('%s') ('t') ]", id);
    says(&p, text);
    return p;
}

static void subscribes_to_many(struct peer *p)
{
    for (int i = 0; i < FILTERS; i += A_PACKET) {
        char answer[16 + 3 * A_PACKET] = "90[ 0001";
        char *packet = malloc(A_PACKET * 32 + 32);
        strcpy(packet, "82[ 0001");
        for (int k = i; k < i + A_PACKET; k++) {
            sprintf(packet + strlen(packet), " ('t/f/%04d') 01", k);
            strcat(answer, " 01");
        }
        strcat(packet, " ]");
        strcat(answer, " ]");
        says(p, packet);
        hears(p, answer);
        free(packet);
    }
}

static void until_gone(void)
{
    while (filters() > 0 || h.workers[0]->connection_count > 0 ||
           h.workers[0]->dead_count > 0)
        by_hand_turn(&h);
}

/* Turns until there are `count` filters, never more of them in a turn than may
 * be; returns how many turns something happened in. */
static unsigned turns_until(size_t count)
{
    unsigned turns = 0;

    while (filters() != count) {
        const size_t before = filters();
        by_hand_turn(&h);
        const size_t now = filters();
        const size_t moved = now > before ? now - before : before - now;
        assert_in_range(moved, 0, SESSION_ROWS_PER_TURN);
        turns += moved > 0;
    }
    return turns;
}

static void a_large_session_comes_back_in_steps(void **state)
{
    struct peer other = by_hand_guest(&h, "other", "u");
    struct peer p = knocks("large");
    (void)state;

    hears(&p, "20 02 00 00");
    subscribes_to_many(&p);
    peer_close(&p);
    assert_in_range(turns_until(0), FILTERS / SESSION_ROWS_PER_TURN, FILTERS);

    p = knocks("large");
    while (filters() == 0)
        by_hand_turn(&h);
    assert_in_range(filters(), 1, SESSION_ROWS_PER_TURN);
    /* Meanwhile others are served, and what is published is not missed. */
    says(&other, "c000");
    by_hand_append(&h, "t/f/0003", 1, slice_str("early"));
    by_hand_append(&h, "t/f/1499", 1, slice_str("late"));
    hears(&other, "d0 00");
    assert_in_range(filters(), 1, FILTERS - 1);
    (void)turns_until(FILTERS);
    hears(&p, "20 02 01 00");
    hears(&p,
          "32[ ('t/f/0003') 0001 'early' ] 32[ ('t/f/1499') 0002 'late' ]");
    says(&p, "40 02 0001 40 02 0002");
    by_hand_append(&h, "t/f/0700", 1, slice_str("live"));
    hears(&p, "32[ ('t/f/0700') 0003 'live' ]");
    says(&p, "40 02 0003 e000");
    hears_end(&p);
    peer_close(&p);
    peer_close(&other);
    until_gone();
}

static void it_may_be_taken_over_or_end_meanwhile(void **state)
{
    struct peer first, second, third;
    (void)state;

    first = knocks("large");
    while (filters() == 0)
        by_hand_turn(&h);
    second = knocks("large");
    hears_end(&first);
    hears(&second, "20 02 01 00");
    assert_in_range(filters(), FILTERS, 2 * FILTERS); /* the first lingers */
    peer_close(&first);
    peer_close(&second);
    until_gone();

    first = knocks("large"); /* kicked, as if revoked */
    while (filters() == 0)
        by_hand_turn(&h);
    struct connection *c =
        TAILQ_LAST(&h.workers[0]->connections, connection_list);
    connection_close(c, CLOSE_REVOKED, NULL);
    assert_true(TAILQ_EMPTY(&h.workers[0]->restores));
    hears_end(&first);
    peer_close(&first);
    until_gone();

    third = knocks("large");
    hears(&third, "20 02 01 00");
    assert_int_equal(filters(), FILTERS);
    by_hand_append(&h, "t/f/0001", 1, slice_str("x"));
    hears(&third, "32[ ('t/f/0001') 0001 'x' ]");
    says(&third, "40 02 0001 c000");
    hears(&third, "d0 00");
    peer_close(&third);
    until_gone();
}

/* Groups are joined when the rest is there, wherever their rows stand. */
static void groups_are_joined_again(void **state)
{
    struct peer p = knocks("shared");
    (void)state;

    hears(&p, "20 02 00 00");
    says(&p,
         "82[ 0001 ('$share/a/t/s') 01 ('$share/b/t/s') 01 ('t/plain') 01 ]");
    hears(&p, "90 05 0001 01 01 01");
    peer_close(&p);
    until_gone();
    p = knocks("shared");
    hears(&p, "20 02 01 00");
    assert_int_equal(h.workers[0]->share->subscribed, 2);
    by_hand_append(&h, "t/plain", 1, slice_str("x"));
    hears(&p, "32[ ('t/plain') 0001 'x' ]");
    says(&p, "40 02 0001 c000");
    hears(&p, "d0 00");
    by_hand_append(&h, "t/s", 1, slice_str("y"));
    hears(&p, "32[ ('t/s') 0002 'y' ] 32[ ('t/s') 0003 'y' ]");
    says(&p, "40 02 0002 40 02 0003 e000");
    hears_end(&p);
    peer_close(&p);
    until_gone();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_large_session_comes_back_in_steps),
        cmocka_unit_test(it_may_be_taken_over_or_end_meanwhile),
        cmocka_unit_test(groups_are_joined_again),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
