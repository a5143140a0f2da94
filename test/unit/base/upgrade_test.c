#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/net/upgrade.h"

static void the_accept_key_is_that_of_rfc_6455(void **state)
{
    char accept[UPGRADE_ACCEPT_SIZE];
    (void)state;

    assert_true(upgrade_accept(slice_str("dGhlIHNhbXBsZSBub25jZQ=="), accept));
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_false(upgrade_accept(slice_str("short"), accept));
}

static void a_key_is_sixteen_bytes_in_base64(void **state)
{
    (void)state;
    assert_true(upgrade_key_valid(slice_str("dGhlIHNhbXBsZSBub25jZQ==")));
    assert_false(upgrade_key_valid(slice_str("")));
    assert_false(upgrade_key_valid(slice_str("dGhlIHNhbXBsZSBub25jZQ=")));
    assert_false(upgrade_key_valid(slice_str("dGhlIHNhbXBsZSBub25jZSE=")));
    assert_false(upgrade_key_valid(slice_str("dGhlIHNhbXBsZSBub25j!Q==")));
    assert_false(upgrade_key_valid(slice_str("dGhlIHNhbXBsZSBub25j\xafQ==")));
    assert_false(
        upgrade_key_valid(slice_str("dGhlIHNhbXBsZSBub25jZSEhISEhISEh")));
}

static void a_word_is_found_in_a_list(void **state)
{
    (void)state;
    assert_true(upgrade_lists(slice_str("Upgrade"), "upgrade", true));
    assert_true(
        upgrade_lists(slice_str("keep-alive, Upgrade"), "upgrade", true));
    assert_true(upgrade_lists(slice_str(" a ,\tmqtt,b"), "mqtt", false));
    assert_false(upgrade_lists(slice_str("MQTT"), "mqtt", false));
    assert_false(upgrade_lists(slice_str("mqttv3.1"), "mqtt", false));
    assert_false(upgrade_lists(slice_str("mq tt"), "mqtt", false));
    assert_false(upgrade_lists(slice_str(""), "mqtt", false));
    assert_false(upgrade_lists(slice_str(",, ,"), "mqtt", false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_accept_key_is_that_of_rfc_6455),
        cmocka_unit_test(a_key_is_sixteen_bytes_in_base64),
        cmocka_unit_test(a_word_is_found_in_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
