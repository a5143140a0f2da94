/* Users, rooms and members: commands, readers, what they count, and how they end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/unit/store/writing.h"

/* ---- commands ------------------------------------------------------------------- */

static struct command create_tenant(struct writing *w, const char *tenant)
{
    struct sent *s = new_command(COMMAND_TENANT_CREATE);

    *ARGS(s, tenant_create) =
        (struct tenant_create){.tenant = slice_str(tenant),
                               .plan = slice_str("home")};
    return run(w, s);
}

static struct sent *new_user(const struct user_put *args)
{
    struct sent *s = new_command(COMMAND_USER_PUT);

    *ARGS(s, user_put) = *args;
    if (s->c.args != NULL && args->tenant.len == 0)
        ARGS(s, user_put)->tenant = slice_str("acme");
    return s;
}

/* Of the tenant acme unless they say another. */
#define put_user(w, ...) run(w, new_user(&(struct user_put){__VA_ARGS__}))

static struct command put_plain_user(struct writing *w, const char *user)
{
    return put_user(w, .user = slice_str(user));
}

static struct command delete_user(struct writing *w, const char *user)
{
    struct sent *s = new_command(COMMAND_USER_DELETE);

    *ARGS(s, user_delete) =
        (struct user_delete){slice_str("acme"), slice_str(user)};
    return run(w, s);
}

static struct sent *new_room(const struct room_put *args)
{
    struct sent *s = new_command(COMMAND_ROOM_PUT);

    *ARGS(s, room_put) = *args;
    ARGS(s, room_put)->tenant = slice_str("acme");
    return s;
}
#define put_room(w, ...) run(w, new_room(&(struct room_put){__VA_ARGS__}))

static struct command put_plain_room(struct writing *w, const char *room)
{
    return put_room(w, .room = slice_str(room));
}

static struct command delete_room(struct writing *w, const char *room)
{
    struct sent *s = new_command(COMMAND_ROOM_DELETE);

    *ARGS(s, room_delete) =
        (struct room_delete){slice_str("acme"), slice_str(room)};
    return run(w, s);
}

static struct sent *new_member(const struct member_put *args)
{
    struct sent *s = new_command(COMMAND_MEMBER_PUT);

    *ARGS(s, member_put) = *args;
    ARGS(s, member_put)->tenant = slice_str("acme");
    return s;
}
#define put_member(w, ...)                                                    \
    run(w, new_member(&(struct member_put){__VA_ARGS__}))

static struct command join(struct writing *w, const char *room,
                           const char *user)
{
    return put_member(w, .room = slice_str(room), .user = slice_str(user));
}

static struct command leave(struct writing *w, const char *room,
                            const char *user)
{
    struct sent *s = new_command(COMMAND_MEMBER_DELETE);

    *ARGS(s, member_delete) =
        (struct member_delete){slice_str("acme"), slice_str(room),
                               slice_str(user)};
    return run(w, s);
}

/* ---- reading -------------------------------------------------------------------- */

static struct store_reader *snapshot(struct writing *w)
{
    struct store_reader *r;

    assert_int_equal(store_snapshot(w->store, &r), STORE_OK);
    return r;
}

static void assert_user(struct writing *w, const char *user,
                        const char *attributes, const char *name,
                        const char *password)
{
    struct store_reader *r = snapshot(w);
    struct user_row row;

    assert_int_equal(store_user(r, slice_str("acme"), slice_str(user), &row),
                     STORE_OK);
    assert_true(slice_eq(row.user, slice_str(user)));
    assert_true(slice_eq(row.tenant, slice_str("acme")));
    assert_true(slice_eq(row.attributes, slice_str(attributes)));
    assert_true(slice_eq(row.name, slice_str(name)));
    assert_true(slice_eq(row.password, slice_str(password)));
    if (name[0] != '\0') {
        assert_int_equal(store_user_by_name(r, slice_str("acme"),
                                            slice_str(name), &row),
                         STORE_OK);
        assert_true(slice_eq(row.user, slice_str(user)));
    }
    store_reader_release(r);
}

