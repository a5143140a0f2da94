/* A caller with fewer rights than a token has, at every way in: broker and bridge
 * are the real ones, side by side as in `confab run`. No key exists yet that has
 * rights of its own, so who says that it is `narrow` is given them here, as CONNECT
 * or the door's authenticate() make their caller. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/callers.h"
#include "base/log.h"
#include "base/net/connection_budget.h"
#include "bridge/bridge.h"
#include "test/unit/broker/broker_fixture.h"
#include "test/unit/broker/mqtt_peer.h"

#define REFUSED 0x87 /* not authorized */

/* ---- who is narrow --------------------------------------------------------- */

static const struct right rights[] = {
    {CALLER_SUBSCRIBE, "open/#"},
    {CALLER_PUBLISH, "open/in"},
    {CALLER_PUBLISH, "by/%u"},
    {CALLER_PUBLISH, "of/%c"},
};

struct caller __real_caller_of_token(struct slice token,
                                     const struct plan *plan);
struct caller __wrap_caller_of_token(struct slice token,
                                     const struct plan *plan);

struct caller __wrap_caller_of_token(struct slice token,
                                     const struct plan *plan)
{
    struct caller c = __real_caller_of_token(token, plan);

    if (!slice_eq(token, slice_str("narrow")))
        return c;
    c.user = slice_str("ann");
    c.rights = rights;
    c.right_count = sizeof(rights) / sizeof(rights[0]);
    return c;
}

/* ---- a server -------------------------------------------------------------- */

static struct broker_fixture b;
static struct bridge *bridge;
static struct connection_budget budget;

static void stores(struct peer *admin, const char *topic)
{
    char text[128];
    uint8_t body[256];
    size_t len;

    /* QoS 1, retained */
    snprintf(text, sizeof(text), "33[ ('%s') 0001 [] '\"here\"' ]", topic);
    says(admin, text);
    assert_int_equal(hears_packet(admin, body, sizeof(body), &len), 0x40);
}

static int start(void **state)
{
    struct bridge_opts opts = {.config = &b.config};
    struct config_error error;

    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    broker_fixture_prepare(&b);
    strcpy(b.config.http_listen, "127.0.0.1:0");
    broker_fixture_start(&b);
    connection_budget_init(&budget, 0);
    opts.budget = &budget;
    opts.store = b.store;
    opts.data_dir = b.dir;
    if (!bridge_start(&opts, &bridge, &error))
        fail_msg("%s", error.text);
    for (int i = 0; i < 5000 && !bridge_link_up(bridge); i++)
        usleep(1000);
    assert_true(bridge_link_up(bridge));
    struct peer admin = administrator(&b, "stores");
    stores(&admin, "narrow/open/1");
    stores(&admin, "narrow/open/deep/2");
    stores(&admin, "narrow/closed");
    peer_close(&admin);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    bridge_stop(bridge);
    connection_budget_release(&budget);
    broker_fixture_stop(&b);
    broker_fixture_remove(&b);
    return 0;
}

/* ---- MQTT ------------------------------------------------------------------ */

/* The reason code of the last filter. */
static uint8_t subscribed(struct peer *p, const char *filter)
{
    char text[128];
    uint8_t body[512];
    size_t len;

    /* Retain Handling 2: no retained messages */
    snprintf(text, sizeof(text), "82[ 0001 [] ('%s') 20 ]", filter);
    says(p, text);
    assert_int_equal(hears_packet(p, body, sizeof(body), &len), 0x90);
    return body[len - 1];
}

static void subscribe_and_share_follow_the_rights(void **state)
{
    struct peer p = device5(&b, "narrow", "reader");
    (void)state;

    assert_int_equal(subscribed(&p, "narrow/open/#"), 0);
    assert_int_equal(subscribed(&p, "narrow/open/+/2"), 0);
    assert_int_equal(subscribed(&p, "$share/g/narrow/open/1"), 0);
    assert_int_equal(subscribed(&p, "$events/narrow/typing/open/1"), 0);
    assert_int_equal(subscribed(&p, "narrow/closed"), REFUSED);
    assert_int_equal(subscribed(&p, "narrow/#"), REFUSED);
    assert_int_equal(subscribed(&p, "narrow/+"), REFUSED);
    assert_int_equal(subscribed(&p, "$share/g/narrow/#"), REFUSED);
    assert_int_equal(subscribed(&p, "$share/g/narrow/closed"), REFUSED);
    assert_int_equal(subscribed(&p, "$events/narrow/#"), REFUSED);
    assert_int_equal(subscribed(&p, "wide/open/1"), REFUSED);
    peer_close(&p);
}

static uint8_t published(struct peer *p, const char *topic)
{
    char text[128];
    uint8_t body[512] = {0};
    size_t len;

    snprintf(text, sizeof(text), "32[ ('%s') 0002 [] 'x' ]", topic);
    says(p, text);
    assert_int_equal(hears_packet(p, body, sizeof(body), &len), 0x40);
    return len > 2 ? body[2] : 0;
}

