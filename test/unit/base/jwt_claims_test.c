#include "base/jwt_claims.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define TEN "0123456789"
#define SIXTY TEN TEN TEN TEN TEN TEN

static struct jwt_claims claims;
static enum right_error right;

static enum jwt_claim_error read_json(const char *json)
{
    right = RIGHT_OK;
    return jwt_claims_read(slice_str(json), slice_str("confab"), &claims,
                           &right);
}

static void all_claims_are_read(void **state)
{
    (void)state;
    assert_int_equal(
        read_json(
            "{\"sub\":\"ann\",\"exp\":1800003600,\"nbf\":1799999995.5,"
            "\"iat\":1799999990,\"tenant\":\"acme\",\"confab\":{\"publish\":"
            "[\"users/%u/#\"],\"subscribe\":[\"#\"],\"manage\":[],"
            "\"admin\":false,\"mount\":\"home/%c\"},\"iss\":{\"any\":[1]}}"),
        JWT_CLAIM_OK);
    assert_string_equal(claims.subject, "ann");
    assert_string_equal(claims.tenant, "acme");
    assert_int_equal(claims.expires_us, INT64_C(1800003600000000));
    assert_int_equal(claims.not_before_us, INT64_C(1799999995000000));
    assert_int_equal(claims.issued_us, INT64_C(1799999990000000));
    assert_int_equal(claims.audience, JWT_FOR_ANYBODY);
    assert_true(claims.has_rights);
    assert_true(claims.has_mount);
    assert_string_equal(claims.mount, "home/%c");
    struct rights *r = rights_new(&claims.rights);
    assert_int_equal(r->count, 2);
    assert_int_equal(r->list[0].action, CALLER_PUBLISH);
    assert_string_equal(r->list[0].filter, "users/%u/#");
    assert_int_equal(r->list[1].action, CALLER_SUBSCRIBE);
    free(r);
}

static void what_is_not_said_is_not_there(void **state)
{
    (void)state;
    assert_int_equal(read_json(" {} "), JWT_CLAIM_OK);
    assert_string_equal(claims.subject, "");
    assert_string_equal(claims.tenant, "");
    assert_int_equal(claims.expires_us, INT64_MAX);
    assert_int_equal(claims.not_before_us, 0);
    assert_int_equal(claims.issued_us, 0);
    assert_false(claims.has_rights);
    assert_false(claims.has_mount);
    assert_int_equal(claims.rights.count, 0);

    assert_int_equal(read_json("{\"confab\":{}}"), JWT_CLAIM_OK);
    assert_false(claims.has_rights);
    assert_int_equal(read_json("{\"confab\":{\"mount\":\"\"}}"), JWT_CLAIM_OK);
    assert_false(claims.has_rights);
    assert_true(claims.has_mount);
    assert_string_equal(claims.mount, "");
    /* No rights at all is something else than nothing about rights. */
    assert_int_equal(read_json("{\"confab\":{\"publish\":[]}}"), JWT_CLAIM_OK);
    assert_true(claims.has_rights);
    assert_int_equal(claims.rights.count, 0);
}

static void the_audience_is_compared(void **state)
{
    static const struct {
        const char *json;
        enum jwt_audience audience;
    } rows[] = {
        {"{\"aud\":\"confab\"}", JWT_FOR_US},
        {"{\"aud\":\"c\\u006fnfab\"}", JWT_FOR_US},
        {"{\"aud\":[\"a\",\"confab\"]}", JWT_FOR_US},
        {"{\"aud\":\"other\"}", JWT_FOR_OTHERS},
        {"{\"aud\":\"Confab\"}", JWT_FOR_OTHERS},
        {"{\"aud\":\"\"}", JWT_FOR_OTHERS},
        {"{\"aud\":[]}", JWT_FOR_OTHERS},
        {"{\"aud\":[\"a\",\"confabs\"]}", JWT_FOR_OTHERS},
        {"{}", JWT_FOR_ANYBODY},
    };
    (void)state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(read_json(rows[i].json), JWT_CLAIM_OK);
        if (claims.audience != rows[i].audience)
            fail_msg("%s", rows[i].json);
    }
    assert_int_equal(jwt_claims_read(slice_str("{\"aud\":\"\"}"),
                                     slice_of(NULL, 0), &claims, &right),
                     JWT_CLAIM_OK);
    assert_int_equal(claims.audience, JWT_FOR_OTHERS);
}

