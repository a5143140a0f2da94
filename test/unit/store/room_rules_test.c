/* What a room asks of users who send messages to it: bans and slow mode, looked at by
 * the append itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/ban.h"
#include "test/unit/store/writing.h"

#define HALL "acme/rooms/hall"
#define SLOW3 "{\"name\":\"Hall\",\"slowMode\":3}"

/* ---- commands ------------------------------------------------------------------- */

/* `address`: "" where nobody knows it. */
static struct sent *new_post(const char *topic, const char *sender,
                             const char *address)
{
    struct sent *s = new_append(topic, "hello");

    set_sender(s, sender);
    ARGS(s, message_append)->address = slice_str(address);
    return s;
}

static struct command post(struct writing *w, const char *topic,
                           const char *sender)
{
    return run(w, new_post(topic, sender, ""));
}

static struct command post_from(struct writing *w, const char *topic,
                                const char *sender, const char *address)
{
    return run(w, new_post(topic, sender, address));
}

static void put_room(struct writing *w, const char *room, const char *settings)
{
    struct sent *s = new_command(COMMAND_ROOM_PUT);

    *ARGS(s, room_put) = (struct room_put){.tenant = slice_str("acme"),
                                           .room = slice_str(room),
                                           .settings = slice_str(settings)};
    assert_result(run(w, s), OK);
}

static void put_ban(struct writing *w, const char *room, const char *who,
                    int64_t until_us)
{
    struct sent *s = new_command(COMMAND_BAN);

    *ARGS(s, ban) = (struct ban){.tenant = slice_str("acme"),
                                 .room = slice_str(room),
                                 .who = slice_str(who),
                                 .until_us = until_us};
    assert_result(run(w, s), OK);
}

static void open_acme(struct writing *w)
{
    struct sent *s = new_command(COMMAND_TENANT_CREATE);

    writing_open(w, 0);
    *ARGS(s, tenant_create) =
        (struct tenant_create){.tenant = slice_str("acme"),
                               .plan = slice_str("home")};
    assert_result(run(w, s), OK);
}

static struct member_row member_of(struct writing *w, const char *room,
                                   const char *user)
{
    struct member_row row = {.joined_us = -1};
    struct store_reader *r;

    assert_int_equal(store_snapshot(w->store, &r), STORE_OK);
    (void)store_member(r, slice_str("acme"), slice_str(room), slice_str(user),
                       &row);
    store_reader_release(r);
    return row;
}

/* ---- bans ----------------------------------------------------------------------- */

static void a_banned_user_is_refused_until_then(void **state)
{
    struct writing w;
    (void)state;

    open_acme(&w);
    put_room(&w, "hall", "{}");
    put_room(&w, "yard", "{}");
    const int64_t until_us = clock_now() + 90 * SECOND;
    put_ban(&w, "hall", "bob", until_us);
    const struct command c = post(&w, HALL, "bob");
    assert_result(c, BANNED);
    assert_int_equal(c.id, 0);
    assert_int_equal(c.at_us, until_us);
    assert_in_range(c.retry_after_s, 89, 90);
    assert_result(post(&w, "acme/rooms/yard", "bob"), OK);
    assert_result(post(&w, HALL, "ann"), OK);
    assert_result(post(&w, HALL, ""), OK); /* a device */
    assert_result(post(&w, "acme/hall", "bob"), OK);
    clock_set(until_us);
    assert_result(post(&w, HALL, "bob"), OK);
    check_store(&w);
    writing_close(&w);
}

static void a_ban_from_all_rooms_is_one_from_each(void **state)
{
    struct writing w;
    (void)state;

    open_acme(&w);
    put_room(&w, "hall", "{}");
    put_ban(&w, "hall", "bob", clock_now() + 90 * SECOND);
    put_ban(&w, "", "bob", 0);
    const struct command c = post(&w, HALL, "bob");
    assert_result(c, BANNED);
    assert_int_equal(c.at_us, 0); /* never: the longer one counts */
    assert_int_equal(c.retry_after_s, 0);
    /* What is no room has no rules. */
    assert_result(post(&w, "acme/rooms/nowhere", "bob"), OK);
    check_store(&w);
    writing_close(&w);
}

