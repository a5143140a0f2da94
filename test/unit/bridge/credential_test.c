#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/doors/credential.h"

#define KEY "sk_AbCdEfGhIjKlMnOpQrStUvWxYz012345"
#define JWT "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln"

static void reads(const char *value, enum credential expected,
                  const char *secret)
{
    struct slice got = slice_str("untouched");
    const enum credential is = credential_parse(slice_str(value), &got);

    if (is != expected || !slice_eq(got, slice_str(secret)))
        fail_msg("'%s' is %d with '%.*s'", value, (int)is, (int)got.len,
                 (const char *)got.data);
}

static void bearer_with_a_key_or_jwt_is_one(void **state)
{
    (void)state;
    reads("Bearer " KEY, CREDENTIAL_KEY, KEY);
    reads("bearer " KEY, CREDENTIAL_KEY, KEY);
    reads("BEARER    " KEY, CREDENTIAL_KEY, KEY);
    reads("Bearer pk_live_AbCdEfGhIjKlMnOpQrStUvWxYz012345", CREDENTIAL_KEY,
          "pk_live_AbCdEfGhIjKlMnOpQrStUvWxYz012345");
    reads("Bearer tk_AbCdEfGhIjKlMnOpQrStUvWxYz012345", CREDENTIAL_KEY,
          "tk_AbCdEfGhIjKlMnOpQrStUvWxYz012345");
    reads("Bearer " JWT, CREDENTIAL_JWT, JWT);
    reads("Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.", CREDENTIAL_JWT,
          "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.");
}

static void everything_else_is_none(void **state)
{
    static const char *const values[] = {
        "",
        "Bearer",
        "Bearer ",
        "Bearer     ",
        "Bearer nonsense",
        "Bearer\t" KEY,
        "Bearer" KEY,
        "Bearerx " KEY,
        "Basic " KEY,
        "Basic YTpi",
        KEY,
        JWT,
        "Bearer " KEY "x",
        "Bearer " KEY " ",
        "Bearer " KEY ", Basic YTpi",
        "Bearer sk_short",
        "Bearer xx_AbCdEfGhIjKlMnOpQrStUvWxYz012345",
        "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0",
        "Bearer a.b.c",
    };
    (void)state;

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        reads(values[i], CREDENTIAL_NONE, "untouched");
}

static void asks(const char *query, bool there, const char *ticket)
{
    char text[CREDENTIAL_TICKET_MAX];
    struct slice got = slice_str("untouched");

    if (credential_ticket(slice_str(query), text, &got) != there ||
        !slice_eq(got, slice_str(ticket)))
        fail_msg("'%s' has '%.*s'", query, (int)got.len,
                 (const char *)got.data);
}

static void a_ticket_is_the_decoded_key_of_the_query(void **state)
{
    (void)state;
    asks("things=%23&key=tk_a", true, "tk_a");
    asks("key=tk%5Fa&things=a", true, "tk_a");
    asks("things=a", false, "untouched");
    asks("", false, "untouched");
    asks("key=", true, "");
    asks("key", true, "");
    asks("key=%zz", true, "");
    asks("key=123456789012345678901234567890123456789012345678901", true, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bearer_with_a_key_or_jwt_is_one),
        cmocka_unit_test(everything_else_is_none),
        cmocka_unit_test(a_ticket_is_the_decoded_key_of_the_query),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
