#include "base/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct config config;
static struct config_error error;

static int fresh(void **state)
{
    (void)state;
    config_defaults(&config);
    error.text[0] = '\0';
    return 0;
}

static bool read_text(const char *text)
{
    char path[] = "/tmp/confab-config-test-XXXXXX";
    const int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    const bool ok = config_read_file(&config, path, &error);
    unlink(path);
    return ok;
}

static void check_error(const char *part)
{
    if (strstr(error.text, part) == NULL)
        fail_msg("'%s' does not say '%s'", error.text, part);
}

static void the_defaults_are_the_documented_ones(void **state)
{
    (void)state;
    assert_true(config_finish(&config, &error));
    assert_string_equal(config.http_listen, "127.0.0.1:8080");
    assert_string_equal(config.mqtt_listen, "127.0.0.1:1883");
    assert_int_equal(config.tokens_access, ACCESS_OPEN);
    const struct plan *free_plan = config_plan(&config, slice_str("free"));
    assert_int_equal(free_plan->writes_per_hour, 100);
    assert_int_equal(free_plan->reads_per_hour, 60);
    assert_int_equal(free_plan->payload_max, 10240);
    assert_int_equal(free_plan->idle_timeout, 180);
    assert_int_equal(free_plan->retry_ms, 60000);
    assert_int_equal(free_plan->keepalive, 0);
    const struct plan *paid = config_plan(&config, slice_str("paid"));
    assert_int_equal(paid->writes_per_hour, 0);
    assert_int_equal(paid->keepalive, 20);
    assert_int_equal(paid->retry_ms, 0);
    const struct plan *local = config_plan(&config, slice_str("local"));
    assert_int_equal(local->payload_max, 1048576);
    assert_int_equal(local->retry_ms, 3000);
    assert_int_equal(local->keepalive, 15);
    const struct plan *home = config_plan(&config, slice_str("home"));
    assert_int_equal(home->writes_per_hour, 0);
    assert_int_equal(home->reads_per_hour, 0);
    assert_int_equal(home->payload_max, 1048576);
    assert_null(config_plan(&config, slice_str("nope")));
}

static void operators_make_home_tokens_and_the_public_free_ones(void **state)
{
    (void)state;
    assert_true(config_finish(&config, &error));
    assert_string_equal(config.tokens_default_plan, "free");
    assert_string_equal(config.tokens_operator_plan, "home");
    config_set(&config, "tokens.operator_plan=none", &error);
    assert_false(config_finish(&config, &error));
    check_error("-s: tokens.operator_plan");
}

static void a_default_plan_that_was_set_is_for_all_tokens(void **state)
{
    (void)state;
    assert_true(config_set(&config, "tokens.default_plan=paid", &error));
    assert_true(config_finish(&config, &error));
    assert_string_equal(config.tokens_operator_plan, "paid");
    assert_true(config_set(&config, "tokens.operator_plan=home", &error));
    assert_true(config_finish(&config, &error));
    assert_string_equal(config.tokens_default_plan, "paid");
    assert_string_equal(config.tokens_operator_plan, "home");
}

static void sizes_and_times_may_have_a_unit(void **state)
{
    static const char *const bad[] = {
        "outgoing.allow=localhost",
        "outgoing.allow=10.0.0.0/33",
        "outgoing.concurrent=0",
        "webhooks.attempts=0",
        "webhooks.retry_first=0",
        "webhooks.retry_max=604801",
        "webhooks.timeout=601",
        "door:thingschat.prefix=iot",
        "door:thingschat.prefix=/",
        "door:thingschat.prefix=/iot/",
        "door:thingschat.prefix=/a//b",
        "door:thingschat.prefix=/a/..",
        "door:thingschat.prefix=/a%20b",
        "door:thingschat.enabled=on",
        "door:nobody.enabled=no",
        "store.map_size=64g",
        "store.map_size=64 G",
        "store.map_size=G",
        "store.map_size=1.5G",
        "store.map_size=99999999T",
        "store.map_size=64d",
        "http.workers=1K",
        "plan:x.retention_age=7x",
        "plan:x.retention_age=G",
        "plan:x.things_max=1K",
        "plan:x.retention_age=99999999999999999999w",
    };
    (void)state;

    assert_true(config_set(&config, "store.map_size=512M", &error));
    assert_int_equal(config.store_map_size, UINT64_C(512) << 20);
    assert_true(config_set(&config, "mqtt.sys_interval=2h", &error));
    assert_int_equal(config.mqtt_sys_interval, 7200);
    assert_true(config_set(&config, "plan:x.payload_max=64K", &error));
    assert_true(config_set(&config, "plan:x.retention_age=7d", &error));
    assert_true(config_set(&config, "plan:x.retry_ms=3s", &error));
    assert_true(config_set(&config, "plan:x.idle_timeout=90s", &error));
    const struct plan *x = config_plan(&config, slice_str("x"));
    assert_int_equal(x->payload_max, 65536);
    assert_int_equal(x->retention_age, 604800);
    assert_int_equal(x->retry_ms, 3000);
    assert_int_equal(x->idle_timeout, 90);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (config_set(&config, bad[i], &error))
            fail_msg("%s was taken", bad[i]);
    assert_false(config_set(&config, "store.map_size=64g", &error));
    check_error("like 64G");
}

