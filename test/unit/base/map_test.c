#include "base/msgpack/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void put_nothing(struct map_writer *m)
{
    map_text(m, "left out", NULL);
    map_yes(m, "no", false);
}

static void put_one_of_each(struct map_writer *m)
{
    map_text(m, "t", "x");
    map_str(m, "s", slice_of("\0", 1));
    map_uint(m, "u", UINT64_MAX);
    map_int(m, "i", -1);
    map_yes(m, "y", true);
}

static void put_empty_text(struct map_writer *m)
{
    map_text(m, "from", "");
}

static void put_most(struct map_writer *m)
{
    for (int i = 0; i < MAP_MEMBERS; i++)
        map_uint(m, "n", 5);
}

static void a_map_says_how_many_members_it_has(void **state)
{
    static const struct {
        void (*put)(struct map_writer *m);
        struct slice expected;
    } cases[] = {
#define BYTES(text) {text, sizeof(text) - 1}
        {put_nothing, BYTES("\x80")},
        {put_one_of_each,
         BYTES("\x85\xa1t\xa1x\xa1s\xa1\0\xa1u\xcf\xff\xff\xff\xff\xff\xff"
               "\xff\xff\xa1i\xff\xa1y\x01")},
        {put_empty_text, BYTES("\x81\xa4"
                               "from\xa0")},
        {put_most, BYTES("\x8f\xa1n\5\xa1n\5\xa1n\5\xa1n\5\xa1n\5\xa1n\5"
                         "\xa1n\5\xa1n\5\xa1n\5\xa1n\5\xa1n\5\xa1n\5\xa1n\5"
                         "\xa1n\5\xa1n\5")},
    };
#undef BYTES

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buffer b = BUFFER_INIT;
        struct map_writer m = map_begin(&b);
        cases[i].put(&m);
        map_end(&m);
        assert_true(buffer_ok(&b));
        assert_true(slice_eq(buffer_slice(&b), cases[i].expected));
        buffer_release(&b);
    }
}

static void a_map_may_stand_behind_other_bytes(void **state)
{
    struct buffer b = BUFFER_INIT;

    (void)state;
    buffer_put_str(&b, "head");
    struct map_writer m = map_begin(&b);
    map_yes(&m, "a", true);
    map_end(&m);
    assert_true(slice_eq(buffer_slice(&b), slice_str("head\x81\xa1"
                                                     "a\x01")));
    buffer_release(&b);
}

static void a_failed_buffer_stays_failed(void **state)
{
    struct buffer b = {.limit = 4};

    (void)state;
    struct map_writer m = map_begin(&b);
    map_text(&m, "name", "value");
    map_end(&m);
    assert_false(buffer_ok(&b));
    buffer_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_map_says_how_many_members_it_has),
        cmocka_unit_test(a_map_may_stand_behind_other_bytes),
        cmocka_unit_test(a_failed_buffer_stays_failed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
