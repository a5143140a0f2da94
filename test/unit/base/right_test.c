#include "base/right.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct rights_draft draft;

static int empty_draft(void **state)
{
    (void)state;
    rights_draft_clear(&draft);
    return 0;
}

static struct rights *rights_of(const char *const *texts, size_t count)
{
    rights_draft_clear(&draft);
    for (size_t i = 0; i < count; i++)
        if (rights_add_text(&draft, slice_str(texts[i])) != RIGHT_OK)
            fail_msg("%s", texts[i]);
    struct rights *r = rights_new(&draft);
    assert_non_null(r);
    return r;
}

static void assert_text(const struct rights *r, const char *expected)
{
    struct buffer b = BUFFER_INIT;

    for (size_t i = 0; i < r->count; i++) {
        right_put_text(&b, &r->list[i]);
        buffer_put_char(&b, i + 1 < r->count ? ';' : '\0');
    }
    assert_string_equal(r->count == 0 ? "" : b.data, expected);
    buffer_release(&b);
}

static void text_of_a_right_is_what_made_it(void **state)
{
    static const char *const texts[] = {
        "publish rooms/+/state", "subscribe #",   "manage users/%u/#", "admin",
        "publish devices/%c",    "publish a b/c",

        "publish 100%/x",        "subscribe +"};
    struct rights *r = rights_of(texts, COUNT(texts));
    (void)state;

    assert_text(r, "publish rooms/+/state;subscribe #;manage users/%u/#;admin;"
                   "publish devices/%c;publish a b/c;"
                   "publish 100%/x;subscribe +");
    free(r);
}

static void a_right_that_is_none_is_refused_with_its_reason(void **state)
{
    static const struct {
        const char *text;
        enum right_error error;
    } rows[] = {
        {"", RIGHT_ACTION},
        {"publish", RIGHT_ACTION},
        {"publishing a", RIGHT_ACTION},
        {"Publish a", RIGHT_ACTION},
        {"read a", RIGHT_ACTION},
        {" publish a", RIGHT_ACTION},
        {"admin #", RIGHT_ACTION},
        {"admin ", RIGHT_ACTION},
        {"publish ", RIGHT_FILTER},
        {"publish a#", RIGHT_FILTER},
        {"publish /a", RIGHT_FILTER},
        {"publish a/", RIGHT_FILTER},
        {"subscribe a//#", RIGHT_FILTER},
        {"subscribe /", RIGHT_FILTER},
        {"publish a/#/b", RIGHT_FILTER},
        {"publish a+/b", RIGHT_FILTER},
        {"subscribe $SYS/#", RIGHT_FILTER},
        {"subscribe $share/g/a", RIGHT_FILTER},
        {"subscribe $events/t/typing/#", RIGHT_FILTER},
        {"publish $confab/ping", RIGHT_FILTER},
        {"publish a\nadmin", RIGHT_FILTER},
        {"publish a\xff", RIGHT_FILTER},
        {"publish user-%u", RIGHT_VARIABLE},
        {"publish a/%c1/b", RIGHT_VARIABLE},
        {"publish %u%c", RIGHT_VARIABLE},
        {"publish %%u", RIGHT_VARIABLE},
    };
    (void)state;

    for (size_t i = 0; i < COUNT(rows); i++)
        if (rights_add_text(&draft, slice_str(rows[i].text)) != rows[i].error)
            fail_msg("%s", rows[i].text);
    assert_int_equal(rights_add_text(&draft, slice_of("publish a\0b", 11)),
                     RIGHT_FILTER);
    assert_int_equal(rights_add(&draft, (enum caller_action)9, slice_str("#")),
                     RIGHT_ACTION);
    assert_int_equal(rights_add(&draft, CALLER_ADMIN, slice_str("a/#")),
                     RIGHT_ACTION);
    assert_int_equal(draft.count, 0);
}

static void every_error_has_a_text(void **state)
{
    (void)state;
    for (unsigned i = RIGHT_OK; i <= RIGHT_UNKNOWN; i++)
        assert_true(strlen(right_error_text((enum right_error)i)) > 5);
}

