/* Letters between the workers of a group and its member, with workers that are
 * turned by hand: bounds, and what is in flight when somebody ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/share/share_group.h"
#include "test/unit/store/by_hand.h"

#define LARGE 1000000

static struct by_hand h;
static char payload[LARGE];

static struct worker *owner(void)
{
    for (unsigned i = 0; i <= h.hub.count; i++)
        if (h.workers[i]->share->groups != NULL)
            return h.workers[i];
    return NULL;
}

static struct worker *home(void)
{
    for (unsigned i = 0; i <= h.hub.count; i++)
        if (h.workers[i]->share->members != NULL)
            return h.workers[i];
    return NULL;
}

/* A member of `t/#` that does not live with its group. */
static struct peer distant_member(unsigned qos)
{
    static unsigned number;

    for (;;) {
        char text[64];
        snprintf(text, sizeof(text), "m%u", number++);
        struct peer p = by_hand_guest(&h, text, "t");
        snprintf(text, sizeof(text), "82[ 0001 ('$share/g/t/#') %02x ]", qos);
        says(&p, text);
        snprintf(text, sizeof(text), "90[ 0001 %02x ]", qos);
        hears(&p, text);
        if (owner() != home())
            return p;
        peer_close(&p);
        while (owner() != NULL || home() != NULL)
            by_hand_turn(&h);
    }
}

static void turn_only(struct worker *w, int times)
{
    for (int i = 0; i < times; i++)
        ev_run(w->loop, EVRUN_NOWAIT);
}

static void append_large(uint32_t number, uint8_t qos)
{
    memcpy(payload, &number, sizeof(number));
    by_hand_append(&h, "t/x", qos, slice_of(payload, LARGE));
}

static void hears_large(struct peer *p, uint32_t number)
{
    static uint8_t body[LARGE + 16];
    uint32_t got;
    size_t len;

    assert_int_equal(hears_packet(p, body, sizeof(body), &len), 0x30);
    assert_int_equal(len, 2 + 3 + LARGE);
    memcpy(&got, body + 5, sizeof(got));
    assert_int_equal(got, number);
}

static void what_is_under_way_to_a_worker_has_a_bound(void **state)
{
    enum { MANY = 40 };
    struct peer p = distant_member(0);
    struct worker *there = home();
    (void)state;

    for (uint32_t i = 0; i < MANY; i++) {
        append_large(i, 0);
        turn_only(owner(), 2);
    }
    /* The parcel that crosses the bound is the last one. */
    assert_in_range(atomic_load(&there->share->bytes), SHARE_BYTES_MAX,
                    SHARE_BYTES_MAX + LARGE + 300000);
    for (uint32_t i = 0; i < MANY; i++)
        hears_large(&p, i);
    assert_int_equal(atomic_load(&there->share->bytes), 0);
    peer_close(&p);
    while (owner() != NULL || home() != NULL)
        by_hand_turn(&h);
}

static void so_do_parcels_and_reports_wait_for_room(void **state)
{
    enum { MANY = 300 };
    struct peer p = distant_member(0);
    struct worker *there = home();
    uint32_t n = 0;
    (void)state;

    /* Parcels without letters: all zero, whatever a parcel is. */
    void *parcel;
    while (mailbox_send(there->share->mail, parcel = calloc(1, 8192)))
        n++;
    free(parcel);
    assert_in_range(n, SHARE_PARCELS_MAX - 1, SHARE_PARCELS_MAX);
    for (uint32_t i = 0; i < MANY; i++)
        by_hand_append(&h, "t/x", 0, slice_str("m"));
    turn_only(owner(), 20);
    for (uint32_t i = 0; i < MANY; i++)
        hears(&p, "30[ ('t/x') 'm' ]");
    hears_nothing(&p, 20);
    peer_close(&p);
    while (owner() != NULL || home() != NULL)
        by_hand_turn(&h);
}

/* A guest that lives elsewhere. */
static struct peer guest_away_from(const struct worker *w)
{
    for (int i = 0;; i++) {
        const size_t before = w->connection_count;
        char name[16];
        snprintf(name, sizeof(name), "q%d", i);
        struct peer q = by_hand_guest(&h, name, "t");
        if (w->connection_count == before)
            return q;
        peer_close(&q);
        while (w->connection_count > before)
            by_hand_turn(&h);
    }
}