static bool has_user(struct writing *w, const char *user)
{
    struct store_reader *r = snapshot(w);
    struct user_row row;
    const enum store_err err =
        store_user(r, slice_str("acme"), slice_str(user), &row);

    store_reader_release(r);
    assert_true(err == STORE_OK || err == STORE_NOTFOUND);
    return err == STORE_OK;
}

static struct room_row room_of(struct writing *w, const char *room)
{
    struct store_reader *r = snapshot(w);
    struct room_row row = {.members = UINT64_MAX};

    const enum store_err err =
        store_room(r, slice_str("acme"), slice_str(room), &row);
    assert_true(err == STORE_OK || err == STORE_NOTFOUND);
    store_reader_release(r);
    return row;
}

/* acked and read of a member; `role` is what it is. */
static void assert_member(struct writing *w, const char *room,
                          const char *user, const char *role, uint64_t acked,
                          uint64_t read)
{
    struct store_reader *r = snapshot(w);
    struct member_row row;

    assert_int_equal(store_member(r, slice_str("acme"), slice_str(room),
                                  slice_str(user), &row),
                     STORE_OK);
    assert_true(slice_eq(row.role, slice_str(role)));
    assert_int_equal(row.acked_seq, acked);
    assert_int_equal(row.read_seq, read);
    store_reader_release(r);
}

static unsigned members_listed(struct writing *w, const char *room)
{
    struct store_reader *r = snapshot(w);
    struct slice after = slice_of("", 0);
    struct member_row row;
    unsigned n = 0;

    while (store_member_next(r, slice_str("acme"), slice_str(room), after,
                             &row) == STORE_OK) {
        assert_true(slice_eq(row.room, slice_str(room)));
        after = row.user;
        n++;
    }
    store_reader_release(r);
    return n;
}

static unsigned rooms_listed(struct writing *w, const char *user)
{
    struct store_reader *r = snapshot(w);
    struct slice room = slice_of("", 0);
    unsigned n = 0;

    while (store_room_of_next(r, slice_str("acme"), slice_str(user), room,
                              &room) == STORE_OK)
        n++;
    store_reader_release(r);
    return n;
}

/* ---- tests ---------------------------------------------------------------------- */

static void open_acme(struct writing *w)
{
    writing_open(w, 0);
    assert_result(create_tenant(w, "acme"), OK);
}

static void a_user_is_made_changed_and_found(void **state)
{
    struct writing w;
    (void)state;

    open_acme(&w);
    assert_result(put_user(&w, .user = slice_str("ann"),
                           .condition = PUT_PRESENT),
                  NOT_FOUND);
    assert_result(put_user(&w, .user = slice_str("ann"),
                           .attributes =
                               slice_str("{\"a\":1,\"b\":{\"c\":2}}"),
                           .name = slice_str("Ann"),
                           .password = slice_str("$argon2id$x"),
                           .condition = PUT_ABSENT),
                  OK);
    assert_user(&w, "ann", "{\"a\":1,\"b\":{\"c\":2}}", "Ann", "$argon2id$x");
    assert_result(put_user(&w, .user = slice_str("ann"),
                           .condition = PUT_ABSENT),
                  EXISTS);
    /* What is not said stays. */
    assert_result(put_plain_user(&w, "ann"), OK);
    assert_user(&w, "ann", "{\"a\":1,\"b\":{\"c\":2}}", "Ann", "$argon2id$x");
    assert_result(
        put_user(&w, .user = slice_str("ann"), .merge = true,
                 .attributes = slice_str(
                     "{ \"b\" : [ ] , \"a\":null, \"z\" : \"new\" }")),
        OK);
    assert_user(&w, "ann", "{\"b\":[ ],\"z\":\"new\"}", "Ann", "$argon2id$x");
    assert_result(put_user(&w, .user = slice_str("ann"), .no_name = true,
                           .no_password = true, .attributes = slice_str("{}")),
                  OK);
    assert_user(&w, "ann", "{}", "", "");
    assert_int_equal(ROWS_IN(&w, users_by_name), 0);
    check_store(&w);
    writing_close(&w);
}

