#include "test/unit/broker/broker_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/vocabulary.h"

void broker_fixture_prepare(struct broker_fixture *b)
{
    *b = (struct broker_fixture){.dir = "/tmp/confab-broker-XXXXXX"};
    assert_non_null(mkdtemp(b->dir));
    snprintf(b->socket, sizeof(b->socket), "%s/%s", b->dir, SOCKET_NAME);
    config_defaults(&b->config);
    snprintf(b->config.mqtt_listen, sizeof(b->config.mqtt_listen),
             "127.0.0.1:0");
    b->config.tokens_access = ACCESS_OPEN;
    b->config.mqtt_workers = 2;
    b->config.limits_token_share = 100; /* few tests have more than one */
}

void broker_fixture_start(struct broker_fixture *b)
{
    const struct store_opts store = {.map_size = 64 << 20};
    const struct broker_opts opts = {.data_dir = b->dir};
    struct config_error error;

    assert_int_equal(store_open(b->dir, &store, &b->store, NULL), STORE_OK);
    if (!broker_start(&b->config, b->store, &opts, &b->broker, &error))
        fail_msg("%s", error.text);
}

void broker_fixture_stop(struct broker_fixture *b)
{
    broker_stop(b->broker);
    store_close(b->store);
    b->broker = NULL;
    b->store = NULL;
}

void broker_fixture_remove(struct broker_fixture *b)
{
    static const char *const names[] = {"data.mdb", "lock.mdb", LOCK_NAME,
                                        SOCKET_NAME};
    char path[128];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", b->dir, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(b->dir), 0);
}

struct plan *broker_fixture_plan(struct broker_fixture *b, const char *name)
{
    for (size_t i = 0; i < b->config.plan_count; i++)
        if (strcmp(b->config.plans[i].name, name) == 0)
            return &b->config.plans[i];
    fail_msg("no plan %s", name);
    return NULL;
}

static void hears_success(struct peer *p)
{
    uint8_t body[64];
    size_t len;

    assert_int_equal(hears_packet(p, body, sizeof(body), &len), 0x20);
    assert_int_equal(body[1], 0);
}

struct peer device5(struct broker_fixture *b, const char *token,
                    const char *client_id)
{
    struct peer p = peer_tcp(broker_mqtt_port(b->broker));
    char text[256];

    if (token != NULL)
        snprintf(text, sizeof(text),
                 "10[ ('MQTT') 05 82 0000 [] ('%s') ('%s') ]", client_id,
                 token);
    else
        snprintf(text, sizeof(text), "10[ ('MQTT') 05 02 0000 [] ('%s') ]",
                 client_id);
    says(&p, text);
    hears_success(&p);
    return p;
}

struct peer device311(struct broker_fixture *b, const char *token,
                      const char *client_id)
{
    struct peer p = peer_tcp(broker_mqtt_port(b->broker));
    char text[256];

    if (token != NULL)
        snprintf(text, sizeof(text), "10[ ('MQTT') 04 82 0000 ('%s') ('%s') ]",
                 client_id, token);
    else
        snprintf(text, sizeof(text), "10[ ('MQTT') 04 02 0000 ('%s') ]",
                 client_id);
    says(&p, text);
    hears(&p, "20 02 00 00");
    return p;
}

struct peer administrator(struct broker_fixture *b, const char *client_id)
{
    struct peer p = peer_unix(b->socket);
    char text[256];

    snprintf(text, sizeof(text), "10[ ('MQTT') 05 02 0000 [] ('%s') ]",
             client_id);
    says(&p, text);
    hears_success(&p);
    return p;
}

uint64_t status_number(struct broker_fixture *b, const char *after)
{
    struct buffer text = BUFFER_INIT;

    broker_status_json(b->broker, &text);
    buffer_put_char(&text, '\0');
    assert_true(buffer_ok(&text));
    const char *at = strstr(text.data, after);
    if (at == NULL)
        fail_msg("no %s in %s", after, text.data);
    const uint64_t n = strtoull(at + strlen(after), NULL, 10);
    buffer_release(&text);
    return n;
}