static void publish_follows_the_rights(void **state)
{
    struct peer p = device5(&b, "narrow", "writer");
    (void)state;

    assert_int_equal(published(&p, "narrow/open/in"), 0);
    assert_int_equal(published(&p, "narrow/by/ann"), 0);
    assert_int_equal(published(&p, "narrow/of/writer"), 0);
    assert_int_equal(published(&p, "narrow/open/1"), REFUSED);
    assert_int_equal(published(&p, "narrow/by/bob"), REFUSED);
    assert_int_equal(published(&p, "narrow/of/other"), REFUSED);
    assert_int_equal(published(&p, "wide/open/in"), REFUSED);
    /* the verdict on the topic before is no verdict for the next client */
    struct peer other = device5(&b, "narrow", "other");
    assert_int_equal(published(&other, "narrow/of/other"), 0);
    assert_int_equal(published(&other, "narrow/of/writer"), REFUSED);
    peer_close(&other);
    peer_close(&p);
}

/* The reason code of CONNACK. */
static uint8_t connects_with_will(const char *topic)
{
    struct peer p = peer_tcp(broker_mqtt_port(b.broker));
    uint8_t body[512];
    char text[160];
    size_t len;

    snprintf(text, sizeof(text),
             "10[ ('MQTT') 05 86 0000 [] ('w') [] ('%s') ('x') ('narrow') ]",
             topic);
    says(&p, text);
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x20);
    peer_close(&p);
    return body[1];
}

static void wills_follow_the_rights(void **state)
{
    (void)state;
    assert_int_equal(connects_with_will("narrow/open/in"), 0);
    assert_int_equal(connects_with_will("narrow/of/w"), 0);
    assert_int_equal(connects_with_will("narrow/closed"), REFUSED);
    assert_int_equal(connects_with_will("narrow/of/v"), REFUSED);
}

static void a_message_is_stored_with_the_user_as_sender(void **state)
{
    struct peer p = device5(&b, "narrow", "hers");
    struct store_reader *r;
    struct record record;
    (void)state;

    assert_int_equal(published(&p, "narrow/by/ann"), 0);
    peer_close(&p);
    assert_int_equal(store_snapshot(b.store, &r), STORE_OK);
    assert_int_equal(store_latest(r, slice_str("narrow/by/ann"), &record),
                     STORE_OK);
    assert_true(slice_eq(record.m.sender, slice_str("ann")));
    store_reader_release(r);
}

/* ---- HTTP ------------------------------------------------------------------ */