static void what_is_no_user_is_refused(void **state)
{
    char long_id[USER_ID_MAX + 2];
    struct writing w;
    (void)state;

    open_acme(&w);
    memset(long_id, 'x', sizeof(long_id) - 1);
    long_id[sizeof(long_id) - 1] = '\0';
    assert_result(put_plain_user(&w, ""), INVALID);
    assert_result(put_plain_user(&w, long_id), INVALID);
    assert_result(put_plain_user(&w, long_id + 1), OK);
    assert_result(put_plain_user(&w, "a\nb"), INVALID);
    assert_result(put_plain_user(&w, "a/b"), OK);
    assert_result(put_user(&w, .user = slice_str("b"),
                           .attributes = slice_str("[1]")),
                  INVALID);
    assert_result(put_user(&w, .user = slice_str("b"),
                           .attributes = slice_str("{\"a\":")),
                  INVALID);
    assert_result(put_user(&w, .tenant = slice_str("nobody"),
                           .user = slice_str("b")),
                  UNKNOWN_TOKEN);
    assert_result(put_plain_room(&w, "a/b"), INVALID);
    assert_result(put_plain_room(&w, "a+"), INVALID);
    assert_result(put_plain_room(&w, "#"), INVALID);
    assert_int_equal(ROWS_IN(&w, users), 2);
    assert_int_equal(ROWS_IN(&w, rooms), 0);
    check_store(&w);
    writing_close(&w);
}

/* Two at once: both in one group of the writer. */
static void a_name_is_one_users(void **state)
{
    struct sent *both[2];
    struct writing w;
    (void)state;

    open_acme(&w);
    for (int i = 0; i < 2; i++)
        both[i] = new_user(
            &(struct user_put){.user = slice_str(i == 0 ? "u1" : "u2"),
                               .name = slice_str("ann"),
                               .condition = PUT_ABSENT});
    run_together(&w, both, 2);
    assert_int_equal((both[0]->c.result == RESULT_OK) +
                         (both[1]->c.result == RESULT_OK),
                     1);
    assert_int_equal((both[0]->c.result == RESULT_EXISTS) +
                         (both[1]->c.result == RESULT_EXISTS),
                     1);
    const char *other = both[0]->c.result == RESULT_OK ? "u2" : "u1";
    const char *owner = both[0]->c.result == RESULT_OK ? "u1" : "u2";
    assert_false(has_user(&w, other));
    assert_result(
        put_user(&w, .user = slice_str(other), .name = slice_str("bob")), OK);
    assert_result(put_user(&w, .user = slice_str(other),
                           .name = slice_str("ann")),
                  EXISTS);
    /* One that is given up is free. */
    assert_result(delete_user(&w, owner), OK);
    assert_result(
        put_user(&w, .user = slice_str(other), .name = slice_str("ann")), OK);
    assert_int_equal(ROWS_IN(&w, users_by_name), 1);
    check_store(&w);
    writing_close(&w);
    sent_free(both[0]);
    sent_free(both[1]);
}

