/* Bans: commands, readers, what they count, and how they end. What they do to messages:
 * room_rules_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/ban.h"
#include "test/unit/store/writing.h"

/* ---- commands ------------------------------------------------------------------- */

static struct sent *new_ban(const struct ban *args)
{
    struct sent *s = new_command(COMMAND_BAN);

    *ARGS(s, ban) = *args;
    if (args->tenant.len == 0)
        ARGS(s, ban)->tenant = slice_str("acme");
    return s;
}

/* Of the tenant acme unless they say another. */
#define put_ban(w, ...) run(w, new_ban(&(struct ban){__VA_ARGS__}))

static struct command put_plain_ban(struct writing *w, const char *room,
                                    const char *who)
{
    return put_ban(w, .room = slice_str(room), .who = slice_str(who));
}

static struct command remove_ban(struct writing *w, const char *room,
                                 const char *who)
{
    struct sent *s = new_command(COMMAND_UNBAN);

    *ARGS(s, unban) =
        (struct unban){slice_str("acme"), slice_str(room), slice_str(who)};
    return run(w, s);
}

static void make_room(struct writing *w, const char *room)
{
    struct sent *s = new_command(COMMAND_ROOM_PUT);

    *ARGS(s, room_put) = (struct room_put){.tenant = slice_str("acme"),
                                           .room = slice_str(room)};
    assert_result(run(w, s), OK);
}

static void make_user(struct writing *w, const char *user)
{
    struct sent *s = new_command(COMMAND_USER_PUT);

    *ARGS(s, user_put) = (struct user_put){.tenant = slice_str("acme"),
                                           .user = slice_str(user)};
    assert_result(run(w, s), OK);
}

static void make_tenant(struct writing *w, const char *tenant)
{
    struct sent *s = new_command(COMMAND_TENANT_CREATE);

    *ARGS(s, tenant_create) =
        (struct tenant_create){.tenant = slice_str(tenant),
                               .plan = slice_str("home")};
    assert_result(run(w, s), OK);
}

static void open_acme(struct writing *w)
{
    writing_open(w, 0);
    make_tenant(w, "acme");
}

/* ---- reading -------------------------------------------------------------------- */

static struct store_reader *snapshot(struct writing *w)
{
    struct store_reader *r;

    assert_int_equal(store_snapshot(w->store, &r), STORE_OK);
    return r;
}

/* "who until why" of each ban from the room, in order, with `;` behind them. */
static const char *bans_listed(struct writing *w, const char *room)
{
    static char text[1024];
    struct store_reader *r = snapshot(w);
    struct slice after = slice_of("", 0);
    struct ban_row row;
    size_t at = 0;

    text[0] = '\0';
    while (store_ban_next(r, slice_str("acme"), slice_str(room), after,
                          &row) == STORE_OK) {
        assert_true(slice_eq(row.room, slice_str(room)));
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%.*s %d %.*s;",
                               (int)row.who.len, (const char *)row.who.data,
                               (int)(row.until_us / SECOND), (int)row.why.len,
                               (const char *)row.why.data);
        after = row.who;
    }
    store_reader_release(r);
    return text;
}

/* The room of the ban that forbids it, or NULL. */
static const char *forbidden_by(struct writing *w, const char *room,
                                const char *user, const char *address)
{
    static char text[ROOM_ID_MAX + 1];
    struct store_reader *r = snapshot(w);
    struct ban_row row;

    const enum store_err err =
        store_ban_of_sender(r, slice_str("acme"), slice_str(room),
                            slice_str(user), slice_str(address), clock_now(),
                            &row);
    if (err == STORE_OK)
        snprintf(text, sizeof(text), "%.*s", (int)row.room.len,
                 (const char *)row.room.data);
    store_reader_release(r);
    assert_true(err == STORE_OK || err == STORE_NOTFOUND);
    return err == STORE_OK ? text : NULL;
}

/* ---- tests ---------------------------------------------------------------------- */

