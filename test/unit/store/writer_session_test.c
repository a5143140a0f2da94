/* Stored sessions in the writer: store/session.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/unit/store/writing.h"

#define ID "t\0device"

static struct slice identity(void)
{
    return slice_of(ID, sizeof(ID) - 1);
}

static struct session_open opens(struct writing *w, struct slice who,
                                 bool clean, uint32_t expiry_s,
                                 enum command_result *ret_result)
{
    static uint64_t number = 100;
    struct session_open open = {
        .identity = who,
        .clean = clean,
        .expiry_s = expiry_s,
        .fresh_number = ++number,
    };
    struct sent *s = new_command(COMMAND_SESSION_OPEN);

    s->c.args = &open;
    *ret_result = run(w, s).result;
    return open;
}

static struct session_open open_ok(struct writing *w, bool clean,
                                   uint32_t expiry_s)
{
    enum command_result result;
    const struct session_open o =
        opens(w, identity(), clean, expiry_s, &result);

    assert_int_equal(result, RESULT_OK);
    return o;
}

static enum command_result saves(struct writing *w,
                                 const struct session_save *save)
{
    struct sent *s = new_command(COMMAND_SESSION_SAVE);

    *ARGS(s, session_save) = *save;
    return run(w, s).result;
}

static enum command_result ends(struct writing *w, uint64_t number,
                                uint32_t expiry_s)
{
    const struct session_save save = {
        .identity = identity(),
        .number = number,
        .ends = true,
        .drops_will = true,
        .expiry_s = expiry_s,
        .ended_us = clock_now(),
    };
    return saves(w, &save);
}

static void a_position_and_everything_in_flight_come_back(void **state)
{
    const uint32_t identifiers[] = {1, 268435455, 7};
    const struct session_inflight entries[] = {
        {.packet_id = 1, .log_id = 11, .order = 5, .qos = 1},
        {.packet_id = 2,
         .log_id = 12,
         .order = 6,
         .qos = 2,
         .state = 1,
         .retain = true,
         .identifier_count = 3,
         .identifiers = identifiers},
    };
    const struct session_subscription filters[] = {
        {.filter = slice_str("t/#"), .qos = 2, .since_id = 3},
        {.filter = slice_str("t/e"),
         .qos = 1,
         .since_id = SUBSCRIPTION_ENDED,
         .earlier_since = 5,
         .earlier_until = 9},
        {.filter = slice_str("t/x"),
         .no_local = true,
         .retain_as_published = true,
         .identifier = 9,
         .retained_as_of = 4,
         .changed_at = 8,
         .qos_before = 2,
         .no_local_before = true},
    };
    const uint16_t forgotten[] = {1};
    struct session_inflight row;
    struct session_subscription sub;
    struct session_walk walk = {0};
    struct session_row session;
    uint32_t got[3];
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    const struct session_open o = open_ok(&w, false, 60);
    assert_false(o.present);
    struct session_save save = {
        .identity = identity(),
        .number = o.number,
        .has_position = true,
        .position = 77,
        .entries = entries,
        .entry_count = 2,
        .subscriptions = filters,
        .subscription_count = 3,
        .adds = true,
    };
    assert_int_equal(saves(&w, &save), RESULT_OK);
    save = (struct session_save){.identity = identity(),
                                 .number = o.number,
                                 .forgotten = forgotten,
                                 .forgotten_count = 1};
    assert_int_equal(saves(&w, &save), RESULT_OK);
    writing_restart(&w);
    const struct session_open again = open_ok(&w, false, 60);
    assert_true(again.present);
    assert_int_equal(again.number, o.number);
    assert_int_equal(again.position, 77);

    struct store_reader *r = store_reader_acquire(w.store);
    assert_int_equal(store_reader_begin(r), STORE_OK);
    assert_int_equal(store_session(r, identity(), &session), STORE_OK);
    assert_int_equal(session.ended_us, 0);
    assert_int_equal(store_inflight_next(r, o.number, &walk, &row), STORE_OK);
    assert_int_equal(row.packet_id, 2);
    assert_int_equal(row.log_id, 12);
    assert_int_equal(row.state, 1);
    assert_true(row.retain);
    assert_int_equal(row.identifier_count, 3);
    assert_true(session_inflight_identifiers(&row, got));
    assert_memory_equal(got, identifiers, sizeof(got));
    assert_int_equal(store_inflight_next(r, o.number, &walk, &row),
                     STORE_NOTFOUND);
    walk.len = 0;
    assert_int_equal(store_subscription_next(r, o.number, &walk, &sub),
                     STORE_OK);
    assert_true(slice_eq(sub.filter, slice_str("t/#")));
    assert_int_equal(sub.qos, 2);
    assert_int_equal(sub.since_id, 3);
    assert_int_equal(sub.changed_at, 0);
    assert_int_equal(store_subscription_next(r, o.number, &walk, &sub),
                     STORE_OK);
    assert_true(sub.since_id == SUBSCRIPTION_ENDED);
    assert_int_equal(sub.earlier_since, 5);
    assert_int_equal(sub.earlier_until, 9);
    assert_int_equal(store_subscription_next(r, o.number, &walk, &sub),
                     STORE_OK);
    assert_int_equal(sub.earlier_until, 0);
    assert_true(sub.no_local && sub.retain_as_published);
    assert_int_equal(sub.identifier, 9);
    assert_int_equal(sub.retained_as_of, 4);
    assert_int_equal(sub.changed_at, 8);
    assert_int_equal(sub.qos_before, 2);
    assert_true(sub.no_local_before);
    store_reader_release(r);
    writing_close(&w);
}

static void a_clean_start_and_an_end_with_expiry_0_leave_nothing(void **state)
{
    const struct session_subscription filter = {.filter = slice_str("t/#")};
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    for (int i = 0; i < 2; i++) {
        const struct session_open o = open_ok(&w, false, 60);
        const struct session_inflight e = {.packet_id = 1, .log_id = 1};
        const struct session_save save = {
            .identity = identity(),
            .number = o.number,
            .subscriptions = &filter,
            .subscription_count = 1,
            .adds = true,
            .entries = &e,
            .entry_count = 1,
        };
        assert_int_equal(saves(&w, &save), RESULT_OK);
        if (i == 0) {
            const struct session_open clean = open_ok(&w, true, 0);
            assert_false(clean.present);
            assert_int_equal(clean.number, 0);
        } else {
            assert_int_equal(ends(&w, o.number, 0), RESULT_OK);
        }
        assert_int_equal(ROWS_IN(&w, sessions), 0);
        assert_int_equal(ROWS_IN(&w, subscriptions), 0);
        assert_int_equal(ROWS_IN(&w, inflight), 0);
        /* what comes late finds no session */
        assert_int_equal(saves(&w, &save), RESULT_NOT_FOUND);
        assert_int_equal(ROWS_IN(&w, inflight), 0);
    }
    writing_close(&w);
}