static void a_pair_of_users_has_one_room(void **state)
{
    struct slice pair[] = {slice_str("bob"), slice_str("ann")};
    char id[ROOM_ID_FOR_SIZE], same[ROOM_ID_FOR_SIZE], other[ROOM_ID_FOR_SIZE];
    struct sent *both[2];
    struct writing w;
    (void)state;

    open_acme(&w);
    room_id_for_pair(ROOM_KIND_DM, pair[0], pair[1], id);
    room_id_for_pair(ROOM_KIND_DM, pair[1], pair[0], same);
    assert_string_equal(id, same);
    room_id_for_pair(ROOM_KIND_DIRECT, pair[1], pair[0], other);
    assert_string_not_equal(id, other);
    room_id_for_pair(ROOM_KIND_DM, slice_str("bo"), slice_str("bann"), other);
    assert_string_not_equal(id, other);
    assert_true(room_id_valid(slice_str(id)));
    for (int i = 0; i < 2; i++)
        both[i] = new_room(&(struct room_put){.room = slice_str(id),
                                              .kind = ROOM_KIND_DM,
                                              .condition = PUT_ABSENT,
                                              .members = pair,
                                              .member_count = 2,
                                              .make_users = true});
    run_together(&w, both, 2);
    assert_result(both[0]->c, OK);
    assert_result(both[1]->c, EXISTS);
    assert_int_equal(ROWS_IN(&w, rooms), 1);
    assert_int_equal(room_of(&w, id).members, 2);
    assert_true(room_of(&w, id).kind == ROOM_KIND_DM);
    assert_true(has_user(&w, "ann"));
    check_store(&w);
    writing_close(&w);
    sent_free(both[0]);
    sent_free(both[1]);
}

static void what_is_made_has_no_invisible_characters(void **state)
{
    static const char *const odd[] = {
        "a\xe2\x80\xaenn",             /* U+202E */
        "ann\xe2\x80\x8b",             /* U+200B */
        "\xef\xbb\xbfxann",            /* U+FEFF */
        "a\xe2\x81\xa6nn\xe2\x81\xa9", /* U+2066, U+2069 */
    };
    struct writing w;
    (void)state;

    open_acme(&w);
    put_plain_user(&w, "ann");
    assert_result(put_plain_room(&w, "r"), OK);
    assert_result(put_plain_user(&w, "ann\xc2\x85"), INVALID); /* C1 */
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        const struct slice name = slice_str(odd[i]);
        struct slice one[] = {name};

        assert_result(put_plain_user(&w, odd[i]), INVALID);
        assert_result(put_plain_room(&w, odd[i]), INVALID);
        assert_result(put_user(&w, .user = slice_str("bob"), .name = name),
                      INVALID);
        assert_result(put_room(&w, .room = slice_str("s"), .members = one,
                               .member_count = 1, .make_users = true),
                      INVALID);
        assert_result(put_member(&w, .room = slice_str("r"), .user = name,
                                 .make_user = true),
                      INVALID);
        assert_result(put_member(&w, .room = slice_str("r"),
                                 .user = slice_str("ann"), .role = name),
                      INVALID);
        /* Those of before are looked up as ever. */
        assert_result(put_user(&w, .user = name, .condition = PUT_PRESENT),
                      NOT_FOUND);
        assert_result(put_room(&w, .room = name, .condition = PUT_PRESENT),
                      NOT_FOUND);
        assert_result(join(&w, "r", odd[i]), NOT_FOUND);
        assert_result(leave(&w, "r", odd[i]), NOT_FOUND);
        assert_result(delete_user(&w, odd[i]), NOT_FOUND);
        assert_result(delete_room(&w, odd[i]), NOT_FOUND);
    }
    check_store(&w);
    writing_close(&w);
}

static void a_creator_is_a_user(void **state)
{
    struct slice nope[] = {slice_str("nope")};
    struct writing w;
    (void)state;

    open_acme(&w);
    assert_result(put_room(&w, .room = slice_str("r"),
                           .creator = slice_str("nope")),
                  NOT_FOUND);
    assert_result(put_room(&w, .room = slice_str("r"),
                           .creator = slice_str("nope"), .make_users = true),
                  NOT_FOUND);
    assert_result(put_room(&w, .room = slice_str("r"),
                           .creator = slice_str("nope"), .make_users = true,
                           .members = nope, .member_count = 1),
                  OK);
    /* Of a room that is there it is ignored. */
    assert_result(put_room(&w, .room = slice_str("r"),
                           .creator = slice_str("nobody")),
                  OK);
    writing_close(&w);
}

