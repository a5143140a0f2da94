#include "base/topic_level.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void a_name_has_a_level_more_than_slashes(void **state)
{
    static const struct {
        const char *name;
        const char *levels[4];
        size_t count;
    } rows[] = {
        {"a", {"a"}, 1},
        {"", {""}, 1},
        {"a/bc/d", {"a", "bc", "d"}, 3},
        {"/a//", {"", "a", "", ""}, 4},
    };
    (void)state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct slice name = slice_str(rows[i].name);
        size_t count = 0;

        for (size_t at = 0; at <= name.len; count++) {
            const struct slice level = topic_level_at(name, at);
            assert_true(count < rows[i].count);
            assert_true(slice_eq(level, slice_str(rows[i].levels[count])));
            at += level.len + 1;
        }
        assert_int_equal(count, rows[i].count);
    }
}

static void variables_are_whole_levels(void **state)
{
    static const char *const good[] = {"",      "%u",       "a/%c/b", "%u/%c",
                                       "100%",  "%/u",      "%U",     "u%",
                                       "//%u/", "a/%/%u/c%"};
    static const char *const bad[] = {"%u%c",  "%%u",    "%uu",     "x%c",
                                      "a/%cb", "%u/a%u", "a/b/-%u-"};
    (void)state;

    for (size_t i = 0; i < COUNT(good); i++)
        if (!variables_are_levels(slice_str(good[i])))
            fail_msg("%s", good[i]);
    for (size_t i = 0; i < COUNT(bad); i++)
        if (variables_are_levels(slice_str(bad[i])))
            fail_msg("%s", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_has_a_level_more_than_slashes),
        cmocka_unit_test(variables_are_whole_levels),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
