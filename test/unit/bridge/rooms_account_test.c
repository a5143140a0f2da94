/* Names and attributes of accounts of the rooms door. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bridge/rooms/rooms_account.h"

static void assert_folded(const char *given, const char *name)
{
    char out[ROOMS_NAME_MAX];
    const size_t len = rooms_name_fold(slice_str(given), out);

    assert_true(slice_eq(slice_of(out, len), slice_str(name)));
}

static void a_name_is_folded_or_none(void **state)
{
    (void)state;
    assert_folded("Anna_1.-", "anna_1.-");
    assert_folded("ANNA", "anna");
    assert_folded("ann", "");
    assert_folded("an na", "");
    assert_folded("ann\xc3\xa9", "");
    assert_folded("anna@home", "");
    assert_folded("0123456789012345678901234567890Z",
                  "0123456789012345678901234567890z");
    assert_folded("0123456789012345678901234567890ZZ", "");
}

static void some_names_are_reserved(void **state)
{
    (void)state;
    assert_true(rooms_name_is_reserved(slice_str("root")));
    assert_true(rooms_name_is_reserved(slice_str("superuser")));
    assert_true(rooms_name_is_reserved(slice_str("admin")));
    assert_true(rooms_name_is_reserved(slice_str("administrator")));
    assert_true(rooms_name_is_reserved(slice_str("owner")));
    assert_false(rooms_name_is_reserved(slice_str("roots")));
    assert_false(rooms_name_is_reserved(slice_str("roo")));
}

static void an_account_shows_name_and_uid(void **state)
{
    struct buffer b = BUFFER_INIT;
    (void)state;

    rooms_account_put(&b, slice_str("Anna"), slice_str("u1"), false);
    assert_true(slice_eq(buffer_slice(&b),
                         slice_str("{\"displayName\":\"Anna (u1)\"}")));
    buffer_clear(&b);
    rooms_account_put(&b, slice_str("root"), slice_str("u2"), true);
    assert_true(
        slice_eq(buffer_slice(&b),
                 slice_str("{\"displayName\":\"root (u2)\",\"root\":true}")));
    buffer_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_folded_or_none),
        cmocka_unit_test(some_names_are_reserved),
        cmocka_unit_test(an_account_shows_name_and_uid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
