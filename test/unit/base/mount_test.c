#include "base/mount.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/topic.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define TWENTY "0123456789ABCDEFGHIJ"
#define HUNDRED TWENTY TWENTY TWENTY TWENTY TWENTY

static void what_can_be_a_mount(void **state)
{
    static const char *const good[] = {"",           "home", "a/b",
                                       "devices/%c", "%u",   "%u/%c",
                                       "a b",        "100%", "caf\xc3\xa9"};
    static const char *const bad[] = {"/",
                                      "/home",
                                      "home/",
                                      "a//b",
                                      "+",
                                      "a/#",
                                      "a+",
                                      "$SYS",
                                      "$share/g/a",
                                      "x%u",
                                      "%u%c",
                                      "a/%cc",
                                      "a\nb",
                                      "a\x7f",
                                      "a\xff",
                                      "\xef\xbf\xbf",
                                      HUNDRED TWENTY "012345678"};
    (void)state;

    for (size_t i = 0; i < COUNT(good); i++)
        if (!mount_valid(slice_str(good[i])))
            fail_msg("%s", good[i]);
    for (size_t i = 0; i < COUNT(bad); i++)
        if (mount_valid(slice_str(bad[i])))
            fail_msg("%s", bad[i]);
    assert_true(mount_valid(slice_of(NULL, 0)));
    assert_true(mount_valid(slice_str(HUNDRED TWENTY "01234567")));
    assert_false(mount_valid(slice_of("a\0b", 3)));
}

static void assert_prefix(const char *mount, struct slice user,
                          struct slice client, const char *expected)
{
    struct buffer b = BUFFER_INIT;

    buffer_put_str(&b, "before ");
    const bool made =
        mount_prefix(slice_str("tok"), slice_str(mount), user, client, &b);
    const struct slice added = slice_of(b.data + 7, b.len - 7);
    assert_int_equal(made, expected != NULL);
    if (!slice_eq(added, slice_str(made ? expected : "")))
        fail_msg("%s: %.*s", mount, (int)added.len, (const char *)added.data);
    buffer_release(&b);
}

static void a_prefix_has_the_names_of_user_and_client(void **state)
{
    const struct slice none = slice_of(NULL, 0), ann = slice_str("ann"),
                       lamp = slice_str("lamp-1");
    (void)state;

    assert_prefix("", none, none, "tok/");
    assert_prefix("home", none, none, "tok/home/");
    assert_prefix("a/b", ann, lamp, "tok/a/b/");
    assert_prefix("devices/%c", none, lamp, "tok/devices/lamp-1/");
    assert_prefix("%u/x/%c", ann, lamp, "tok/ann/x/lamp-1/");
    assert_prefix("%u/%u", ann, none, "tok/ann/ann/");
    assert_prefix("%u", slice_str("%c"), lamp, "tok/%c/");
}

static void who_has_no_name_for_its_mount_has_no_prefix(void **state)
{
    static const char *const bad[] = {"",   "a/b",  "/",    "+",     "#",
                                      "a#", "$SYS", "a\nb", "a\xff", "\x7f"};
    const struct slice ok = slice_str("ok");
    char name[THING_MAX];
    (void)state;

    assert_prefix("x/%u", slice_of(NULL, 0), ok, NULL);
    assert_prefix("x/%c", ok, slice_of(NULL, 0), NULL);
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_prefix("x/%u", slice_str(bad[i]), ok, NULL);
        assert_prefix("%c/x", ok, slice_str(bad[i]), NULL);
    }
    assert_prefix("%u", slice_of("a\0b", 3), ok, NULL);
    /* A thing's name is 256 bytes at most; one of them is the device's. */
    memset(name, 'n', sizeof(name));
    assert_prefix("%c", ok, slice_of(name, 255), NULL);
    struct buffer b = BUFFER_INIT;
    assert_true(mount_prefix(slice_str("tok"), slice_str("%c"), ok,
                             slice_of(name, 254), &b));
    assert_int_equal(b.len, strlen("tok/") + 254 + 1);
    buffer_release(&b);
}

struct addition {
    const char *name;
    const char *full; /* NULL: refused */
};

static void check_additions(bool (*add)(struct slice, struct slice,
                                        struct buffer *),
                            const struct addition *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct buffer b = BUFFER_INIT;
        const bool added =
            add(slice_str("tok/home/"), slice_str(rows[i].name), &b);

        if (added != (rows[i].full != NULL) ||
            !slice_eq(buffer_slice(&b), slice_str(added ? rows[i].full : "")))
            fail_msg("%s: %.*s", rows[i].name, (int)b.len, b.data);
        buffer_release(&b);
    }
}

