#include "bridge/http/query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define KNOWN "limit before since order things last_event_id|lastEventId"

static bool passes(const char *query, const char *known)
{
    struct buffer out = BUFFER_INIT;
    const bool ok = query_check(slice_str(query), known, &out);

    assert_int_equal(ok, out.len == 0);
    buffer_release(&out);
    return ok;
}

static void says(const char *query, const char *known, const char *text)
{
    struct buffer out = BUFFER_INIT;

    assert_false(query_check(slice_str(query), known, &out));
    if (!slice_eq(buffer_slice(&out), slice_str(text)))
        fail_msg("%s: %.*s", query, (int)out.len, out.data);
    buffer_release(&out);
}

static void what_the_path_knows_passes(void **state)
{
    static const char *const good[] = {"",
                                       "&",
                                       "&&limit=1&",
                                       "limit=1&before=2",
                                       "limit",
                                       "limit=",
                                       "l%69mit=1",
                                       "last_event_id=1&lastEventId=2",
                                       "_=1700000000",
                                       "_=1&_=2&__cache",
                                       "things=a&limit=3&order=asc"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (!passes(good[i], KNOWN))
            fail_msg("refused: %s", good[i]);
    assert_true(passes("utm_source=x&x&x", NULL)); /* anything goes */
}

static void what_it_does_not_know_is_named_and_what_was_meant(void **state)
{
    (void)state;
    says("lim=3", "limit order",
         "lim: unknown query parameter; did you mean limit? this path takes "
         "limit, order");
    says("limit=1&foo=2", "limit",
         "foo: unknown query parameter; this path takes limit");
    says("plan=paid", "",
         "plan: unknown query parameter; this path takes none");
    says("LAST-EVENT-ID=3", "last_event_id|lastEventId things",
         "LAST-EVENT-ID: unknown query parameter; did you mean last_event_id? "
         "this path takes last_event_id, things");
    says("%zz=1", "limit",
         "%zz: unknown query parameter; this path takes "
         "limit");
}

static void the_same_twice_is_refused(void **state)
{
    (void)state;
    says("limit=1&limit=2", KNOWN, "limit: given twice; send it once");
    says("limit=1&l%69mit=1", KNOWN, "limit: given twice; send it once");
    says("things=a&things=b", KNOWN,
         "things: given twice; send it once, with commas between the filters: "
         "things=a,b");
}

static void the_nearest_name_is_found(void **state)
{
    static const struct {
        const char *name, *meant;
    } cases[] = {
        {"lim", "limit"},
        {"limits", "limit"},
        {"Limit", "limit"},
        {"limti", "limit"},
        {"thing", "things"},
        {"oder", "order"},
        {"befor", "before"},
        {"Since", "since"},
        {"last-event-id", "last_event_id"},
        {"lastEventId", "last_event_id"},
        {"lasteventid", "last_event_id"},
        {"foo", ""},
        {"", ""},
        {"x", ""},
        {"l", ""},
        {"idempotency", ""},
        {"li", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct slice s = query_nearest(slice_str(cases[i].name), KNOWN);
        if (!slice_eq(s, slice_str(cases[i].meant)))
            fail_msg("%s: %.*s", cases[i].name, (int)s.len,
                     s.len > 0 ? (const char *)s.data : "");
    }
}

static void names_of_any_length_are_cut_not_overrun(void **state)
{
    char query[9000];
    struct buffer out = BUFFER_INIT;

    (void)state;
    memset(query, 'n', sizeof(query));
    assert_false(query_check(slice_of(query, sizeof(query)), KNOWN, &out));
    assert_true(out.len < 200);
    buffer_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_path_knows_passes),
        cmocka_unit_test(what_it_does_not_know_is_named_and_what_was_meant),
        cmocka_unit_test(the_same_twice_is_refused),
        cmocka_unit_test(the_nearest_name_is_found),
        cmocka_unit_test(names_of_any_length_are_cut_not_overrun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