static void what_is_over_is_not_resumed_and_is_removed(void **state)
{
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    uint64_t number = open_ok(&w, false, 10).number;
    assert_int_equal(ends(&w, number, 10), RESULT_OK);
    clock_advance(9 * SECOND);
    assert_true(open_ok(&w, false, 10).present);
    assert_int_equal(ends(&w, number, 10), RESULT_OK);
    clock_advance(10 * SECOND);
    const struct session_open o = open_ok(&w, false, 10);
    assert_false(o.present);
    assert_int_not_equal(o.number, number);
    assert_int_equal(ends(&w, o.number, 10), RESULT_OK);
    assert_int_equal(ROWS_IN(&w, sessions), 1);
    /* A walk begins every minute, and rides along with a commit unless it had
     * nothing to do within the last second. */
    for (int i = 0; i < 500 && ROWS_IN(&w, sessions) > 0; i++) {
        clock_advance(100 * SECOND);
        append(&w, "t/x", "v");
        usleep(10000);
    }
    assert_int_equal(ROWS_IN(&w, sessions), 0);
    writing_close(&w);
}

static void a_killed_servers_sessions_end_when_it_starts_again(void **state)
{
    struct session_row row;
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    const struct message will = {.topic = slice_str("t/w"),
                                 .payload = slice_str("gone")};
    struct session_open open = {
        .identity = identity(),
        .expiry_s = 100,
        .fresh_number = 5,
        .will = &will,
        .will_delay_s = 30,
    };
    struct sent *s = new_command(COMMAND_SESSION_OPEN);
    s->c.args = &open;
    assert_result(run(&w, s), OK);
    clock_advance(5 * SECOND);
    writing_restart(&w);
    struct store_reader *r = store_reader_acquire(w.store);
    assert_int_equal(store_reader_begin(r), STORE_OK);
    assert_int_equal(store_session(r, identity(), &row), STORE_OK);
    assert_true(row.has_will);
    assert_int_equal(row.ended_us, clock_now());
    assert_int_equal(row.will_due_us, clock_now() + 30 * SECOND);
    struct record record;
    assert_int_equal(store_session_will(r, 5, &record), STORE_OK);
    assert_true(slice_eq(record.m.payload, slice_str("gone")));
    store_reader_release(r);

    /* the will and that it is gone are one transaction */
    s = new_append("t/w", "gone");
    ARGS(s, message_append)->mark =
        (struct session_mark){.number = 5, .identity = identity()};
    assert_result(run(&w, s), OK);
    assert_int_equal(ROWS_IN(&w, wills), 0);
    writing_close(&w);
}