static void topics_get_the_prefix(void **state)
{
    static const struct addition rows[] = {
        {"shellies/plug/relay/0", "tok/home/shellies/plug/relay/0"},
        {"a", "tok/home/a"},
        {"/sensors/1", "tok/home//sensors/1"},
        {"a/", "tok/home/a/"},
        {"", NULL},
        {"a/#", NULL},
        {"a/+", NULL},
        {"a\xff", NULL},
        {"$SYS/x", "$SYS/x"},
    };
    (void)state;

    check_additions(mount_add_to_topic, rows, COUNT(rows));
}

static void filters_get_the_prefix_inside_share(void **state)
{
    static const struct addition rows[] = {
        {"#", "tok/home/#"},
        {"+/a", "tok/home/+/a"},
        {"homeassistant/status", "tok/home/homeassistant/status"},
        {"$share/g/#", "$share/g/tok/home/#"},
        {"$share/g/a/+", "$share/g/tok/home/a/+"},
        {"$share/g//a", "$share/g/tok/home//a"},
        {"$share/g/$SYS/#", "$share/g/$SYS/#"},
        {"$SYS/#", "$SYS/#"},
        {"$events/tok/typing/#", "$events/tok/typing/#"},
        {"", NULL},
        {"a#", NULL},
        {"#/a", NULL},
        {"$share/g", NULL},
        {"$share/g/", NULL},
        {"$share//a", NULL},
        {"$share/+/a", NULL},
        {"$share/g/a#", NULL},
    };
    (void)state;

    check_additions(mount_add_to_filter, rows, COUNT(rows));
}

static void what_becomes_too_long_or_deep_is_refused(void **state)
{
    const struct slice prefix = slice_str("tok/home/");
    struct buffer name = BUFFER_INIT, out = BUFFER_INIT;
    (void)state;

    while (name.len < 65535 - prefix.len)
        buffer_put_char(&name, 'x');
    assert_true(mount_add_to_topic(prefix, buffer_slice(&name), &out));
    assert_int_equal(out.len, 65535);
    buffer_clear(&out);
    assert_true(mount_add_to_filter(prefix, buffer_slice(&name), &out));
    buffer_clear(&out);
    buffer_put_char(&name, 'x');
    assert_false(mount_add_to_topic(prefix, buffer_slice(&name), &out));
    assert_false(mount_add_to_filter(prefix, buffer_slice(&name), &out));
    assert_int_equal(out.len, 0);

    buffer_clear(&name);
    for (unsigned i = 0; i < TOPIC_LEVELS_MAX - 2; i++)
        buffer_put_str(&name, i == 0 ? "a" : "/a");
    assert_true(mount_add_to_topic(prefix, buffer_slice(&name), &out));
    buffer_put_str(&name, "/a");
    assert_false(mount_add_to_topic(prefix, buffer_slice(&name), &out));
    assert_false(mount_add_to_filter(prefix, buffer_slice(&name), &out));
    buffer_release(&name);
    buffer_release(&out);
}

static void the_prefix_is_taken_off_what_is_below_it(void **state)
{
    static const struct addition rows[] = {
        {"tok/home/a", "a"},
        {"tok/home/a/b", "a/b"},
        {"tok/home//a", "/a"},
        {"$SYS/broker/uptime", "$SYS/broker/uptime"},
        {"tok/home/", NULL},
        {"tok/home", NULL},
        {"tok/homes/a", NULL},
        {"tok/other", NULL},
        {"other/home/a", NULL},
        {"a", NULL},
        {"", NULL},
    };
    (void)state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct slice name = slice_str("untouched");
        const bool is_below = mount_take_off(slice_str("tok/home/"),
                                             slice_str(rows[i].name), &name);
        if (is_below != (rows[i].full != NULL) ||
            !slice_eq(name, slice_str(is_below ? rows[i].full : "untouched")))
            fail_msg("%s", rows[i].name);
    }
}

/* What a client publishes it gets back under the same name. */
static void taking_off_undoes_adding(void **state)
{
    static const char *const topics[] = {"a", "/a/", "tok/home/a",
                                         "caf\xc3\xa9/1", "$SYS/x"};
    (void)state;

    for (size_t i = 0; i < COUNT(topics); i++) {
        struct buffer b = BUFFER_INIT;
        struct slice name;

        assert_true(mount_add_to_topic(slice_str("tok/home/"),
                                       slice_str(topics[i]), &b));
        assert_true(
            mount_take_off(slice_str("tok/home/"), buffer_slice(&b), &name));
        assert_true(slice_eq(name, slice_str(topics[i])));
        buffer_release(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_can_be_a_mount),
        cmocka_unit_test(a_prefix_has_the_names_of_user_and_client),
        cmocka_unit_test(who_has_no_name_for_its_mount_has_no_prefix),
        cmocka_unit_test(topics_get_the_prefix),
        cmocka_unit_test(filters_get_the_prefix_inside_share),
        cmocka_unit_test(what_becomes_too_long_or_deep_is_refused),
        cmocka_unit_test(the_prefix_is_taken_off_what_is_below_it),
        cmocka_unit_test(taking_off_undoes_adding),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