static void claims_that_are_not_in_order_are_refused(void **state)
{
    static const struct {
        const char *json;
        enum jwt_claim_error error;
    } rows[] = {
        {"", JWT_CLAIM_JSON},
        {"[]", JWT_CLAIM_JSON},
        {"{\"sub\":\"a\xe2\x80\x8bnn\"}", JWT_CLAIM_SUBJECT},
        {"{\"sub\":\"a\\u202enn\"}", JWT_CLAIM_SUBJECT},
        {"\"sub\"", JWT_CLAIM_JSON},
        {"null", JWT_CLAIM_JSON},
        {"{\"sub\":\"ann\"", JWT_CLAIM_JSON},
        {"{\"sub\":\"ann\"}{}", JWT_CLAIM_JSON},
        {"\xef\xbb\xbf{\"sub\":\"ann\"}", JWT_CLAIM_JSON},
        {"{\"sub\":\"ann\",}", JWT_CLAIM_JSON},
        {"{'sub':'ann'}", JWT_CLAIM_JSON},
        {"{\"sub\":\"a\xff\"}", JWT_CLAIM_JSON},
        {"{\"x\":NaN}", JWT_CLAIM_JSON},
        /* twice, of whatever claim, in whatever spelling */
        {"{\"sub\":\"ann\",\"sub\":\"root\"}", JWT_CLAIM_JSON},
        {"{\"sub\":\"ann\",\"sub\":\"ann\"}", JWT_CLAIM_JSON},
        {"{\"sub\":\"ann\",\"\\u0073ub\":\"root\"}", JWT_CLAIM_JSON},
        {"{\"exp\":1,\"x\":[1,{}],\"exp\":99999999999}", JWT_CLAIM_JSON},
        {"{\"x\":1,\"x\":2}", JWT_CLAIM_JSON},
        {"{\"\":1,\"\":2}", JWT_CLAIM_JSON},
        {"{\"\\ud800\":1}", JWT_CLAIM_JSON},
        /* times */
        {"{\"exp\":\"1800003600\"}", JWT_CLAIM_TIME},
        {"{\"exp\":-1}", JWT_CLAIM_TIME},
        {"{\"exp\":1e10}", JWT_CLAIM_TIME},
        {"{\"exp\":1.5e10}", JWT_CLAIM_TIME},
        {"{\"exp\":null}", JWT_CLAIM_TIME},
        {"{\"exp\":true}", JWT_CLAIM_TIME},
        {"{\"exp\":[1800003600]}", JWT_CLAIM_TIME},
        {"{\"exp\":{}}", JWT_CLAIM_TIME},
        {"{\"exp\":1800003600000}", JWT_CLAIM_TIME},
        {"{\"exp\":253402300800}", JWT_CLAIM_TIME},
        {"{\"exp\":18446744073709551617}", JWT_CLAIM_TIME},
        {"{\"nbf\":\"soon\"}", JWT_CLAIM_TIME},
        {"{\"nbf\":\"1.5\"}", JWT_CLAIM_TIME},
        {"{\"iat\":false}", JWT_CLAIM_TIME},
        /* the subject */
        {"{\"sub\":1}", JWT_CLAIM_SUBJECT},
        {"{\"sub\":null}", JWT_CLAIM_SUBJECT},
        {"{\"sub\":[\"ann\"]}", JWT_CLAIM_SUBJECT},
        {"{\"sub\":{\"sub\":\"ann\"}}", JWT_CLAIM_SUBJECT},
        {"{\"sub\":\"\"}", JWT_CLAIM_SUBJECT},
        {"{\"sub\":\"a\\u0000b\"}", JWT_CLAIM_SUBJECT},
        {"{\"sub\":\"a\\nb\"}", JWT_CLAIM_SUBJECT},
        {"{\"sub\":\"a\\u009f\"}", JWT_CLAIM_SUBJECT},
        {"{\"sub\":\"\\udc00\"}", JWT_CLAIM_SUBJECT},
        {"{\"sub\":\"" SIXTY SIXTY "012345678\"}", JWT_CLAIM_SUBJECT},
        {"{\"\\u0073ub\":7}", JWT_CLAIM_SUBJECT},
        /* the audience */
        {"{\"aud\":1}", JWT_CLAIM_AUDIENCE},
        {"{\"aud\":null}", JWT_CLAIM_AUDIENCE},
        {"{\"aud\":{\"confab\":1}}", JWT_CLAIM_AUDIENCE},
        {"{\"aud\":[\"confab\",1]}", JWT_CLAIM_AUDIENCE},
        /* the tenant */
        {"{\"tenant\":1}", JWT_CLAIM_TENANT},
        {"{\"tenant\":\"\"}", JWT_CLAIM_TENANT},
        {"{\"tenant\":\"a/b\"}", JWT_CLAIM_TENANT},
        {"{\"tenant\":\"#\"}", JWT_CLAIM_TENANT},
        {"{\"tenant\":\"a\\u0000\"}", JWT_CLAIM_TENANT},
        {"{\"tenant\":\"" SIXTY "01234\"}", JWT_CLAIM_TENANT},
        /* ours */
        {"{\"confab\":true}", JWT_CLAIM_MEMBER},
        {"{\"confab\":[]}", JWT_CLAIM_MEMBER},
        {"{\"confab\":\"{}\"}", JWT_CLAIM_MEMBER},
        {"{\"confab\":{\"write\":[]}}", JWT_CLAIM_MEMBER},
        {"{\"confab\":{\"admin\":false,\"admin\":true}}", JWT_CLAIM_MEMBER},
        {"{\"confab\":{\"mount\":\"a\",\"\\u006dount\":\"b\"}}",
         JWT_CLAIM_MEMBER},
        {"{\"confab\":{\"mount\":null}}", JWT_CLAIM_MOUNT},
        {"{\"confab\":{\"mount\":[\"a\"]}}", JWT_CLAIM_MOUNT},
        {"{\"confab\":{\"mount\":\"a/#\"}}", JWT_CLAIM_MOUNT},
        {"{\"confab\":{\"mount\":\"../$SYS\\u0000\"}}", JWT_CLAIM_MOUNT},
        {"{\"confab\":{\"mount\":\"/\"}}", JWT_CLAIM_MOUNT},
        {"{\"confab\":{\"publish\":\"#\"}}", JWT_CLAIM_RIGHTS},
        {"{\"confab\":{\"publish\":[[\"#\"]]}}", JWT_CLAIM_RIGHTS},
        {"{\"confab\":{\"admin\":1}}", JWT_CLAIM_RIGHTS},
    };
    (void)state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        const enum jwt_claim_error error = read_json(rows[i].json);
        if (error != rows[i].error)
            fail_msg("%s: %s", rows[i].json, jwt_claim_error_text(error));
        if (error == JWT_CLAIM_RIGHTS)
            assert_int_not_equal(right, RIGHT_OK);
    }
}

