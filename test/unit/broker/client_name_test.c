#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/client/client_name.h"

#define TOKEN "ABCDefghIJKLmnopQRSTuvwx"
#define DOTS "\xe2\x80\xa6"

static void a_token_in_a_client_id_is_shortened(void **state)
{
    static const struct {
        const char *token, *id, *shown;
    } rows[] = {
        {TOKEN, "sensor-1", "sensor-1"},
        {TOKEN, TOKEN, "ABCD" DOTS},
        {TOKEN, "dev-" TOKEN "-1", "dev-ABCD" DOTS "-1"},
        {TOKEN, TOKEN TOKEN "x" TOKEN, "ABCD" DOTS "ABCD" DOTS "xABCD" DOTS},
        {TOKEN, "dev-ABCDefghIJKLmnop", "dev-ABCD" DOTS},
        {TOKEN, "dev-ABCDe", "dev-ABCD" DOTS},
        {TOKEN, "dev-ABCD", "dev-ABCD"},
        {TOKEN, "abcdefgh", "abcdefgh"},
        {TOKEN, "", ""},
        {"demo", "demo-lamp", "d" DOTS "-lamp"},
        {"", "sensor-1", "sensor-1"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buffer b = BUFFER_INIT;
        client_name_put(&b, slice_str(rows[i].id), slice_str(rows[i].token));
        buffer_put_char(&b, '\0');
        assert_string_equal(b.data, rows[i].shown);
        buffer_release(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_in_a_client_id_is_shortened),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