static void a_ban_is_made_changed_listed_and_removed(void **state)
{
    struct writing w;
    (void)state;

    open_acme(&w);
    make_room(&w, "hall");
    make_room(&w, "hall2");
    clock_set(1000 * SECOND);
    assert_result(put_ban(&w, .room = slice_str("hall"),
                          .who = slice_str("bob"), .by = slice_str("ann"),
                          .why = slice_str("spam"), .until_us = 2000 * SECOND),
                  OK);
    assert_result(put_plain_ban(&w, "hall", "@192.0.2.7"), OK);
    assert_result(put_plain_ban(&w, "hall2", "cy"), OK);
    assert_result(put_plain_ban(&w, "", "dan"), OK);
    assert_string_equal(bans_listed(&w, "hall"),
                        "@192.0.2.7 0 ;bob 2000 spam;");
    assert_string_equal(bans_listed(&w, "hall2"), "cy 0 ;");
    assert_string_equal(bans_listed(&w, ""), "dan 0 ;");
    assert_int_equal(ROWS_IN(&w, bans_by_end), 1);
    /* A change replaces all of it. */
    assert_result(put_ban(&w, .room = slice_str("hall"),
                          .who = slice_str("bob"), .until_us = 3000 * SECOND),
                  OK);
    assert_string_equal(bans_listed(&w, "hall"), "@192.0.2.7 0 ;bob 3000 ;");
    assert_int_equal(ROWS_IN(&w, bans_by_end), 1);
    check_store(&w);
    assert_result(remove_ban(&w, "hall", "bob"), OK);
    assert_result(remove_ban(&w, "hall", "bob"), NOT_FOUND);
    assert_result(remove_ban(&w, "", "dan"), OK);
    assert_string_equal(bans_listed(&w, "hall"), "@192.0.2.7 0 ;");
    assert_string_equal(bans_listed(&w, ""), "");
    assert_int_equal(ROWS_IN(&w, bans_by_end), 0);
    check_store(&w);
    writing_close(&w);
}

static void conditions_see_only_bans_that_hold(void **state)
{
    struct writing w;
    (void)state;

    open_acme(&w);
    clock_set(1000 * SECOND);
    assert_result(put_ban(&w, .who = slice_str("bob"),
                          .condition = PUT_PRESENT),
                  NOT_FOUND);
    assert_result(put_ban(&w, .who = slice_str("bob"),
                          .until_us = 1010 * SECOND, .condition = PUT_ABSENT),
                  OK);
    assert_result(put_ban(&w, .who = slice_str("bob"), .until_us = 9 * SECOND,
                          .condition = PUT_ABSENT),
                  EXISTS);
    assert_string_equal(bans_listed(&w, ""), "bob 1010 ;");
    clock_set(1010 * SECOND);
    assert_result(put_ban(&w, .who = slice_str("bob"),
                          .condition = PUT_PRESENT),
                  NOT_FOUND);
    assert_result(put_ban(&w, .who = slice_str("bob"),
                          .until_us = 1020 * SECOND, .condition = PUT_ABSENT),
                  OK);
    assert_string_equal(bans_listed(&w, ""), "bob 1020 ;");
    check_store(&w);
    writing_close(&w);
}

static void what_is_no_ban_is_refused(void **state)
{
    char why[BAN_REASON_MAX + 2];
    struct writing w;
    (void)state;

    open_acme(&w);
    memset(why, 'x', sizeof(why) - 1);
    why[sizeof(why) - 1] = '\0';
    assert_result(put_plain_ban(&w, "", ""), INVALID);
    assert_result(put_plain_ban(&w, "", "@"), INVALID);
    assert_result(put_plain_ban(&w, "", "@ann"), INVALID);
    assert_result(put_plain_ban(&w, "", "@::ffff:192.0.2.7"), INVALID);
    assert_result(put_plain_ban(&w, "", "@2001:db8::1"), INVALID);
    assert_result(put_plain_ban(&w, "", "@2001:db8::/64"), OK);
    assert_result(put_plain_ban(&w, "a/b", "bob"), INVALID);
    assert_result(put_plain_ban(&w, "nowhere", "bob"), NOT_FOUND);
    assert_result(put_ban(&w, .who = slice_str("bob"), .why = slice_str(why)),
                  INVALID);
    assert_result(
        put_ban(&w, .who = slice_str("bob"), .why = slice_str(why + 1)), OK);
    assert_result(put_ban(&w, .who = slice_str("bob"),
                          .why = slice_str("\xff")),
                  INVALID);
    assert_result(put_ban(&w, .tenant = slice_str("nobody"),
                          .who = slice_str("bob")),
                  UNKNOWN_TOKEN);
    assert_result(remove_ban(&w, "", "@ann"), INVALID);
    check_store(&w);
    writing_close(&w);
}

