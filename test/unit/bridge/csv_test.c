#include "bridge/doors/thingschat/csv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void becomes(const char *text, const char *field)
{
    struct buffer b = BUFFER_INIT;

    csv_put_field(&b, slice_str(text));
    if (!slice_eq(buffer_slice(&b), slice_str(field)))
        fail_msg("%s: %.*s", text, (int)b.len, b.data);
    buffer_release(&b);
}

static void fields_are_quoted_as_rfc_4180_says(void **state)
{
    (void)state;
    becomes("", "\"\"");
    becomes("kitchen/temp", "\"kitchen/temp\"");
    becomes("{\"a\":1}", "\"{\"\"a\"\":1}\"");
    becomes("\"", "\"\"\"\"");
    becomes("a,b\r\nc", "\"a,b\r\nc\"");
}

static void what_a_spreadsheet_would_run_is_text(void **state)
{
    static const char *const formulas[] = {"=1+1",
                                           "+1+1",
                                           "-1+1",
                                           "@SUM(A1)",
                                           "\t=1",
                                           "\r=1",
                                           "\n=1",
                                           " =1+1",
                                           "  -2+3",
                                           "=HYPERLINK(1)",
                                           "-",
                                           "+",
                                           "=",
                                           "--1",
                                           "-1-1",
                                           "-.",
                                           "-e5",
                                           "-1e",
                                           "+491234",
                                           "\xef\xbc\x9d"
                                           "1",
                                           "\xef\xbc\x8b"
                                           "1",
                                           "\xef\xbc\x8d"
                                           "1",
                                           "\xef\xbc\xa0"
                                           "A1"};
    char field[64];

    (void)state;
    for (size_t i = 0; i < sizeof(formulas) / sizeof(formulas[0]); i++) {
        snprintf(field, sizeof(field), "\"'%s\"", formulas[i]);
        becomes(formulas[i], field);
    }
}

static void numbers_stay_numbers(void **state)
{
    static const char *const numbers[] = {"-3.5",  "-3",     "-0",    "-3.5e2",
                                          "-3E+2", "-1e-10", " -3.5", "-.5",
                                          "21.5",  "0"};
    char field[64];

    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        snprintf(field, sizeof(field), "\"%s\"", numbers[i]);
        becomes(numbers[i], field);
    }
}

static void one_quote_taken_away_gives_back_the_field(void **state)
{
    (void)state;
    becomes("'=1", "\"''=1\"");
    becomes("'quoted'", "\"''quoted'\"");
    becomes("it's", "\"it's\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_quoted_as_rfc_4180_says),
        cmocka_unit_test(what_a_spreadsheet_would_run_is_text),
        cmocka_unit_test(numbers_stay_numbers),
        cmocka_unit_test(one_quote_taken_away_gives_back_the_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