static void a_qos_2_id_is_remembered_with_its_message_only(void **state)
{
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    const uint64_t number = open_ok(&w, false, 60).number;
    writing_plan(&w, "local")->payload_max = 3;
    struct sent *s = new_append("t/x", "too long");
    ARGS(s, message_append)->mark = (struct session_mark){
        .number = number, .identity = identity(), .packet_id = 7};
    assert_result(run(&w, s), TOO_LARGE);
    assert_int_equal(ROWS_IN(&w, inflight), 0);
    s = new_append("t/x", "ok");
    ARGS(s, message_append)->mark = (struct session_mark){
        .number = number, .identity = identity(), .packet_id = 7};
    assert_result(run(&w, s), OK);
    assert_int_equal(ROWS_IN(&w, inflight), 1);
    const uint16_t released[] = {7};
    const struct session_save save = {.identity = identity(),
                                      .number = number,
                                      .released = released,
                                      .released_count = 1};
    assert_int_equal(saves(&w, &save), RESULT_OK);
    assert_int_equal(ROWS_IN(&w, inflight), 0);
    writing_close(&w);
}

static void a_plan_may_allow_only_so_many(void **state)
{
    enum command_result result;
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    create_token(&w, "few", "paid");
    writing_plan(&w, "paid")->sessions_max = 2;
    const uint64_t first =
        opens(&w, slice_of("few\0a", 5), false, 9, &result).number;
    assert_int_equal(result, RESULT_OK);
    opens(&w, slice_of("few\0b", 5), false, 9, &result);
    assert_int_equal(result, RESULT_OK);
    opens(&w, slice_of("few\0c", 5), false, 9, &result);
    assert_int_equal(result, RESULT_SESSIONS);
    opens(&w, slice_of("few\0b", 5), false, 9, &result);
    assert_int_equal(result, RESULT_OK);
    const struct session_save end = {.identity = slice_of("few\0a", 5),
                                     .number = first,
                                     .ends = true};
    assert_int_equal(saves(&w, &end), RESULT_OK);
    opens(&w, slice_of("few\0c", 5), false, 9, &result);
    assert_int_equal(result, RESULT_OK);
    assert_int_equal(usage_of(&w, "few").sessions, 2);
    writing_close(&w);
}

static void long_names_keep_their_sessions_apart(void **state)
{
    char a[2000], c[2000];
    enum command_result result;
    struct session_walk walk = {0};
    struct session_row row;
    struct writing w;
    unsigned seen = 0;
    (void)state;

    memset(a, 'x', sizeof(a));
    a[1] = '\0';
    memcpy(c, a, sizeof(a));
    c[1999] = 'y';
    writing_open(&w, 0);
    const uint64_t one =
        opens(&w, slice_of(a, sizeof(a)), false, 9, &result).number;
    const uint64_t two =
        opens(&w, slice_of(c, sizeof(c)), false, 9, &result).number;
    assert_int_not_equal(one, two);
    writing_restart(&w);
    assert_int_equal(
        opens(&w, slice_of(c, sizeof(c)), false, 9, &result).number, two);
    struct store_reader *r = store_reader_acquire(w.store);
    assert_int_equal(store_reader_begin(r), STORE_OK);
    while (store_session_next(r, &walk, &row) == STORE_OK) {
        assert_int_equal(row.identity.len, 2000);
        seen++;
    }
    assert_int_equal(seen, 2);
    store_reader_release(r);
    writing_close(&w);
}

/* A QoS 2 message a session has taken from a group: known until the group's
 * position has passed it, unless it is among those to be given again. */