static void a_room_has_its_members(void **state)
{
    struct slice some[] = {slice_str("ann"), slice_str("bob"),
                           slice_str("ann")};
    struct writing w;
    (void)state;

    open_acme(&w);
    put_plain_user(&w, "ann");
    assert_result(put_room(&w, .room = slice_str("r"), .members = some,
                           .member_count = 3, .creator = slice_str("ann"),
                           .creator_role = slice_str("owner")),
                  NOT_FOUND); /* bob */
    assert_int_equal(ROWS_IN(&w, members), 0);
    put_plain_user(&w, "bob");
    put_plain_user(&w, "zoe");
    assert_result(put_room(&w, .room = slice_str("r"), .members = some,
                           .member_count = 3, .creator = slice_str("ann"),
                           .creator_role = slice_str("owner"),
                           .settings = slice_str("{\"name\":\"R\"}")),
                  OK);
    assert_int_equal(room_of(&w, "r").members, 2);
    assert_member(&w, "r", "ann", "owner", 0, 0);
    assert_member(&w, "r", "bob", "member", 0, 0);
    append(&w, "acme/rooms/r", "1");
    append(&w, "acme/rooms/r", "2");
    append(&w, "acme/rooms/r", "3");
    /* Who comes later has read what was there. */
    assert_result(join(&w, "r", "zoe"), OK);
    assert_member(&w, "r", "zoe", "member", 3, 3);
    assert_int_equal(room_of(&w, "r").members, 3);
    assert_result(put_member(&w, .room = slice_str("r"),
                             .user = slice_str("bob"), .acked_seq = 2,
                             .read_seq = 1000, .role = slice_str("moderator")),
                  OK);
    assert_member(&w, "r", "bob", "moderator", 2, 3);
    assert_result(put_member(&w, .room = slice_str("r"),
                             .user = slice_str("bob"), .acked_seq = 1),
                  OK);
    assert_member(&w, "r", "bob", "moderator", 2, 3);
    assert_result(join(&w, "r", "nobody"), NOT_FOUND);
    assert_result(join(&w, "nowhere", "ann"), NOT_FOUND);
    assert_result(put_member(&w, .room = slice_str("r"),
                             .user = slice_str("ann"),
                             .condition = PUT_ABSENT),
                  EXISTS);
    assert_result(put_member(&w, .room = slice_str("r"),
                             .user = slice_str("new"), .make_user = true),
                  OK);
    assert_true(has_user(&w, "new"));
    assert_int_equal(members_listed(&w, "r"), 4);
    assert_result(leave(&w, "r", "ann"), OK);
    assert_result(leave(&w, "r", "ann"), NOT_FOUND);
    assert_int_equal(room_of(&w, "r").members, 3);
    assert_int_equal(rooms_listed(&w, "ann"), 0);
    assert_int_equal(rooms_listed(&w, "bob"), 1);
    check_store(&w);
    writing_close(&w);
}

static void rooms_are_listed_by_last_activity(void **state)
{
    static const char *const order[] = {"c", "a", "b", "d"};
    struct recent_room list[8];
    struct writing w;
    size_t count;
    bool all;
    (void)state;

    open_acme(&w);
    put_plain_user(&w, "ann");
    for (const char *const *room = order; room < order + 4; room++) {
        put_plain_room(&w, *room);
        join(&w, *room, "ann");
    }
    put_plain_room(&w, "not-hers");
    append(&w, "acme/rooms/not-hers", "x");
    append(&w, "acme/rooms/a", "x");
    append(&w, "acme/rooms/c", "x");
    struct store_reader *r = snapshot(&w);
    assert_int_equal(store_recent_rooms(r, slice_str("acme"), slice_str("ann"),
                                        list, 8, &count, &all),
                     STORE_OK);
    assert_true(all);
    assert_int_equal(count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_true(slice_eq(list[i].room, slice_str(order[i])));
    assert_int_equal(list[2].last_id, 0);
    assert_int_equal(store_recent_rooms(r, slice_str("acme"), slice_str("ann"),
                                        list, 2, &count, &all),
                     STORE_OK);
    assert_int_equal(count, 2);
    assert_true(slice_eq(list[1].room, slice_str("a")));
    store_reader_release(r);
    writing_close(&w);
}

static void pages_of_a_listing_meet(void **state)
{
    static const char *const ids[] = {"a", "aa", "b", "b/c", "zz"};
    struct slice after = slice_of("", 0);
    struct user_row row;
    struct writing w;
    (void)state;

    open_acme(&w);
    create_tenant(&w, "acme2");
    for (size_t i = 0; i < 5; i++) {
        put_plain_user(&w, ids[4 - i]);
        put_user(&w, .tenant = slice_str("acme2"), .user = slice_str(ids[i]));
    }
    struct store_reader *r = snapshot(&w);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(store_user_next(r, slice_str("acme"), after, &row),
                         STORE_OK);
        assert_true(slice_eq(row.user, slice_str(ids[i])));
        after = row.user;
    }
    assert_int_equal(store_user_next(r, slice_str("acme"), after, &row),
                     STORE_NOTFOUND);
    assert_int_equal(store_user_next(r, slice_str("acme"), slice_str("ab"),
                                     &row),
                     STORE_OK);
    assert_true(slice_eq(row.user, slice_str("b")));
    store_reader_release(r);
    writing_close(&w);
}