static void an_address_is_banned_with_all_its_users(void **state)
{
    struct writing w;
    (void)state;

    open_acme(&w);
    put_room(&w, "hall", "{}");
    put_ban(&w, "hall", "@192.0.2.7", 0);
    assert_result(post_from(&w, HALL, "bob", "192.0.2.7"), BANNED);
    assert_result(post_from(&w, HALL, "ann", "192.0.2.7"), BANNED);
    assert_result(post_from(&w, HALL, "", "192.0.2.7"), OK); /* a device */
    assert_result(post_from(&w, HALL, "bob", "192.0.2.8"), OK);
    assert_result(post(&w, HALL, "bob"), OK);
    /* A user cannot be banned by having a range as his id. */
    assert_result(post(&w, HALL, "@192.0.2.7"), OK);
    check_store(&w);
    writing_close(&w);
}

/* ---- slow mode ------------------------------------------------------------------ */

static void slow_mode_is_a_time_between_messages(void **state)
{
    struct writing w;
    (void)state;

    open_acme(&w);
    put_room(&w, "hall", SLOW3);
    const int64_t first_us = clock_now();
    assert_result(post(&w, HALL, "bob"), OK);
    clock_advance(SECOND);
    struct command c = post(&w, HALL, "bob");
    assert_result(c, SLOW_MODE);
    assert_int_equal(c.at_us, first_us + 3 * SECOND);
    assert_int_equal(c.retry_after_s, 2);
    assert_result(post(&w, HALL, "ann"), OK); /* each has his own time */
    assert_result(post(&w, HALL, ""), OK);
    assert_result(post(&w, HALL, ""), OK);
    /* What was refused did not start it anew; milliseconds count. */
    clock_set(first_us + 3 * SECOND - 1000);
    c = post(&w, HALL, "bob");
    assert_result(c, SLOW_MODE);
    assert_int_equal(c.retry_after_s, 1);
    clock_set(first_us + 3 * SECOND);
    assert_result(post(&w, HALL, "bob"), OK);
    assert_result(post(&w, HALL, "bob"), SLOW_MODE);
    /* A change of the room counts at once. */
    put_room(&w, "hall", "{\"slowMode\":0}");
    assert_result(post(&w, HALL, "bob"), OK);
    check_store(&w);
    writing_close(&w);
}

static void of_two_at_once_one_is_stored(void **state)
{
    struct sent *all[8];
    struct writing w;
    unsigned stored = 0, refused = 0;
    (void)state;

    open_acme(&w);
    put_room(&w, "hall", SLOW3);
    for (size_t i = 0; i < 8; i++)
        all[i] = new_post(HALL, "bob", "");
    run_together(&w, all, 8);
    for (size_t i = 0; i < 8; i++) {
        stored += all[i]->c.result == RESULT_OK;
        refused += all[i]->c.result == RESULT_SLOW_MODE;
        sent_free(all[i]);
    }
    assert_int_equal(stored, 1);
    assert_int_equal(refused, 7);
    assert_int_equal(check_store(&w), 1);
    writing_close(&w);
}

static void a_repeated_request_gets_its_first_answer(void **state)
{
    struct sent *first, *again;
    struct writing w;
    (void)state;

    open_acme(&w);
    put_room(&w, "hall", SLOW3);
    first = new_post(HALL, "bob", "");
    again = new_post(HALL, "bob", "");
    first->c.operation = again->c.operation = slice_str("op1");
    const struct command one = run(&w, first);
    const struct command two = run(&w, again);
    assert_result(one, OK);
    assert_result(two, OK);
    assert_true(two.repeated);
    assert_int_equal(two.id, one.id);
    check_store(&w);
    writing_close(&w);
}

