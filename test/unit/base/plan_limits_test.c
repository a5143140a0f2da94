#include "base/plan_limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static bool is_refused(const char *key, const char *value)
{
    struct plan p = {0};
    const bool wrong =
        plan_limit_wrong(slice_str(key), slice_str(value)) != NULL;

    assert_true(plan_limits_set(&p, slice_str(key), slice_str(value)) !=
                wrong);
    return wrong;
}

static void a_value_is_a_quantity_within_what_the_server_can_do(void **state)
{
    (void)state;
    assert_false(is_refused("bytes_max", "1G"));
    assert_false(is_refused("bytes_max", "0"));
    assert_false(is_refused("bytes_max", ""));
    assert_false(is_refused("retention_age", "7d"));
    assert_false(is_refused("payload_max", "16M"));
    assert_false(is_refused("client_id_max", "23"));
    assert_true(is_refused("payload_max", "16777217"));
    assert_true(is_refused("client_id_max", "22"));
    assert_true(is_refused("filters_max", "10001"));
    assert_true(is_refused("bytes_max", "-1"));
    assert_true(is_refused("bytes_max", "1d"));
    assert_true(is_refused("bytes_max", "9007199254740993"));
    assert_true(is_refused("bytes_max", "00000000000000000000000000000000"));
    assert_true(is_refused("bytes", "1"));
    assert_true(is_refused("", ""));
}

static void text_is_read_back_and_holds_instead_of_the_plan(void **state)
{
    static const char text[] = "writes_per_hour=50 bytes_max=1073741824";
    const struct plan base = {.name = "home", .reads_per_hour = 7};
    const struct plan other = {.name = "free", .reads_per_hour = 9};
    struct plan own;
    struct buffer b = BUFFER_INIT;
    (void)state;

    assert_ptr_equal(plan_with_limits(&base, slice_str(""), &own), &base);
    assert_ptr_equal(plan_with_limits(&base, slice_str("later=1"), &own),
                     &base);
    assert_ptr_equal(plan_with_limits(&base, slice_str(text), &own), &own);
    assert_string_equal(own.name, "home");
    assert_true(own.writes_per_hour == 50 && own.reads_per_hour == 7 &&
                own.bytes_max == UINT64_C(1) << 30);
    plan_limits_put(&b, &own);
    assert_true(slice_eq(buffer_slice(&b), slice_str(text)));
    buffer_release(&b);
    plan_limits_move(&own, &other);
    assert_string_equal(own.name, "free");
    assert_true(own.writes_per_hour == 50 && own.reads_per_hour == 9);
}

static void the_text_of_all_limits_fits(void **state)
{
    struct plan all = {.own = (UINT64_C(1) << 17) - 1};
    struct buffer b = BUFFER_INIT;
    (void)state;

    memset(&all.writes_per_hour, 0, sizeof(all) - sizeof(all.name));
    for (uint64_t *p = &all.writes_per_hour; p < &all.own; p++)
        *p = UINT64_C(1) << 53;
    all.own = (UINT64_C(1) << 17) - 1;
    plan_limits_put(&b, &all);
    assert_true(b.len > 300 && b.len <= PLAN_LIMITS_TEXT_MAX);
    buffer_release(&b);
}

/* A plan without the default's name applies the default, with the limits. */
static void new_settings_and_missing_plans_keep_own_limits(void **state)
{
    static struct config c, fresh;
    struct plan own;
    (void)state;

    config_defaults(&c);
    config_defaults(&fresh);
    fresh.plans[0].reads_per_hour = 77;
    config_adopt(&c, &fresh);
    const struct plan *p = config_plan_of(&c, slice_str("nowhere"),
                                          slice_str("things_max=3"), &own);
    assert_string_equal(p->name, "free");
    assert_true(p->things_max == 3 && p->reads_per_hour == 77);
    assert_true(fresh.plans[0].things_max != 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_a_quantity_within_what_the_server_can_do),
        cmocka_unit_test(text_is_read_back_and_holds_instead_of_the_plan),
        cmocka_unit_test(the_text_of_all_limits_fits),
        cmocka_unit_test(new_settings_and_missing_plans_keep_own_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