static void rights_are_64_at_most_and_repeats_count_once(void **state)
{
    char text[32];
    (void)state;

    for (unsigned i = 0; i < RIGHTS_MAX; i++) {
        (void)snprintf(text, sizeof(text), "publish a/%u", i);
        assert_int_equal(rights_add_text(&draft, slice_str(text)), RIGHT_OK);
    }
    assert_int_equal(rights_add_text(&draft, slice_str("publish a/0")),
                     RIGHT_OK);
    assert_int_equal(rights_add_text(&draft, slice_str("publish a/x")),
                     RIGHT_MANY);
    assert_int_equal(rights_add_text(&draft, slice_str("subscribe a/0")),
                     RIGHT_MANY);
    assert_int_equal(draft.count, RIGHTS_MAX);
}

static void filters_have_4096_bytes_in_all(void **state)
{
    char filter[RIGHTS_TEXT_MAX];
    (void)state;

    memset(filter, 'x', sizeof(filter));
    assert_int_equal(rights_add(&draft, CALLER_PUBLISH,
                                slice_of(filter, sizeof(filter))),
                     RIGHT_LONG);
    assert_int_equal(rights_add(&draft, CALLER_PUBLISH,
                                slice_of(filter, sizeof(filter) - 3)),
                     RIGHT_OK);
    assert_int_equal(rights_add(&draft, CALLER_PUBLISH, slice_str("ab")),
                     RIGHT_LONG);
    assert_int_equal(rights_add(&draft, CALLER_PUBLISH, slice_str("a")),
                     RIGHT_OK);
    struct rights *r = rights_new(&draft);
    assert_int_equal(strlen(r->list[0].filter), sizeof(filter) - 3);
    assert_string_equal(r->list[1].filter, "a");
    free(r);
}

/* ---- JSON ---- */

static void json_of_rights_is_read_and_written(void **state)
{
    static const char *const rows[][2] = {
        {"{\"publish\":[\"a/#\"],\"subscribe\":[\"#\"],\"manage\":[],"
         "\"admin\":false}",
         "{\"publish\":[\"a/#\"],\"subscribe\":[\"#\"],\"manage\":[],"
         "\"admin\":false}"},
        {" { \"admin\" : true , \"publish\" : [ \"caf\\u00e9/\\\"q\\\"\" ] } ",
         "{\"publish\":[\"caf\xc3\xa9/\\\"q\\\"\"],\"subscribe\":[],"
         "\"manage\":[],\"admin\":true}"},
        {"{}", "{\"publish\":[],\"subscribe\":[],\"manage\":[],"
               "\"admin\":false}"},
        {"{\"manage\":[\"b\",\"b\",\"c\"]}",
         "{\"publish\":[],\"subscribe\":[],\"manage\":[\"b\",\"c\"],"
         "\"admin\":false}"},
    };
    (void)state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buffer b = BUFFER_INIT;
        struct json_writer w = json_writer_of(&b);

        rights_draft_clear(&draft);
        assert_int_equal(rights_add_json(&draft, slice_str(rows[i][0])),
                         RIGHT_OK);
        struct rights *r = rights_new(&draft);
        rights_write_json(&w, r->list, r->count);
        assert_true(slice_eq(buffer_slice(&b), slice_str(rows[i][1])));
        buffer_release(&b);
        free(r);
    }
}