static void the_ban_that_ends_last_is_told(void **state)
{
    struct writing w;
    (void)state;

    open_acme(&w);
    make_room(&w, "hall");
    clock_set(1000 * SECOND);
    assert_null(forbidden_by(&w, "hall", "bob", "192.0.2.7"));
    put_ban(&w, .room = slice_str("hall"), .who = slice_str("bob"),
            .until_us = 1100 * SECOND);
    put_ban(&w, .who = slice_str("bob"), .until_us = 1050 * SECOND);
    assert_string_equal(forbidden_by(&w, "hall", "bob", ""), "hall");
    assert_string_equal(forbidden_by(&w, "other", "bob", ""), "");
    put_ban(&w, .who = slice_str("@192.0.2.7"));
    assert_string_equal(forbidden_by(&w, "hall", "bob", "192.0.2.7"), "");
    assert_string_equal(forbidden_by(&w, "hall", "cy", "192.0.2.7"), "");
    assert_null(forbidden_by(&w, "hall", "cy", "192.0.2.8"));
    put_ban(&w, .room = slice_str("hall"), .who = slice_str("@2001:db8::/64"));
    assert_string_equal(forbidden_by(&w, "hall", "cy", "2001:db8::9"), "hall");
    assert_null(forbidden_by(&w, "other", "cy", "2001:db8::9"));
    /* No user has the name of a range. */
    assert_null(forbidden_by(&w, "hall", "@192.0.2.8", ""));
    clock_set(1100 * SECOND);
    assert_null(forbidden_by(&w, "hall", "bob", ""));
    writing_close(&w);
}

static void wait_for_bans(struct writing *w, uint64_t count)
{
    for (unsigned i = 0; ROWS_IN(w, bans) != count; i++) {
        assert_in_range(i, 0, 10000);
        ping(w);
        usleep(1000);
    }
}

static void bans_that_are_over_are_removed(void **state)
{
    char name[16];
    struct writing w;
    (void)state;

    open_acme(&w);
    const int64_t now_us = clock_now();
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof(name), "u%d", i);
        put_ban(&w, .who = slice_str(name),
                .until_us = i == 0 ? 0 : now_us + i * SECOND);
    }
    clock_set(now_us + 30 * SECOND);
    ping(&w);
    assert_true(ROWS_IN(&w, bans) >= 10); /* nothing goes before its time */
    clock_advance(3600 * SECOND);
    wait_for_bans(&w, 1);
    assert_string_equal(bans_listed(&w, ""), "u0 0 ;");
    assert_int_equal(ROWS_IN(&w, bans_of), 1);
    assert_int_equal(ROWS_IN(&w, bans_by_end), 0);
    check_store(&w);
    writing_close(&w);
}

static void bans_go_with_their_room(void **state)
{
    struct sent *s = new_command(COMMAND_ROOM_DELETE);
    char name[16];
    struct writing w;
    (void)state;

    open_acme(&w);
    make_room(&w, "hall");
    make_room(&w, "hall2");
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof(name), "u%d", i);
        put_ban(&w, .room = slice_str("hall"), .who = slice_str(name),
                .until_us = clock_now() + 1000 * SECOND);
    }
    put_plain_ban(&w, "hall2", "u1");
    put_plain_ban(&w, "", "u1");
    *ARGS(s, room_delete) =
        (struct room_delete){slice_str("acme"), slice_str("hall")};
    const struct command c = run(&w, s);
    assert_result(c, OK);
    assert_true(c.more); /* in steps */
    writing_restart(&w);
    wait_for_bans(&w, 2);
    assert_string_equal(bans_listed(&w, "hall2"), "u1 0 ;");
    assert_int_equal(ROWS_IN(&w, bans_of), 2);
    check_store(&w);
    writing_close(&w);
}