static void the_environment_sets_plans(void **state)
{
    char *const good[] = {"CONFAB_PLAN_FREE_WRITES_PER_HOUR=1000",
                          "CONFAB_PLAN_MY_OWN_RETENTION_AGE=7d",
                          "CONFAB_PLAN_NEW_SESSION_BYTES_MAX=1M",
                          "CONFAB_PLAN_NEW_BYTES_MAX=2M", NULL};
    char *const unknown[] = {"CONFAB_PLAN_FREE_WRITES=1", NULL};
    char *const bad[] = {"CONFAB_PLAN_FREE_WRITES_PER_HOUR=many", NULL};
    char *const none[] = {"CONFAB_PLAN__WRITES_PER_HOUR=1", NULL};
    (void)state;

    assert_true(config_set(&config, "plan:My-own.things_max=1", &error));
    assert_true(config_read_environment(&config, good, &error));
    assert_int_equal(config_plan(&config, slice_str("free"))->writes_per_hour,
                     1000);
    assert_int_equal(config_plan(&config, slice_str("My-own"))->retention_age,
                     604800);
    const struct plan *made = config_plan(&config, slice_str("new"));
    assert_int_equal(made->session_bytes_max, 1048576);
    assert_int_equal(made->bytes_max, 2097152);
    assert_false(config_read_environment(&config, unknown, &error));
    check_error("CONFAB_PLAN_FREE_WRITES");
    assert_false(config_read_environment(&config, bad, &error));
    check_error("CONFAB_PLAN_FREE_WRITES_PER_HOUR");
    assert_false(config_read_environment(&config, none, &error));
}

static void a_file_sets_keys_and_plans(void **state)
{
    (void)state;
    assert_true(
        read_text("# comment\n[http]\nlisten = [::1]:0\n"
                  "  workers = 3 ; inline\n"
                  "[plan:gold]\nwrites_per_hour = 5\n"
                  "[tokens]\ndefault_plan = gold\naccess=registered\n"));
    assert_true(config_finish(&config, &error));
    assert_string_equal(config.http_listen, "[::1]:0");
    assert_int_equal(config.http_workers, 3);
    assert_int_equal(config.tokens_access, ACCESS_REGISTERED);
    assert_int_equal(config_plan(&config, slice_str("gold"))->writes_per_hour,
                     5);
}

static void an_error_names_file_line_and_key(void **state)
{
    (void)state;
    assert_false(read_text("[http]\n\nlisten = 127.0.0.1:1\nwurkers = 3\n"));
    check_error("/tmp/confab-config-test-");
    check_error(":4: http.wurkers");
    check_error("unknown key");
    fresh(NULL);
    assert_false(read_text("[http]\nworkers = many\n"));
    check_error(":2: http.workers = many");
    fresh(NULL);
    assert_false(read_text("[tokens]\naccess = perhaps\n"));
    check_error("auto open registered");
    fresh(NULL);
    assert_false(read_text("[plan:free]\nwrites_per_hour = -1\n"));
    check_error(":2: plan:free.writes_per_hour");
    fresh(NULL);
    assert_false(read_text("[http]\nnonsense\n"));
    check_error(":2:");
    fresh(NULL);
    assert_false(config_read_file(&config, "/nonexistent/confab.ini", &error));
    check_error("/nonexistent/confab.ini");
}

