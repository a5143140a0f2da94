#include "bridge/outgoing/signature.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

/* Expected values are of
 *   printf '1800000000.{"id":1}' | openssl dgst -sha256 -hmac secret */
#define T 1800000000
#define BODY slice_str("{\"id\":1}")
#define WITH_SECRET                                                           \
    "13f5f3ceb661492ea4336cee7f302a6e4270648ee00192c9d783c5e2b1fba7be"
#define WITH_OLD                                                              \
    "5be41a3e28efccdf7e3a275d71e016342baf92ba88ae267e12193374d25eb8e1"
#define WITH_LONG                                                             \
    "c34a970149cfcd53f68baf61982a8b8c344b073d55e0d3cc7fd01316e8865f20"
#define OF_NOTHING                                                            \
    "6b4a4b8b3c40f1e8f53a3d36682e5f99f7ad2ac1df1c93dfe336f329167641e7"

static void check(const struct slice *secrets, size_t count, int64_t time_s,
                  struct slice body, const char *expected)
{
    struct buffer out = BUFFER_INIT;

    signature_put(&out, secrets, count, time_s, body);
    buffer_put_char(&out, '\0');
    assert_true(buffer_ok(&out));
    assert_string_equal(out.data, expected);
    buffer_release(&out);
}

static void one_secret_makes_one_signature(void **state)
{
    const struct slice secret = slice_str("secret");

    (void)state;
    check(&secret, 1, T, BODY, "t=1800000000,v1=" WITH_SECRET);
}

static void two_secrets_make_two_the_newest_first(void **state)
{
    const struct slice secrets[] = {slice_str("secret"),
                                    slice_str("whsec_old")};

    (void)state;
    check(secrets, 2, T, BODY, "t=1800000000,v1=" WITH_SECRET ",v1=" WITH_OLD);
}

/* Longer than SHA-256's block: HMAC hashes it first. */
static void secrets_may_be_long(void **state)
{
    char text[100];
    struct slice secret;

    (void)state;
    memset(text, 'a', sizeof(text));
    secret = slice_of(text, sizeof(text));
    check(&secret, 1, T, BODY, "t=1800000000,v1=" WITH_LONG);
}

static void bodies_may_be_empty(void **state)
{
    const struct slice secret = slice_str("k");

    (void)state;
    check(&secret, 1, 0, slice_of(NULL, 0), "t=0,v1=" OF_NOTHING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_secret_makes_one_signature),
        cmocka_unit_test(two_secrets_make_two_the_newest_first),
        cmocka_unit_test(secrets_may_be_long),
        cmocka_unit_test(bodies_may_be_empty),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