static void wait_until_gone(struct writing *w, const char *topic)
{
    struct thing_row thing;

    for (unsigned i = 0; ROWS_IN(w, members) != 0 ||
                         (topic != NULL && thing_of(w, topic, &thing));
         i++) {
        assert_in_range(i, 0, 10000);
        ping(w);
        usleep(1000);
    }
}

/* 600 is more than one transaction removes; the restart is in the middle. */
static void a_room_ends_in_steps(void **state)
{
    char name[16];
    struct writing w;
    struct command c;
    (void)state;

    open_acme(&w);
    put_plain_room(&w, "r");
    for (unsigned i = 0; i < 600; i++) {
        snprintf(name, sizeof(name), "u%u", i);
        put_member(&w, .room = slice_str("r"), .user = slice_str(name),
                   .make_user = true);
    }
    for (unsigned i = 0; i < 40; i++)
        append(&w, "acme/rooms/r", "x");
    c = delete_room(&w, "r");
    assert_result(c, OK);
    assert_true(c.more);
    assert_int_equal(room_of(&w, "r").members, UINT64_MAX);
    writing_restart(&w);
    wait_until_gone(&w, "acme/rooms/r");
    assert_int_equal(ROWS_IN(&w, rooms_of), 0);
    assert_int_equal(ROWS_IN(&w, users), 600);
    assert_result(delete_room(&w, "r"), NOT_FOUND);
    assert_result(put_plain_room(&w, "r"), OK); /* its id is free */
    assert_int_equal(room_of(&w, "r").members, 0);
    check_store(&w);
    writing_close(&w);
}

static void a_user_ends_in_steps(void **state)
{
    struct sent *group[3];
    char name[16];
    struct writing w;
    (void)state;

    open_acme(&w);
    put_user(&w, .user = slice_str("ann"), .name = slice_str("Ann"));
    for (unsigned i = 0; i < 300; i++) {
        snprintf(name, sizeof(name), "r%u", i);
        put_plain_room(&w, name);
        join(&w, name, "ann");
    }
    /* While it ends its id is taken, and nobody lets it join. */
    group[0] = new_command(COMMAND_USER_DELETE);
    *ARGS(group[0], user_delete) =
        (struct user_delete){slice_str("acme"), slice_str("ann")};
    group[1] = new_user(&(struct user_put){.user = slice_str("ann")});
    group[2] = new_member(&(struct member_put){
        .room = slice_str("r1"), .user = slice_str("ann"), .make_user = true});
    run_together(&w, group, 3);
    assert_result(group[0]->c, OK);
    assert_true(group[0]->c.more);
    assert_result(group[1]->c, EXISTS);
    assert_result(group[2]->c, EXISTS);
    writing_restart(&w);
    wait_until_gone(&w, NULL);
    assert_int_equal(room_of(&w, "r7").members, 0);
    assert_int_equal(ROWS_IN(&w, users), 0);
    assert_int_equal(ROWS_IN(&w, users_by_name), 0);
    assert_result(delete_user(&w, "ann"), NOT_FOUND);
    assert_result(put_plain_user(&w, "ann"), OK);
    check_store(&w);
    writing_close(&w);
    for (size_t i = 0; i < 3; i++)
        sent_free(group[i]);
}