static void json_that_is_no_rights_is_refused(void **state)
{
    static const struct {
        const char *json;
        enum right_error error;
    } rows[] = {
        {"[]", RIGHT_JSON},
        {"\"admin\"", RIGHT_JSON},
        {"null", RIGHT_JSON},
        {"{\"publish\":\"#\"}", RIGHT_JSON},
        {"{\"publish\":null}", RIGHT_JSON},
        {"{\"publish\":[1]}", RIGHT_JSON},
        {"{\"publish\":[[\"#\"]]}", RIGHT_JSON},
        {"{\"publish\":{\"#\":1}}", RIGHT_JSON},
        {"{\"publish\":[\"\\ud800\"]}", RIGHT_JSON},
        {"{\"admin\":1}", RIGHT_JSON},
        {"{\"admin\":\"true\"}", RIGHT_JSON},
        {"{\"admin\":[true]}", RIGHT_JSON},
        {"{\"admin\":false,\"admin\":true}", RIGHT_JSON},
        {"{\"publish\":[],\"publish\":[\"#\"]}", RIGHT_JSON},
        {"{\"publish\":[\"\"]}", RIGHT_FILTER},
        {"{\"publish\":[\"a\\u0000b\"]}", RIGHT_FILTER},
        {"{\"publish\":[\"$SYS/#\"]}", RIGHT_FILTER},
        {"{\"publish\":[\"\\u0024SYS/#\"]}", RIGHT_FILTER},
        {"{\"publish\":[\"x%u\"]}", RIGHT_VARIABLE},
        {"{\"write\":[\"#\"]}", RIGHT_UNKNOWN},
        {"{\"\\u0061dmin\":true}", RIGHT_UNKNOWN},
        {"{\"Admin\":true}", RIGHT_UNKNOWN},
    };
    (void)state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct slice json = slice_str(rows[i].json);
        rights_draft_clear(&draft);
        assert_true(json_check(json.data, json.len, NULL, NULL));
        if (rights_add_json(&draft, json) != rows[i].error)
            fail_msg("%s", rows[i].json);
    }
}

/* ---- msgpack ---- */

/* ---- giving ---- */

struct gift {
    const char *right;
    bool covered;
};

static void check_gifts(const struct caller *giver, struct slice user,
                        const struct gift *gifts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct rights *r = rights_of(&gifts[i].right, 1);
        if (rights_covered(giver, slice_str("tok"), user, r->list, r->count) !=
            gifts[i].covered)
            fail_msg("%s", gifts[i].right);
        free(r);
    }
}

static void nobody_gives_more_than_it_has(void **state)
{
    static const char *const has[] = {"publish rooms/+/state",
                                      "subscribe public/#", "subscribe a/b",
                                      "subscribe a/c", "manage rooms/7"};
    static const struct gift gifts[] = {
        {"publish rooms/7/state", true},
        {"publish rooms/+/state", true},
        {"publish rooms/#", false},
        {"publish rooms/+/+", false},
        {"publish rooms/%c/state", true},
        {"publish rooms/%u/state", true},
        {"publish %u/7/state", false},
        {"publish %c/7/state", false},
        {"publish public/x", false},
        {"publish #", false},
        {"subscribe public/#", true},
        {"subscribe public", true},
        {"subscribe public/%u/+/#", true},
        {"subscribe a/+", false},
        {"subscribe a/b", true},
        {"subscribe a/%c", false},
        {"subscribe #", false},
        {"manage rooms/7", true},
        {"manage rooms/%u", false},
        {"admin", false},
    };
    struct rights *r = rights_of(has, COUNT(has));
    const struct caller giver = {.tenant = slice_str("tok"),
                                 .rights = r->list,
                                 .right_count = r->count};
    (void)state;

    check_gifts(&giver, slice_of(NULL, 0), gifts, COUNT(gifts));
    assert_true(
        rights_covered(&giver, slice_str("tok"), slice_of(NULL, 0), NULL, 0));
    assert_false(rights_covered(&giver, slice_str("other"), slice_of(NULL, 0),
                                r->list, r->count));
    free(r);
}

static void all_must_be_covered_not_one(void **state)
{
    static const char *const has[] = {"publish a"};
    static const char *const wants[] = {"publish a", "publish b"};
    struct rights *r = rights_of(has, COUNT(has));
    struct rights *w = rights_of(wants, COUNT(wants));
    const struct caller giver = {.tenant = slice_str("tok"),
                                 .rights = r->list,
                                 .right_count = r->count};
    (void)state;

    assert_true(rights_covered(&giver, slice_str("tok"), slice_of(NULL, 0),
                               w->list, 1));
    assert_false(rights_covered(&giver, slice_str("tok"), slice_of(NULL, 0),
                                w->list, 2));
    free(r);
    free(w);
}

