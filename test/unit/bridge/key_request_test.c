#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/doors/thingschat/key_request.h"

static void a_body_is_read_with_all_its_members(void **state)
{
    struct key_request k;
    (void)state;

    assert_true(key_request_read(
        &k,
        slice_str(" {\"label\":\"\\u00e4\\\"\",\"kind\":\"device\","
                  "\"user\":\"ann\",\"mount\":\"\",\"plan\":\"home\","
                  "\"expires_in\":60,\"publish\":[\"a/%u\"],"
                  "\"admin\":false} "),
        false));
    assert_string_equal(k.error, "");
    assert_true(slice_eq(k.label, slice_str("\xc3\xa4\"")));
    assert_int_equal(k.kind, SECRET_DEVICE);
    assert_true(slice_eq(k.user, slice_str("ann")));
    assert_true(k.mounted && k.mount.len == 0);
    assert_true(slice_eq(k.plan, slice_str("home")));
    assert_true(k.expires && k.expires_in_s == 60);
    assert_int_equal(k.rights.count, 1);
    key_request_release(&k);
}

static void what_is_left_out_or_null_is_the_default(void **state)
{
    static const char *const bodies[] = {
        "{}", "{\"label\":null,\"mount\":null,\"expires_in\":null,"
              "\"kind\":null,\"user\":null,\"plan\":null}"};
    struct key_request k;
    (void)state;

    for (size_t i = 0; i < 2; i++) {
        assert_true(key_request_read(&k, slice_str(bodies[i]), false));
        assert_int_equal(k.kind, SECRET_SERVER);
        assert_false(k.mounted);
        assert_false(k.expires);
        assert_int_equal(k.label.len + k.user.len + k.plan.len, 0);
        assert_int_equal(k.rights.count, 0);
        key_request_release(&k);
    }
}

static void refuses(const char *body, bool ticket, const char *part)
{
    struct key_request k;

    if (key_request_read(&k, slice_str(body), ticket))
        fail_msg("%s is accepted", body);
    if (strstr(k.error, part) == NULL)
        fail_msg("%s: %s", body, k.error);
    key_request_release(&k);
}

static void a_body_that_is_not_a_key_is_refused(void **state)
{
    (void)state;
    refuses("{\"label\":1}", false, "label: a string");
    refuses("{\"label\":\"\\ud800\"}", false, "label: a string");
    refuses("{\"label\":\"a\",\"label\":\"a\"}", false, "only once");
    refuses("{\"admin\":true,\"admin\":true}", false, "at most once");
    refuses("{\"kind\":\"ticket\"}", false, "kind:");
    refuses("{\"kind\":\"x\"}", false, "kind:");
    refuses("{\"expires_in\":0}", false, "expires_in:");
    refuses("{\"expires_in\":-1}", false, "expires_in:");
    refuses("{\"expires_in\":\"60\"}", false, "expires_in:");
    refuses("{\"expires_in\":3153600001}", false, "expires_in:");
    refuses("{\"publish\":[1]}", false, "arrays of strings");
    refuses("{\"other\":1}", false, "a key has");
}

static void a_ticket_has_rights_and_an_end_only(void **state)
{
    struct key_request k;
    (void)state;

    assert_true(key_request_read(
        &k, slice_str("{\"subscribe\":[\"#\"],\"expires_in\":9}"), true));
    assert_int_equal(k.kind, SECRET_TICKET);
    key_request_release(&k);
    refuses("{\"user\":\"ann\"}", true, "a ticket has");
    refuses("{\"plan\":\"paid\"}", true, "a ticket has");
    refuses("{\"mount\":\"a\"}", true, "a ticket has");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_is_read_with_all_its_members),
        cmocka_unit_test(what_is_left_out_or_null_is_the_default),
        cmocka_unit_test(a_body_that_is_not_a_key_is_refused),
        cmocka_unit_test(a_ticket_has_rights_and_an_end_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