static void the_environment_and_set_are_read(void **state)
{
    char *const environment[] = {"HOME=/", "CONFAB_HTTP_LISTEN=127.0.0.1:9",
                                 "CONFAB_LOG_LEVEL=debug", NULL};
    char *const bad[] = {"CONFAB_HTTP_WORKERS=x", NULL};

    (void)state;
    assert_true(config_read_environment(&config, environment, &error));
    assert_string_equal(config.http_listen, "127.0.0.1:9");
    assert_int_equal(config.log_level, 3);
    assert_true(config_set(&config, "http.listen=127.0.0.1:10", &error));
    assert_string_equal(config.http_listen, "127.0.0.1:10");
    assert_true(config_set(&config, "plan:free.idle_timeout=2", &error));
    assert_int_equal(config_plan(&config, slice_str("free"))->idle_timeout, 2);
    assert_false(config_read_environment(&config, bad, &error));
    check_error("CONFAB_HTTP_WORKERS");
    assert_false(config_set(&config, "http.listen", &error));
    check_error("section.key=value");
    assert_false(config_set(&config, "no.such=1", &error));
    check_error("no.such");
}

static void open_is_the_default_only_on_loopback(void **state)
{
    (void)state;
    assert_true(config_set(&config, "mqtt.listen=0.0.0.0:0", &error));
    assert_true(config_finish(&config, &error));
    assert_int_equal(config.tokens_access, ACCESS_REGISTERED);
    fresh(state);
    config_set(&config, "mqtt.tls_cert=cert.pem", &error);
    config_set(&config, "mqtt.tls_key=key.pem", &error);
    config_set(&config, "mqtt.tls_listen=[::1]:8883", &error);
    assert_true(config_finish(&config, &error));
    assert_int_equal(config.tokens_access, ACCESS_OPEN);
    fresh(state);
    config_set(&config, "mqtt.tls_cert=cert.pem", &error);
    config_set(&config, "mqtt.tls_key=key.pem", &error);
    config_set(&config, "mqtt.tls_listen=0.0.0.0:8883", &error);
    assert_true(config_finish(&config, &error));
    assert_int_equal(config.tokens_access, ACCESS_REGISTERED);
    assert_true(config_is_loopback("127.9.9.9:1"));
    assert_true(config_is_loopback("[::1]:0"));
    assert_true(config_is_loopback("localhost:80"));
    assert_false(config_is_loopback("[::]:80"));
    assert_false(config_is_loopback("192.0.2.1:80"));
    assert_false(config_is_loopback("127.0.0.1"));
}

static void what_needs_the_whole_is_checked_at_the_end(void **state)
{
    (void)state;
    config_set(&config, "tokens.default_plan=none", &error);
    assert_false(config_finish(&config, &error));
    check_error("tokens.default_plan");
}

static void tls_is_said_in_whole_or_not_at_all(void **state)
{
    (void)state;
    config_set(&config, "mqtt.tls_listen=127.0.0.1:8883", &error);
    assert_false(config_finish(&config, &error));
    check_error("tls_cert and mqtt.tls_key");
    config_set(&config, "mqtt.tls_cert=cert.pem", &error);
    config_set(&config, "mqtt.tls_key=key.pem", &error);
    assert_true(config_finish(&config, &error));
    config_set(&config, "mqtt.tls_client_ca=ca.pem", &error);
    assert_false(config_finish(&config, &error));
    check_error("tls_client_cert");
    config_set(&config, "mqtt.tls_client_cert=required", &error);
    assert_true(config_finish(&config, &error));
    assert_int_equal(config.mqtt_tls_client_cert, CLIENT_CERT_REQUIRED);
    assert_true(config_set(&config, "mqtt.tls_client_ca=", &error));
    assert_false(config_finish(&config, &error));
    check_error("needs mqtt.tls_client_ca");
    config_set(&config, "mqtt.tls_client_ca=ca.pem", &error);
    assert_true(config_set(&config, "mqtt.tls_listen=", &error));
    assert_false(config_finish(&config, &error));
    check_error("without mqtt.tls_listen");
    assert_false(config_set(&config, "mqtt.tls_listen=8883", &error));
    assert_false(config_set(&config, "mqtt.tls_client_cert=yes", &error));
    assert_false(config_set(&config, "mqtt.listen=", &error));
}