static void the_longest_names_are_taken(void **state)
{
    (void)state;
    assert_int_equal(read_json("{\"sub\":\"" SIXTY SIXTY "01234567\"}"),
                     JWT_CLAIM_OK);
    assert_int_equal(strlen(claims.subject), JWT_SUBJECT_MAX);
    assert_int_equal(read_json("{\"tenant\":\"" SIXTY "0123\"}"),
                     JWT_CLAIM_OK);
    assert_int_equal(strlen(claims.tenant), TOKEN_MAX);
    assert_int_equal(read_json("{\"exp\":253402300799.999,\"nbf\":0}"),
                     JWT_CLAIM_OK);
    assert_int_equal(claims.expires_us, INT64_C(253402300799000000));
    assert_int_equal(read_json("{\"exp\":0}"), JWT_CLAIM_OK);
    assert_int_equal(claims.expires_us, 0);
}

static void an_object_has_64_members_and_a_depth(void **state)
{
    struct buffer b = BUFFER_INIT;
    (void)state;

    for (unsigned count = 64; count <= 65; count++) {
        buffer_clear(&b);
        for (unsigned i = 0; i < count; i++)
            buffer_printf(&b, "%c\"n%u\":%u", i == 0 ? '{' : ',', i, i);
        buffer_put_char(&b, '}');
        assert_int_equal(jwt_object_valid(buffer_slice(&b)), count == 64);
    }
    buffer_clear(&b);
    buffer_put_str(&b, "{\"x\":");
    for (unsigned i = 0; i < 3000; i++)
        buffer_put_char(&b, '[');
    for (unsigned i = 0; i < 3000; i++)
        buffer_put_char(&b, ']');
    buffer_put_char(&b, '}');
    assert_false(jwt_object_valid(buffer_slice(&b)));
    buffer_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_claims_are_read),
        cmocka_unit_test(what_is_not_said_is_not_there),
        cmocka_unit_test(the_audience_is_compared),
        cmocka_unit_test(claims_that_are_not_in_order_are_refused),
        cmocka_unit_test(the_longest_names_are_taken),
        cmocka_unit_test(an_object_has_64_members_and_a_depth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