static void people_count_against_their_tenant(void **state)
{
    struct writing w;
    struct command c;
    char name[16];
    unsigned n = 0;
    (void)state;

    writing_open(&w, 0);
    writing_stop(&w);
    writing_plan(&w, "home")->bytes_max = 4000;
    writing_start(&w);
    create_tenant(&w, "acme");
    put_plain_room(&w, "r");
    put_plain_user(&w, "ann");
    do {
        snprintf(name, sizeof(name), "u%u", n++);
        c = put_member(&w, .room = slice_str("r"), .user = slice_str(name),
                       .make_user = true);
    } while (c.result == RESULT_OK && n < 1000);
    assert_result(c, BYTES);
    assert_in_range(usage_of(&w, "acme").bytes, 3500, 4000);
    assert_false(has_user(&w, name)); /* all of it, or nothing */
    assert_result(put_user(&w, .user = slice_str("ann"),
                           .attributes = slice_str(
                               "{\"a\":\"................................"
                               "...................................."
                               "...................................."
                               "....................................\"}")),
                  BYTES);
    assert_result(leave(&w, "r", "u1"), OK); /* ends are always possible */
    check_store(&w);
    writing_close(&w);
}

static void deleting_a_tenant_removes_its_people(void **state)
{
    struct sent *s = new_command(COMMAND_TOKEN_DELETE);
    char name[16];
    struct writing w;
    (void)state;

    open_acme(&w);
    create_tenant(&w, "acme2");
    put_user(&w, .tenant = slice_str("acme2"), .user = slice_str("u1"),
             .name = slice_str("n1"));
    for (unsigned i = 0; i < 150; i++) {
        snprintf(name, sizeof(name), "u%u", i);
        put_user(&w, .user = slice_str(name), .name = slice_str(name));
        put_plain_room(&w, name);
        put_member(&w, .room = slice_str(name), .user = slice_str("u0"));
        put_member(&w, .room = slice_str("u0"), .user = slice_str(name));
    }
    check_store(&w);
    delete_user(&w, "u0"); /* is still going on */
    ARGS(s, token_delete)->token = slice_str("acme");
    assert_result(run(&w, s), OK);
    writing_restart(&w);
    clock_advance(2 * SECOND);
    for (unsigned i = 0; ROWS_IN(&w, tokens) != 1; i++) {
        assert_in_range(i, 0, 10000);
        ping(&w);
        usleep(1000);
    }
    assert_int_equal(ROWS_IN(&w, users), 1);
    assert_int_equal(ROWS_IN(&w, users_by_name), 1);
    assert_int_equal(ROWS_IN(&w, rooms), 0);
    assert_int_equal(ROWS_IN(&w, members), 0);
    assert_int_equal(ROWS_IN(&w, rooms_of), 0);
    check_store(&w);
    assert_result(create_tenant(&w, "acme"), OK);
    writing_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_is_made_changed_and_found),
        cmocka_unit_test(what_is_no_user_is_refused),
        cmocka_unit_test(a_name_is_one_users),
        cmocka_unit_test(a_pair_of_users_has_one_room),
        cmocka_unit_test(what_is_made_has_no_invisible_characters),
        cmocka_unit_test(a_creator_is_a_user),
        cmocka_unit_test(a_room_has_its_members),
        cmocka_unit_test(rooms_are_listed_by_last_activity),
        cmocka_unit_test(pages_of_a_listing_meet),
        cmocka_unit_test(a_room_ends_in_steps),
        cmocka_unit_test(a_user_ends_in_steps),
        cmocka_unit_test(people_count_against_their_tenant),
        cmocka_unit_test(deleting_a_tenant_removes_its_people),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