static void who_posts_becomes_a_member(void **state)
{
    struct sent *s = new_command(COMMAND_MEMBER_PUT);
    struct writing w;
    (void)state;

    open_acme(&w);
    put_room(&w, "hall", SLOW3);
    put_room(&w, "yard", "{}");
    assert_result(post(&w, HALL, "ann"), OK);
    const struct command c = post(&w, HALL, "bob");
    assert_result(c, OK);
    assert_int_equal(member_of(&w, "hall", "bob").read_seq, c.seq);
    assert_int_equal(member_of(&w, "hall", "bob").posted_us, clock_now());
    assert_int_equal(ROWS_IN(&w, users), 2);
    /* Not where nothing needs the time. */
    assert_result(post(&w, "acme/rooms/yard", "bob"), OK);
    assert_int_equal(member_of(&w, "yard", "bob").joined_us, -1);
    /* Other changes of the member keep it, and posting keeps what it is. */
    *ARGS(s, member_put) = (struct member_put){.tenant = slice_str("acme"),
                                               .room = slice_str("hall"),
                                               .user = slice_str("bob"),
                                               .role = slice_str("mod")};
    assert_result(run(&w, s), OK);
    assert_result(post(&w, HALL, "bob"), SLOW_MODE);
    clock_advance(3 * SECOND);
    assert_result(post(&w, HALL, "bob"), OK);
    const struct member_row bob = member_of(&w, "hall", "bob");
    assert_int_equal(bob.read_seq, c.seq);
    check_store(&w);
    writing_restart(&w);
    assert_result(post(&w, HALL, "bob"), SLOW_MODE);
    check_store(&w);
    writing_close(&w);
}

static void a_clock_that_was_set_back_keeps_nobody_waiting(void **state)
{
    struct writing w;
    (void)state;

    open_acme(&w);
    put_room(&w, "hall", SLOW3);
    assert_result(post(&w, HALL, "bob"), OK);
    clock_advance(-3600 * SECOND);
    assert_result(post(&w, HALL, "bob"), OK);
    assert_result(post(&w, HALL, "bob"), SLOW_MODE);
    clock_advance(3 * SECOND);
    assert_result(post(&w, HALL, "bob"), OK);
    check_store(&w);
    writing_close(&w);
}

/* The member is paid for like the message, and neither is there without the other. */
static void a_member_that_does_not_fit_refuses_the_message(void **state)
{
    struct command c = {.result = RESULT_OK};
    char name[16];
    struct writing w;
    unsigned n = 0;
    (void)state;

    open_acme(&w);
    put_room(&w, "hall", SLOW3);
    writing_stop(&w);
    writing_plan(&w, "home")->bytes_max = 8000;
    writing_start(&w);
    for (; c.result == RESULT_OK && n < 1000; n++) {
        snprintf(name, sizeof(name), "u%u", n);
        c = post(&w, HALL, name);
    }
    assert_result(c, BYTES);
    assert_in_range(usage_of(&w, "acme").bytes, 7000, 8000);
    assert_int_equal(ROWS_IN(&w, members), n - 1);
    assert_int_equal(check_store(&w), n - 1);
    writing_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_banned_user_is_refused_until_then),
        cmocka_unit_test(a_ban_from_all_rooms_is_one_from_each),
        cmocka_unit_test(an_address_is_banned_with_all_its_users),
        cmocka_unit_test(slow_mode_is_a_time_between_messages),
        cmocka_unit_test(of_two_at_once_one_is_stored),
        cmocka_unit_test(a_repeated_request_gets_its_first_answer),
        cmocka_unit_test(who_posts_becomes_a_member),
        cmocka_unit_test(a_clock_that_was_set_back_keeps_nobody_waiting),
        cmocka_unit_test(a_member_that_does_not_fit_refuses_the_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
