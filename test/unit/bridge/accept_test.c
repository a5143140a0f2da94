#include "bridge/http/accept.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char *const types[] = {"application/json", "application/x-ndjson",
                                    "text/csv"};

static size_t best(const char *accept)
{
    return accept_best(slice_str(accept), types, 3);
}

static void the_type_the_client_likes_best_is_taken(void **state)
{
    (void)state;
    assert_int_equal(best("text/csv"), 2);
    assert_int_equal(best("Application/X-NDJSON"), 1);
    assert_int_equal(best("text/csv;q=0.5, application/x-ndjson;q=0.6"), 1);
    assert_int_equal(best("text/csv , application/json;q=0.9"), 2);
    assert_int_equal(best("text/*"), 2);
    assert_int_equal(best("text/html, */*;q=0.1"), 0);
    assert_int_equal(best("application/json;q=0, text/csv;q=0.001"), 2);
    assert_int_equal(best("application/json;q=0, */*"), 1);
    assert_int_equal(best("text/csv; header=present; q=0.3"), 2);
}

static void without_a_choice_the_default_is_taken(void **state)
{
    (void)state;
    assert_int_equal(best(""), 0);
    assert_int_equal(best("*/*"), 0);
    assert_int_equal(best("image/png"), 0);
    assert_int_equal(best(",,;q=1,"), 0);
}

static void java_writes_ranges_and_qualities_its_own_way(void **state)
{
    (void)state;
    assert_int_equal(best("text/csv;q=.2, application/x-ndjson;q=.3"), 1);
    assert_int_equal(best("text/html, image/gif, *; q=.2, */*; q=.2"), 0);
}

static void a_type_is_allowed_by_itself_or_a_range(void **state)
{
    static const char *const allowing[] = {"",
                                           "  ",
                                           "*/*",
                                           "*",
                                           "text/event-stream",
                                           "text/*",
                                           "TEXT/Event-Stream; charset=utf-8",
                                           "text/html, */*;q=0.1"};
    static const char *const refusing[] = {
        "application/json",      "text/html",
        "text/event-stream;q=0", "text/event-stream;q=0, */*",
        "text/eventstream",      "nonsense"};

    (void)state;
    for (size_t i = 0; i < sizeof(allowing) / sizeof(allowing[0]); i++)
        assert_true(
            accept_allows(slice_str(allowing[i]), "text/event-stream"));
    for (size_t i = 0; i < sizeof(refusing) / sizeof(refusing[0]); i++)
        assert_false(
            accept_allows(slice_str(refusing[i]), "text/event-stream"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_type_the_client_likes_best_is_taken),
        cmocka_unit_test(without_a_choice_the_default_is_taken),
        cmocka_unit_test(java_writes_ranges_and_qualities_its_own_way),
        cmocka_unit_test(a_type_is_allowed_by_itself_or_a_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