static void an_address_is_checked_where_it_is_set(void **state)
{
    (void)state;
    assert_false(config_set(&config, "http.listen=8080", &error));
    check_error("http.listen");
    assert_false(config_set(&config, "mqtt.listen=127.0.0.1:99999", &error));
    check_error("mqtt.listen");
    assert_false(config_set(&config, "mqtt.listen=::1:80", &error));
    assert_false(config_set(&config, "mqtt.listen=[::1:80", &error));
    assert_true(config_set(&config, "mqtt.listen=[::1]:80", &error));
    assert_false(read_text("[http\nworkers = 1\n"));
    check_error(":1: line = [http");
}

static void what_is_printed_reads_back_the_same(void **state)
{
    static struct config again;
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);

    (void)state;
    config_set(&config, "plan:x.things_max=7", &error);
    config_set(&config, "log.level=warn", &error);
    assert_true(config_finish(&config, &error));
    config_print(&config, f);
    fclose(f);
    again = config;
    fresh(NULL);
    assert_true(read_text(text));
    assert_true(config_finish(&config, &error));
    memset(config.default_plan_source, 0, sizeof(config.default_plan_source));
    memset(again.default_plan_source, 0, sizeof(again.default_plan_source));
    memset(config.operator_plan_source, 0,
           sizeof(config.operator_plan_source));
    memset(again.operator_plan_source, 0, sizeof(again.operator_plan_source));
    assert_memory_equal(&config, &again, sizeof(config));
    free(text);
}

static void a_door_has_a_section_of_its_own(void **state)
{
    char *const environment[] = {"CONFAB_DOOR_THINGSCHAT_PREFIX=/api/v1.0",
                                 NULL};

    (void)state;
    assert_int_equal(config.door_thingschat.enabled, DOOR_ENABLED);
    assert_string_equal(config.door_thingschat.prefix, "");
    assert_true(read_text("[door:thingschat]\nenabled = no\nprefix = /iot\n"));
    assert_int_equal(config.door_thingschat.enabled, DOOR_DISABLED);
    assert_string_equal(config.door_thingschat.prefix, "/iot");
    assert_true(config_read_environment(&config, environment, &error));
    assert_string_equal(config.door_thingschat.prefix, "/api/v1.0");
    assert_true(config_set(&config, "door:thingschat.prefix=", &error));
    assert_string_equal(config.door_thingschat.prefix, "");
}

/* A formatter that puts blanks around the colon of a section makes keys that nobody
 * can set: their names are made from these words. */
static void the_names_of_keys_have_no_blanks(void **state)
{
    char *text = NULL;
    size_t len, found = 0;
    FILE *out = open_memstream(&text, &len);

    (void)state;
    assert_non_null(out);
    config_print_keys(out, true);
    assert_int_equal(fclose(out), 0);
    for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL;) {
        if (strncmp(line, "| `", 3) != 0)
            continue;
        const size_t name = strcspn(line + 3, "`");
        if (strspn(line + 3, "abcdefghijklmnopqrstuvwxyz_:.<>NAME") != name)
            fail_msg("the name of a key: %.*s", (int)name, line + 3);
        found++;
    }
    assert_true(found > 60);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_door_has_a_section_of_its_own, fresh),
        cmocka_unit_test_setup(the_defaults_are_the_documented_ones, fresh),
        cmocka_unit_test_setup(
            operators_make_home_tokens_and_the_public_free_ones, fresh),
        cmocka_unit_test_setup(a_default_plan_that_was_set_is_for_all_tokens,
                               fresh),
        cmocka_unit_test_setup(sizes_and_times_may_have_a_unit, fresh),
        cmocka_unit_test_setup(the_environment_sets_plans, fresh),
        cmocka_unit_test_setup(a_file_sets_keys_and_plans, fresh),
        cmocka_unit_test_setup(an_error_names_file_line_and_key, fresh),
        cmocka_unit_test_setup(the_environment_and_set_are_read, fresh),
        cmocka_unit_test_setup(open_is_the_default_only_on_loopback, fresh),
        cmocka_unit_test_setup(what_needs_the_whole_is_checked_at_the_end,
                               fresh),
        cmocka_unit_test_setup(tls_is_said_in_whole_or_not_at_all, fresh),
        cmocka_unit_test_setup(an_address_is_checked_where_it_is_set, fresh),
        cmocka_unit_test_setup(what_is_printed_reads_back_the_same, fresh),
        cmocka_unit_test(the_names_of_keys_have_no_blanks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