static void turn_all_but(const struct worker *w)
{
    for (unsigned i = 0; i <= h.hub.count; i++)
        if (h.workers[i] != w)
            turn_only(h.workers[i], 1);
}

/* Its connection ends while messages are on their way to it: they turn back. */
static void what_is_under_way_to_who_ended_turns_back(void **state)
{
    struct peer p = distant_member(1);
    struct worker *there = home();
    struct peer q = guest_away_from(there);
    (void)state;

    by_hand_append(&h, "t/x", 1, slice_str("1"));
    by_hand_append(&h, "t/x", 1, slice_str("2"));
    turn_only(owner(), 3);
    assert_true(mailbox_count(there->share->mail) > 0);
    says(&q, "82[ 0001 ('$share/g/t/#') 01 ]");
    for (int i = 0; i < 20; i++)
        turn_all_but(there);
    connection_close(TAILQ_FIRST(&there->connections), CLOSE_HANGUP, NULL);
    hears(&q, "90[ 0001 01 ] 32[ ('t/x') 0001 '1' ] 32[ ('t/x') 0002 '2' ]");
    says(&q, "40 02 0001 40 02 0002");
    hears_nothing(&q, 20);
    hears_end(&p);
    peer_close(&p);
    peer_close(&q);
    while (owner() != NULL || home() != NULL)
        by_hand_turn(&h);
}

static unsigned owner_of(const char *group)
{
    struct share_place *place =
        share_place_new(slice_str("t"), slice_str(group), slice_str("t/#"), 1,
                        1, 0, false);
    const unsigned number = share_place_owner(&h.hub, place);

    share_place_free(place);
    return number;
}

/* A group of that worker. */
static const char *group_at(unsigned worker)
{
    static char names[BY_HAND_WORKERS_MAX][16];

    for (int i = 0;; i++) {
        snprintf(names[worker], sizeof(names[worker]), "g%d", i);
        if (owner_of(names[worker]) == worker)
            return names[worker];
    }
}

static void a_group_gives_what_was_asked_for_while_another_is_joined(
    void **state)
{
    struct peer p = guest_away_from(h.workers[0]);
    struct worker *there =
        h.workers[TAILQ_EMPTY(&h.workers[1]->connections) ? 2 : 1];
    const unsigned other = there->number == 1 ? 2 : 1;
    char text[128];
    (void)state;

    snprintf(text, sizeof(text),
             "82[ 0001 ('$share/%s/t/#') 01 ('$share/%s/t/#') 01 ]",
             group_at(0), group_at(other));
    says(&p, text);
    turn_only(there, 3);
    turn_only(h.workers[0], 3);
    by_hand_append(&h, "t/x", 1, slice_str("m"));
    turn_only(h.workers[0], 3);
    turn_only(there, 3);
    p.meanwhile = NULL; /* the other one sleeps */
    hears(&p, "32[ ('t/x') 0001 'm' ]");
    p.meanwhile = by_hand_turn;
    hears(&p, "90[ 0001 01 01 ] 32[ ('t/x') 0002 'm' ]");
    peer_close(&p);
    while (owner() != NULL || home() != NULL)
        by_hand_turn(&h);
}

static void letters_may_be_under_way_at_the_end(void **state)
{
    struct peer p = distant_member(1), q = by_hand_guest(&h, "q", "t");
    (void)state;

    for (int i = 0; i < 10; i++)
        by_hand_append(&h, "t/x", 1, slice_str("m"));
    turn_only(owner(), 3);
    says(&q, "82[ 0001 ('$share/new/t/#') 01 ]");
    for (unsigned i = 0; i <= h.hub.count; i++)
        if (h.workers[i] != home())
            turn_only(h.workers[i], 1);
    peer_close(&p);
    peer_close(&q);
    /* A sanitizer sees what end() leaves behind. */
}

static int begin(void **state)
{
    (void)state;
    by_hand_begin(&h, 3);
    return 0;
}

static int end(void **state)
{
    (void)state;
    by_hand_end(&h);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_under_way_to_a_worker_has_a_bound),
        cmocka_unit_test(so_do_parcels_and_reports_wait_for_room),
        cmocka_unit_test(what_is_under_way_to_who_ended_turns_back),
        cmocka_unit_test(
            a_group_gives_what_was_asked_for_while_another_is_joined),
        cmocka_unit_test(letters_may_be_under_way_at_the_end),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