static int dial(void)
{
    const struct sockaddr_in to = {
        .sin_family = AF_INET,
        .sin_port = htons(bridge_http_port(bridge)),
        .sin_addr = {htonl(INADDR_LOOPBACK)},
    };
    const struct timeval patience = {5, 0};
    const int fd = socket(AF_INET, SOCK_STREAM, 0);

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

/* Appends what comes to `text` until `mark` is in it or the end. */
static void read_until(int fd, const char *mark, char *text, size_t size)
{
    size_t len = strlen(text);
    ssize_t n;

    while (strstr(text, mark) == NULL && len + 1 < size &&
           (n = recv(fd, text + len, size - 1 - len, 0)) > 0) {
        len += (size_t)n;
        for (size_t i = 0; i < len; i++) /* WebSocket headers have zeros */
            if (text[i] == '\0')
                text[i] = ' ';
        text[len] = '\0';
    }
}

static char response[8192];

static int status_of(const char *request)
{
    char text[1024];
    const int fd = dial();

    snprintf(text, sizeof(text), "%.*s HTTP/1.1\r\nHost: localhost\r\n%s",
             (int)strcspn(request, "\r"), request,
             request[strcspn(request, "\r")] == '\0'
                 ? "Connection: close\r\n\r\n"
                 : request + strcspn(request, "\r") + 2);
    assert_true(send(fd, text, strlen(text), 0) == (ssize_t)strlen(text));
    response[0] = '\0';
    /* of a stream only its beginning */
    read_until(fd, strstr(request, "listen") == NULL ? "\r\n\r\n\r\n" : "\n\n",
               response, sizeof(response));
    close(fd);
    return atoi(response + strlen("HTTP/1.1 "));
}

static void readings_follow_the_rights(void **state)
{
    static const struct {
        const char *request;
        int status;
    } rows[] = {
        {"GET /narrow/chat/open%2F1/latest", 200},
        {"GET /narrow/chat/closed/latest", 403},
        {"GET /narrow/chat/open%2Fdeep%2F2/history", 200},
        {"GET /narrow/chat/closed/history", 403},
        {"GET /narrow/chat/open%2F1/listen", 200},
        {"GET /narrow/chat/closed/listen", 403},
        {"GET /narrow/listen?things=open/%23", 200},
        {"GET /narrow/listen?things=open/1,closed", 403},
        {"GET /narrow/listen?things=%23", 403},
        {"GET /wide/listen?things=%23", 200},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (status_of(rows[i].request) != rows[i].status)
            fail_msg("%s: %s", rows[i].request, response);
}

static void a_listing_shows_what_may_be_read(void **state)
{
    (void)state;
    assert_int_equal(status_of("GET /narrow/things"), 200);
    assert_non_null(strstr(response, "[\"open/1\",\"open/deep/2\""));
    assert_null(strstr(response, "closed"));
    assert_null(strstr(response, "by/ann"));
    assert_int_equal(status_of("GET /narrow/things?detail"), 200);
    assert_non_null(strstr(response, "open/deep/2"));
    assert_null(strstr(response, "closed"));
}

static int post_to(const char *path)
{
    char text[256];

    snprintf(text, sizeof(text),
             "POST %s\r\nContent-Type: application/json\r\n"
             "Connection: close\r\nContent-Length: 13\r\n\r\n{\"payload\":1}",
             path);
    return status_of(text);
}

static void post_follows_the_rights(void **state)
{
    (void)state;
    if (post_to("/narrow/chat/open%2Fin") != 200)
        fail_msg("%s", response);
    assert_int_equal(post_to("/narrow/chat/by%2Fann"), 200);
    assert_int_equal(post_to("/narrow/chat/open%2F1"), 403);
    assert_int_equal(post_to("/narrow/chat/of%2F"), 400);
    assert_int_equal(post_to("/narrow/chat/of%2Fann"), 403); /* no %c here */
}

/* ---- WebSocket -------------------------------------------------------------- */

static void say_text(int fd, const char *json)
{
    const size_t len = strlen(json);
    /* masked with zeros */
    const unsigned char head[] = {0x81, (unsigned char)(0x80 | len), 0, 0, 0,
                                  0};

    assert_true(len < 126);
    assert_true(send(fd, head, sizeof(head), 0) == (ssize_t)sizeof(head));
    assert_true(send(fd, json, len, 0) == (ssize_t)len);
}

static void is_told(int fd, const char *json, const char *mark)
{
    char text[4096] = "";

    say_text(fd, json);
    read_until(fd, mark, text, sizeof(text));
    if (strstr(text, mark) == NULL)
        fail_msg("%s: %s", json, text);
}

static void a_websocket_follows_the_rights(void **state)
{
    static const char handshake[] =
        "GET /narrow/ws HTTP/1.1\r\nHost: localhost\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    const int fd = dial();
    char text[4096] = "";
    (void)state;

    assert_true(send(fd, handshake, strlen(handshake), 0) > 0);
    read_until(fd, "connected", text, sizeof(text));
    assert_non_null(strstr(text, "connected"));
    is_told(fd, "{\"follow\":[\"open/#\"],\"ref\":1}", "{\"ack\":{\"ref\":1");
    is_told(fd, "{\"follow\":[\"open/1\",\"closed\"],\"ref\":2}",
            "{\"error\":{\"ref\":2,\"status\":403");
    is_told(fd, "{\"follow\":[\"#\"],\"ref\":3}",
            "{\"error\":{\"ref\":3,\"status\":403");
    is_told(fd, "{\"publish\":{\"thing\":\"closed\",\"payload\":1,\"ref\":4}}",
            "{\"error\":{\"ref\":4,\"status\":403");
    is_told(fd, "{\"publish\":{\"thing\":\"by/ann\",\"payload\":1,\"ref\":5}}",
            "{\"ack\":{\"ref\":5");
    close(fd);
}

/* ---- sharing ---------------------------------------------------------------- */

static void equal_callers_are_one_object(void **state)
{
    struct callers *all = callers_new();
    struct caller c = __wrap_caller_of_token(slice_str("narrow"), NULL);
    (void)state;

    const struct caller *one = caller_share(all, &c);
    c.client = slice_str("another connection's");
    assert_ptr_equal(caller_share(all, &c), one);
    assert_int_equal(one->client.len, 0);
    assert_true(slice_eq(one->user, slice_str("ann")));
    c.right_count--;
    const struct caller *less = caller_share(all, &c);
    assert_ptr_not_equal(less, one);
    c.user = slice_str("bob");
    const struct caller *bob = caller_share(all, &c);
    assert_ptr_not_equal(bob, less);
    caller_unref(one);
    assert_true(caller_may(one, CALLER_PUBLISH, slice_str("narrow/by/ann")));
    caller_unref(one);
    caller_unref(less);
    caller_unref(bob);
    callers_free(all); /* asserts that nobody is left */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(subscribe_and_share_follow_the_rights),
        cmocka_unit_test(publish_follows_the_rights),
        cmocka_unit_test(wills_follow_the_rights),
        cmocka_unit_test(a_message_is_stored_with_the_user_as_sender),
        cmocka_unit_test(readings_follow_the_rights),
        cmocka_unit_test(a_listing_shows_what_may_be_read),
        cmocka_unit_test(post_follows_the_rights),
        cmocka_unit_test(a_websocket_follows_the_rights),
        cmocka_unit_test(equal_callers_are_one_object),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
