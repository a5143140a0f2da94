#include "base/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define RANDOM_32 "AAAAaaaa0000____----zzzzZZZZ9999"

static void a_secret_made_is_parsed_as_its_kind(void **state)
{
    static const char *const prefixes[SECRET_KIND_COUNT] = {
        "sk_", "pk_live_", "pk_test_", "dk_", "ag_", "tk_"};
    (void)state;

    for (unsigned kind = 0; kind < SECRET_KIND_COUNT; kind++) {
        char one[SECRET_SIZE], other[SECRET_SIZE];
        enum secret_kind parsed = SECRET_KIND_COUNT;

        secret_make((enum secret_kind)kind, one);
        secret_make((enum secret_kind)kind, other);
        assert_memory_equal(one, prefixes[kind], strlen(prefixes[kind]));
        assert_int_equal(strlen(one), strlen(prefixes[kind]) + 32);
        assert_string_not_equal(one, other);
        assert_true(secret_parse(slice_str(one), &parsed));
        assert_int_equal(parsed, kind);
    }
}

static void kinds_have_words(void **state)
{
    enum secret_kind kind = SECRET_TICKET;
    (void)state;

    for (unsigned i = 0; i < SECRET_KIND_COUNT; i++) {
        const char *word = secret_kind_word((enum secret_kind)i);
        assert_true(secret_kind_of_word(slice_str(word), &kind));
        assert_int_equal(kind, i);
    }
    assert_false(secret_kind_of_word(slice_str("sk"), &kind));
    assert_false(secret_kind_of_word(slice_str(""), &kind));
}

static void what_is_not_shaped_like_a_secret_is_none(void **state)
{
    static const char *const bad[] = {
        "",
        "sk_",
        "sk",
        "sk_" RANDOM_32 "A",
        "sk_AAA",
        "SK_" RANDOM_32,
        "sk-" RANDOM_32,
        "xk_" RANDOM_32,
        "pk_" RANDOM_32,
        "pk_live" RANDOM_32,
        "pk_prod_" RANDOM_32,
        " sk_" RANDOM_32,
        "sk_AAAAaaaa0000____----zzzzZZZZ999+",
        "sk_AAAAaaaa0000____----zzzzZZZZ999=",
        "sk_AAAAaaaa0000____----zzzzZZZZ99\xc3\xa9",
        RANDOM_32,
    };
    enum secret_kind kind = SECRET_AGENT;
    (void)state;

    for (size_t i = 0; i < COUNT(bad); i++)
        if (secret_parse(slice_str(bad[i]), &kind))
            fail_msg("%s", bad[i]);
    assert_false(secret_parse(slice_of(NULL, 0), &kind));
    assert_false(secret_parse(
        slice_of("sk_AAAAaaaa0000____----zzzzZZZZ999\0", 35), &kind));
    assert_int_equal(kind, SECRET_AGENT);
    assert_true(secret_parse(slice_str("sk_" RANDOM_32), &kind));
    assert_true(secret_parse(slice_str("pk_test_" RANDOM_32), &kind));
}

static void a_jwt_is_recognised_by_its_shape(void **state)
{
    static const char *const good[] = {
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln",
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.", /* none: refused as a JWT */
        "eyAiYWxnIjoiSFMyNTYifQ.eyB9.-_",       /* with white space */
        "ewogImFsZyI6IkhTMjU2In0.e30.AA",       /* pretty-printed */
    };
    static const char *const bad[] = {
        "",
        "e",
        "ey",
        "eyJh",
        "eyJh.",
        "eyJh.eyJz",
        "eyJh..c2ln",
        ".eyJz.c2ln",
        "eyJh.eyJz.c2ln.",
        "eyJh.eyJz.c2ln.key.tag", /* a JWE has five parts */
        "eyJh.eyJz.c2l=",
        "eyJh.eyJz.c2ln ",
        "eyJh.ey+z.c2ln",
        "abc.def.ghi",
        ("sk_" RANDOM_32),
    };
    (void)state;

    for (size_t i = 0; i < COUNT(good); i++)
        if (!secret_is_like_jwt(slice_str(good[i])))
            fail_msg("%s", good[i]);
    for (size_t i = 0; i < COUNT(bad); i++)
        if (secret_is_like_jwt(slice_str(bad[i])))
            fail_msg("%s", bad[i]);
    assert_false(secret_is_like_jwt(slice_of(NULL, 0)));
}

/* From Python's hashlib.blake2b(secret, digest_size=32) and base64.b64encode(),
 * so that stores stay readable whatever becomes of the code. */
static void hash_and_id_of_a_secret_never_change(void **state)
{
    static const unsigned char expected[SECRET_HASH_BYTES] = {
        0x12, 0x39, 0x33, 0x58, 0x28, 0xf5, 0x12, 0xa6, 0x01, 0xf6, 0x32,
        0xe3, 0xe7, 0xe7, 0x9c, 0xce, 0x71, 0x19, 0x66, 0x7d, 0x24, 0xa2,
        0x33, 0xdf, 0x0a, 0x94, 0xdd, 0xe8, 0x26, 0xe7, 0x97, 0xf3};
    unsigned char hash[SECRET_HASH_BYTES], begin[KEY_ID_HASH_BYTES];
    char id[KEY_ID_SIZE];
    (void)state;

    secret_hash(slice_str("sk_" RANDOM_32), hash);
    assert_memory_equal(hash, expected, sizeof(hash));
    key_id_make(hash, id);
    assert_string_equal(id, "key_EjkzWCj1EqYB");
    assert_true(key_id_parse(slice_str(id), begin));
    assert_memory_equal(begin, hash, sizeof(begin));
}

static void what_is_no_key_id_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "key_",
        "key_AAAAaaaa000",
        "key_AAAAaaaa0000A",
        "key_AAAAaaaa000=",
        "key_AAAAaaaa00+/",
        ("key_AA\xaf\x41\x61\x61\x61\x61\x61"
         "000"), /* libsodium takes it for base64 */
        "Key_AAAAaaaa0000",
        "sk_AAAAaaaa00000",
    };
    unsigned char begin[KEY_ID_HASH_BYTES] = {7},
                  before[KEY_ID_HASH_BYTES] = {7};
    (void)state;

    for (size_t i = 0; i < COUNT(bad); i++)
        if (key_id_parse(slice_str(bad[i]), begin))
            fail_msg("%s", bad[i]);
    assert_memory_equal(begin, before, sizeof(begin));
    assert_true(key_id_parse(slice_str("key_AAAAaaaa00-_"), begin));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_made_is_parsed_as_its_kind),
        cmocka_unit_test(kinds_have_words),
        cmocka_unit_test(what_is_not_shaped_like_a_secret_is_none),
        cmocka_unit_test(a_jwt_is_recognised_by_its_shape),
        cmocka_unit_test(hash_and_id_of_a_secret_never_change),
        cmocka_unit_test(what_is_no_key_id_is_refused),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