static void bans_go_with_their_user(void **state)
{
    struct sent *s = new_command(COMMAND_USER_DELETE);
    char name[16];
    struct writing w;
    (void)state;

    open_acme(&w);
    make_user(&w, "bob");
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof(name), "r%d", i);
        make_room(&w, name);
        put_ban(&w, .room = slice_str(name), .who = slice_str("bob"),
                .until_us = i % 2 == 0 ? 0 : clock_now() + 1000 * SECOND);
    }
    put_plain_ban(&w, "", "bob");
    put_plain_ban(&w, "r1", "bob2");
    *ARGS(s, user_delete) =
        (struct user_delete){slice_str("acme"), slice_str("bob")};
    assert_result(run(&w, s), OK);
    wait_for_bans(&w, 1);
    assert_string_equal(bans_listed(&w, "r1"), "bob2 0 ;");
    assert_int_equal(ROWS_IN(&w, bans_by_end), 0);
    check_store(&w);
    writing_close(&w);
}

static void bans_go_with_their_tenant(void **state)
{
    struct sent *s = new_command(COMMAND_TOKEN_DELETE);
    char name[16];
    struct writing w;
    (void)state;

    open_acme(&w);
    make_tenant(&w, "acme2");
    make_room(&w, "hall");
    put_ban(&w, .tenant = slice_str("acme2"), .who = slice_str("bob"));
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof(name), "u%d", i);
        put_plain_ban(&w, i % 2 == 0 ? "hall" : "", name);
    }
    ARGS(s, token_delete)->token = slice_str("acme");
    assert_result(run(&w, s), OK);
    clock_advance(2 * SECOND);
    wait_for_bans(&w, 1);
    assert_int_equal(ROWS_IN(&w, bans_of), 1);
    check_store(&w);
    writing_close(&w);
}

static void bans_count_against_their_tenant(void **state)
{
    char why[BAN_REASON_MAX + 1], name[16];
    struct command c = {.result = RESULT_OK};
    struct writing w;
    (void)state;

    open_acme(&w);
    memset(why, 'x', BAN_REASON_MAX);
    why[BAN_REASON_MAX] = '\0';
    const uint64_t before = usage_of(&w, "acme").bytes;
    put_ban(&w, .who = slice_str("bob"), .why = slice_str(why));
    assert_true(usage_of(&w, "acme").bytes > before + BAN_REASON_MAX);
    assert_result(remove_ban(&w, "", "bob"), OK);
    assert_int_equal(usage_of(&w, "acme").bytes, before);
    writing_stop(&w);
    writing_plan(&w, "home")->bytes_max = 20000;
    writing_start(&w);
    int made = 0;
    for (; c.result == RESULT_OK && made < 100; made++) {
        snprintf(name, sizeof(name), "u%d", made);
        c = put_ban(&w, .who = slice_str(name), .why = slice_str(why));
    }
    assert_result(c, BYTES);
    assert_true(made > 5);
    assert_true(usage_of(&w, "acme").bytes <= 20000);
    /* One that gets smaller is fine. */
    assert_result(put_plain_ban(&w, "", "u0"), OK);
    check_store(&w);
    writing_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ban_is_made_changed_listed_and_removed),
        cmocka_unit_test(conditions_see_only_bans_that_hold),
        cmocka_unit_test(what_is_no_ban_is_refused),
        cmocka_unit_test(the_ban_that_ends_last_is_told),
        cmocka_unit_test(bans_that_are_over_are_removed),
        cmocka_unit_test(bans_go_with_their_room),
        cmocka_unit_test(bans_go_with_their_user),
        cmocka_unit_test(bans_go_with_their_tenant),
        cmocka_unit_test(bans_count_against_their_tenant),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