static void what_was_given_is_forgotten_when_the_position_has_passed(
    void **state)
{
    static const char group[] = "t\0g\0t/x";
    const struct slice name = slice_of(group, sizeof(group) - 1);
    const struct session_subscription shared = {.filter =
                                                    slice_str("$share/g/t/x"),
                                                .qos = 2};
    const struct session_given given[] = {{shared.filter, 3},
                                          {shared.filter, 5},
                                          {shared.filter, 9}};
    const struct slice removed[] = {shared.filter};
    const uint64_t again[] = {2, 5};
    struct session_walk walk = {0};
    struct writing w;
    uint64_t id;
    (void)state;

    writing_open(&w, 0);
    (void)create_token(&w, "t", "free");
    const struct session_open o = open_ok(&w, false, 60);
    struct session_save save = {.identity = identity(),
                                .number = o.number,
                                .given = given,
                                .given_count = 3};
    assert_int_equal(saves(&w, &save), RESULT_OK);
    assert_int_equal(ROWS_IN(&w, given), 0); /* there is no such group */
    save.subscriptions = &shared;
    save.subscription_count = 1;
    save.adds = true;
    assert_int_equal(saves(&w, &save), RESULT_OK);
    save.subscription_count = 0;
    assert_int_equal(saves(&w, &save), RESULT_OK);
    assert_int_equal(ROWS_IN(&w, given), 3);
    check_store(&w);

    const struct group_save position = {
        .name = name, .position = 8, .ids = again, .id_count = 2};
    struct sent *s = new_command(COMMAND_GROUP_SAVE);
    *ARGS(s, group_save) = position;
    assert_result(run(&w, s), OK);
    struct store_reader *r = store_reader_acquire(w.store);
    assert_int_equal(store_reader_begin(r), STORE_OK);
    assert_int_equal(store_given_next(r, name, &walk, &id), STORE_OK);
    assert_int_equal(id, 5);
    assert_int_equal(store_given_next(r, name, &walk, &id), STORE_OK);
    assert_int_equal(id, 9);
    assert_int_equal(store_given_next(r, name, &walk, &id), STORE_NOTFOUND);
    store_reader_release(r);
    check_store(&w);

    save = (struct session_save){.identity = identity(),
                                 .number = o.number,
                                 .removed = removed,
                                 .removed_count = 1};
    assert_int_equal(saves(&w, &save), RESULT_OK);
    assert_int_equal(ROWS_IN(&w, groups), 0);
    assert_int_equal(ROWS_IN(&w, given), 0);
    check_store(&w);
    writing_close(&w);
}

/* The client's worker may take a subscription for one that is there, whose SUBSCRIBE
 * was refused meanwhile: tokens filled the store so. */
static void the_rows_decide_what_a_save_adds(void **state)
{
    const struct slice who = slice_of("few\0a", 5);
    static char name[3000];
    struct session_subscription row = {.filter = slice_of(name, sizeof(name))};
    struct session_inflight entry = {.packet_id = 1, .log_id = 1, .qos = 2};
    enum command_result result;
    struct writing w;
    (void)state;

    memset(name, 'x', sizeof(name));
    memcpy(name, "few/", 4);
    writing_open(&w, 0);
    create_token(&w, "few", "paid");
    writing_plan(&w, "paid")->session_bytes_max = 10000;
    const uint64_t number = opens(&w, who, false, 9, &result).number;
    struct session_save save = {.identity = who,
                                .number = number,
                                .subscriptions = &row,
                                .subscription_count = 1};
    /* A note about one that is not there is none. */
    assert_int_equal(saves(&w, &save), RESULT_OK);
    assert_int_equal(ROWS_IN(&w, subscriptions), 0);
    save.adds = true;
    for (int i = 0; i < 6; i++) {
        name[2999] = (char)('0' + i / 2);
        name[4] = name[2999]; /* in the part that is the key */
        result = saves(&w, &save);
    }
    assert_int_equal(result, RESULT_SESSION_BYTES);
    assert_int_equal(ROWS_IN(&w, subscriptions), 2);
    /* What is in flight goes on whatever its token holds. */
    writing_plan(&w, "paid")->session_bytes_max = 1;
    w.config.limits_token_share = 1;
    const struct session_save more = {.identity = who,
                                      .number = number,
                                      .has_position = true,
                                      .position = 1,
                                      .entries = &entry,
                                      .entry_count = 1};
    assert_int_equal(saves(&w, &more), RESULT_OK);
    assert_int_equal(ROWS_IN(&w, inflight), 1);
    check_store(&w);
    writing_close(&w);
}

static void what_is_in_flight_is_bounded_by_the_plan(void **state)
{
    struct plan plan = {.session_bytes_max = 4000000, .sessions_max = 100};
    (void)state;

    assert_int_equal(session_inflight_max(&plan), 20000);
    plan.sessions_max = 0;
    assert_int_equal(session_inflight_max(&plan), 2000);
    plan.session_bytes_max = 3000;
    assert_int_equal(session_inflight_max(&plan), SESSION_INFLIGHT_MIN);
    plan.session_bytes_max = 0;
    assert_true(session_inflight_max(&plan) == UINT64_MAX);
    assert_true(session_inflight_cost(100) >= 500 + session_inflight_cost(0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_position_and_everything_in_flight_come_back),
        cmocka_unit_test(a_clean_start_and_an_end_with_expiry_0_leave_nothing),
        cmocka_unit_test(what_is_over_is_not_resumed_and_is_removed),
        cmocka_unit_test(a_killed_servers_sessions_end_when_it_starts_again),
        cmocka_unit_test(a_qos_2_id_is_remembered_with_its_message_only),
        cmocka_unit_test(a_plan_may_allow_only_so_many),
        cmocka_unit_test(the_rows_decide_what_a_save_adds),
        cmocka_unit_test(what_is_in_flight_is_bounded_by_the_plan),
        cmocka_unit_test(long_names_keep_their_sessions_apart),
        cmocka_unit_test(
            what_was_given_is_forgotten_when_the_position_has_passed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