static void users_and_clients_are_covered_by_their_own(void **state)
{
    static const char *const has[] = {"publish users/%u/#",
                                      "publish devices/%c"};
    static const struct gift of_ann[] = {
        {"publish users/%u/mood", true},  {"publish users/%u/#", true},
        {"publish users/ann/mood", true}, {"publish users/bob/mood", false},
        {"publish users/+/mood", false},  {"publish users/%c/mood", false},
        {"publish devices/%c", true},     {"publish devices/lamp-1", false},
        {"publish devices/+", false},     {"publish devices/%u", false},
    };
    static const struct gift of_bob[] = {
        {"publish users/%u/mood", false},
        {"publish users/ann/mood", true},
        {"publish devices/%c", true},
    };
    static const struct gift of_nobody[] = {
        {"publish users/%u/mood", false},
        {"publish users/ann/mood", true},
    };
    struct rights *r = rights_of(has, COUNT(has));
    struct caller giver = {.tenant = slice_str("tok"),
                           .user = slice_str("ann"),
                           .client = slice_str("lamp-1"),
                           .rights = r->list,
                           .right_count = r->count};
    (void)state;

    check_gifts(&giver, slice_str("ann"), of_ann, COUNT(of_ann));
    check_gifts(&giver, slice_str("bob"), of_bob, COUNT(of_bob));
    check_gifts(&giver, slice_of(NULL, 0), of_nobody, COUNT(of_nobody));
    check_gifts(&giver, slice_str("a/b"), of_nobody, COUNT(of_nobody));
    check_gifts(&giver, slice_str("#"), of_nobody, COUNT(of_nobody));
    check_gifts(&giver, slice_str("+"), of_nobody, COUNT(of_nobody));
    free(r);
}

/* A user may have any name, that of a variable as well. */
static void a_user_called_like_a_variable_gets_nothing_by_it(void **state)
{
    static const char *const has[] = {"publish users/%u"};
    static const struct gift gifts[] = {
        {"publish users/%c", false},
        {"publish users/%u", true},
    };
    struct rights *r = rights_of(has, COUNT(has));
    const struct caller giver = {.tenant = slice_str("tok"),
                                 .user = slice_str("%c"),
                                 .rights = r->list,
                                 .right_count = r->count};
    (void)state;

    check_gifts(&giver, slice_str("%c"), gifts, COUNT(gifts));
    free(r);
}

static void an_administrator_gives_everything_of_its_tenant(void **state)
{
    static const char *const has[] = {"admin"};
    static const struct gift gifts[] = {
        {"admin", true},
        {"publish #", true},
        {"subscribe users/%u/#", true},
        {"manage %c", true},
    };
    struct rights *r = rights_of(has, COUNT(has));
    const struct caller giver = {.tenant = slice_str("tok"),
                                 .rights = r->list,
                                 .right_count = r->count};
    const struct caller server = caller_administrator();
    (void)state;

    check_gifts(&giver, slice_str("ann"), gifts, COUNT(gifts));
    check_gifts(&server, slice_str("ann"), gifts, COUNT(gifts));
    assert_false(rights_covered(&giver, slice_str("other"), slice_of(NULL, 0),
                                r->list, r->count));
    free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(text_of_a_right_is_what_made_it, empty_draft),
        cmocka_unit_test_setup(a_right_that_is_none_is_refused_with_its_reason,
                               empty_draft),
        cmocka_unit_test_setup(every_error_has_a_text, empty_draft),
        cmocka_unit_test_setup(rights_are_64_at_most_and_repeats_count_once,
                               empty_draft),
        cmocka_unit_test_setup(filters_have_4096_bytes_in_all, empty_draft),
        cmocka_unit_test_setup(json_of_rights_is_read_and_written,
                               empty_draft),
        cmocka_unit_test_setup(json_that_is_no_rights_is_refused, empty_draft),
        cmocka_unit_test_setup(nobody_gives_more_than_it_has, empty_draft),
        cmocka_unit_test_setup(all_must_be_covered_not_one, empty_draft),
        cmocka_unit_test_setup(users_and_clients_are_covered_by_their_own,
                               empty_draft),
        cmocka_unit_test_setup(
            a_user_called_like_a_variable_gets_nothing_by_it, empty_draft),
        cmocka_unit_test_setup(an_administrator_gives_everything_of_its_tenant,
                               empty_draft),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
