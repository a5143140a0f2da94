/* Clients whose key has a mount: devices with fixed topics, over MQTT 3.1.1 and 5. The
 * topics they say and hear are relative to `acme/home/`, everybody else's are full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "store/command/key.h"
#include "store/command/tenant.h"
#include "store/directory.h"
#include "test/unit/store/by_hand.h"

static struct by_hand h;
static int version; /* 4: 3.1.1, 5 */

static char home[SECRET_SIZE], shed[SECRET_SIZE], own[SECRET_SIZE],
    all[SECRET_SIZE];

static void make_key(const char *mount, char secret[SECRET_SIZE])
{
    unsigned char hash[SECRET_HASH_BYTES];
    struct key_create args = {.tenant = slice_str("acme"),
                              .kind = SECRET_DEVICE,
                              .mounted = mount != NULL,
                              .mount = mount == NULL ? slice_of(NULL, 0)
                                                     : slice_str(mount)};
    struct command c = {.kind = COMMAND_KEY_CREATE, .args = &args};

    secret_make(SECRET_DEVICE, secret);
    secret_hash(slice_str(secret), hash);
    args.hash = slice_of(hash, sizeof(hash));
    by_hand_run(&h, &c);
}

static int begin(int as)
{
    struct tenant_create args = {.tenant = slice_str("acme"),
                                 .plan = slice_str("home")};
    struct command c = {.kind = COMMAND_TENANT_CREATE, .args = &args};

    version = as;
    by_hand_begin(&h, 1);
    by_hand_run(&h, &c);
    make_key("home", home);
    make_key("shed", shed);
    make_key("own/%c", own);
    make_key(NULL, all);
    return 0;
}

static int as_311(void **state)
{
    (void)state;
    return begin(4);
}

static int as_5(void **state)
{
    (void)state;
    return begin(5);
}

static int end(void **state)
{
    (void)state;
    by_hand_end(&h);
    return 0;
}

/* ---- clients --------------------------------------------------------------------- */

/* properties: of a v5 CONNECT. Returns the code of CONNACK. */
static struct peer client(const char *id, const char *flags,
                          const char *properties, const char *will,
                          const char *secret, uint8_t code)
{
    struct peer p = by_hand_stranger(&h);
    char text[512];
    uint8_t body[512];
    size_t len;

    snprintf(text, sizeof(text),
             "10[ ('MQTT') %02x %s 0000 %s ('%s') %s ('acme') ('%s') ]",
             version, flags, version == 5 ? properties : "", id, will, secret);
    says(&p, text);
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x20);
    assert_int_equal(body[1], code);
    return p;
}

static struct peer device(const char *id, const char *secret)
{
    return client(id, "c2", "[]", "", secret, 0);
}

static void leaves(struct peer *p)
{
    says(p, "e000");
    hears_end(p);
    peer_close(p);
}

static void subscribes(struct peer *p, const char *filter, uint8_t code)
{
    char text[128];
    uint8_t body[256];
    size_t len;

    snprintf(text, sizeof(text), "82[ 0003 %s ('%s') 01 ]",
             version == 5 ? "[]" : "", filter);
    says(p, text);
    assert_int_equal(hears_packet(p, body, sizeof(body), &len), 0x90);
    assert_int_equal(body[len - 1], code);
}

/* first: the packet's first byte, with QoS 1. */
static void publishes(struct peer *p, const char *first, const char *topic,
                      const char *payload)
{
    char text[128];

    snprintf(text, sizeof(text), "%s[ ('%s') 0007 %s '%s' ]", first, topic,
             version == 5 ? "[]" : "", payload);
    says(p, text);
    hears(p, "40 02 0007");
}

static void gets(struct peer *p, const char *first, const char *topic,
                 unsigned id, const char *payload)
{
    char text[128];

    snprintf(text, sizeof(text), "%s[ ('%s') %04x %s '%s' ]", first, topic, id,
             version == 5 ? "[]" : "", payload);
    hears(p, text);
    snprintf(text, sizeof(text), "40 02 %04x", id);
    says(p, text);
}

/* ---- topics ---------------------------------------------------------------------- */

static void topics_are_relative_for_it_and_full_for_others(void **state)
{
    struct peer d = device("d", home), s = device("s", shed),
                o = device("o", all);
    (void)state;

    subscribes(&d, "#", 1);
    subscribes(&s, "#", 1);
    subscribes(&o, "acme/#", 1);
    publishes(&d, "32", "relay/0", "on");
    gets(&d, "32", "relay/0", 1, "on");
    gets(&o, "32", "acme/home/relay/0", 1, "on");
    by_hand_append(&h, "acme/home", 1, slice_str("x")); /* has no name there */
    by_hand_append(&h, "acme/homestead/a", 1, slice_str("x"));
    by_hand_append(&h, "acme/shed/door", 1, slice_str("open"));
    gets(&s, "32", "door", 1, "open");
    gets(&o, "32", "acme/home", 2, "x");
    gets(&o, "32", "acme/homestead/a", 3, "x");
    gets(&o, "32", "acme/shed/door", 4, "open");
    hears_nothing(&d, 30);
    leaves(&d);
    leaves(&s);
    leaves(&o);
}

static void unsubscribe_ends_what_it_names(void **state)
{
    struct peer d = device("d", home);
    (void)state;

    subscribes(&d, "relay/+", 1);
    says(&d, version == 5 ? "a2[ 0004 [] ('relay/+') ]"
                          : "a2[ 0004 ('relay/+') ]");
    hears(&d, version == 5 ? "b0[ 0004 [] 00 ]" : "b0 02 0004");
    by_hand_append(&h, "acme/home/relay/0", 1, slice_str("on"));
    hears_nothing(&d, 30);
    leaves(&d);
}

static void too_long_ones_are_refused(void **state)
{
    struct peer d = device("d", home);
    char filter[300], text[400];
    uint8_t body[400];
    size_t len;
    (void)state;

    memset(filter, 'x', sizeof(filter));
    filter[255] = '\0'; /* a thing has 256 bytes */
    snprintf(text, sizeof(text), "32[ ('%s') 0007 %s 'x' ]", filter,
             version == 5 ? "[]" : "");
    says(&d, text);
    if (version == 5) {
        assert_int_equal(hears_packet(&d, body, sizeof(body), &len), 0x40);
        assert_int_equal(body[2], 0x90);
        leaves(&d);
    } else {
        hears_end(&d);
        peer_close(&d);
    }
}

static void retained_messages_are_relative(void **state)
{
    struct peer d = device("d", home), o = device("o", all);
    (void)state;

    publishes(&o, "33", "acme/home/relay/0/state", "off");
    publishes(&d, "33", "relay/1/state", "on");
    subscribes(&d, "relay/+/state", 1);
    gets(&d, "33", "relay/0/state", 1, "off");
    gets(&d, "33", "relay/1/state", 2, "on");
    subscribes(&o, "acme/home/relay/1/#", 1);
    gets(&o, "33", "acme/home/relay/1/state", 1, "on");
    leaves(&d);
    leaves(&o);
}

static void will_is_below_the_mount(void **state)
{
    struct peer o = device("o", all),
                d = client("d", "c6", "[]",
                           version == 5 ? "[] ('online') ('no')"
                                        : "('online') ('no')",
                           home, 0);
    (void)state;

    subscribes(&o, "acme/home/online", 0x01);
    peer_reset(&d);
    hears(&o, version == 5 ? "30[ ('acme/home/online') [] 'no' ]"
                           : "30[ ('acme/home/online') 'no' ]");
    leaves(&o);
}

static void shared_filter_is_below_the_mount(void **state)
{
    struct peer d = device("d", home);
    (void)state;

    subscribes(&d, "$share/g/relay/#", 1);
    by_hand_append(&h, "acme/relay/0", 1, slice_str("no"));
    by_hand_append(&h, "acme/home/relay/0", 1, slice_str("on"));
    gets(&d, "32", "relay/0", 1, "on");
    leaves(&d);
}

static void client_id_is_a_level_of_the_mount(void **state)
{
    struct peer d = device("plug7", own), o = device("o", all);
    (void)state;

    subscribes(&o, "acme/#", 1);
    publishes(&d, "32", "temp", "22");
    gets(&o, "32", "acme/own/plug7/temp", 1, "22");
    leaves(&d);
    leaves(&o);
    d = client("a/b", "c2", "[]", "", own, version == 5 ? 0x87 : 5);
    hears_end(&d);
    peer_close(&d);
}

/* ---- MQTT 5 ---------------------------------------------------------------------- */

static void response_topic_is_made_full_and_relative(void **state)
{
    struct peer d = device("d", home), e = device("e", home),
                o = device("o", all), p = device("p", all);
    (void)state;

    subscribes(&e, "ask", 1);
    subscribes(&o, "acme/home/ask", 1);
    says(&d, "32[ ('ask') 0007 [ 08 ('answers/d') ] '?' ]");
    hears(&d, "40 02 0007");
    hears(&e, "32[ ('ask') 0001 [ 08 ('answers/d') ] '?' ]");
    hears(&o,
          "32[ ('acme/home/ask') 0001 [ 08 ('acme/home/answers/d') ] '?' ]");
    /* One that it has no name for is left out. */
    says(&p, "32[ ('acme/home/ask') 0008 [ 08 ('acme/b') ] '!' ]");
    hears(&p, "40 02 0008");
    says(&e, "40 02 0001");
    hears(&e, "32[ ('ask') 0002 [] '!' ]");
    peer_close(&d);
    peer_close(&e);
    peer_close(&o);
    peer_close(&p);
}

static void aliases_stand_for_topics_below_the_mount(void **state)
{
    struct peer d = device("d", home), o = device("o", all);
    struct peer e = client("e", "c2", "[ 22 000a ]", "", home, 0);
    (void)state;

    subscribes(&o, "acme/#", 1);
    subscribes(&e, "temp", 1);
    says(&d, "32[ ('temp') 0007 [ 23 0001 ] '1' ]");
    hears(&d, "40 02 0007");
    gets(&o, "32", "acme/home/temp", 1, "1");
    hears(&e, "32[ ('temp') 0001 [ 23 0001 ] '1' ]");
    says(&d, "32[ () 0008 [ 23 0001 ] '2' ]");
    hears(&d, "40 02 0008");
    gets(&o, "32", "acme/home/temp", 2, "2");
    hears(&e, "32[ () 0002 [ 23 0001 ] '2' ]");
    peer_close(&d);
    peer_close(&e);
    leaves(&o);
}

/* ---- stored sessions -------------------------------------------------------------- */

static struct peer returns(const char *secret)
{
    return client("s", "c0", "[ 11 0000003c ]", "", secret, 0);
}

static void stored_session_has_its_mount_again(void **state)
{
    struct peer p = returns(home);
    uint8_t body[256];
    size_t len;
    (void)state;

    subscribes(&p, "relay/#", 1);
    by_hand_append(&h, "acme/home/relay/0", 1, slice_str("a"));
    hears(&p, version == 5 ? "32[ ('relay/0') 0001 [] 'a' ]"
                           : "32[ ('relay/0') 0001 'a' ]");
    leaves(&p);
    by_hand_append(&h, "acme/home/relay/1", 1, slice_str("b"));
    p = returns(home);
    gets(&p, "3a", "relay/0", 1, "a");
    gets(&p, "32", "relay/1", 2, "b");
    by_hand_append(&h, "acme/home/relay/2", 1, slice_str("c"));
    hears_packet(&p, body, sizeof(body), &len);
    leaves(&p);
    /* Another mount: neither the message in flight nor the filter. */
    p = returns(shed);
    by_hand_append(&h, "acme/home/relay/3", 1, slice_str("d"));
    hears_nothing(&p, 50);
    leaves(&p);
    p = returns(home); /* the filter has ended for good */
    by_hand_append(&h, "acme/home/relay/4", 1, slice_str("e"));
    hears_nothing(&p, 50);
    leaves(&p);
}

#define BOTH(test)                                                            \
    {#test " (3.1.1)", test, as_311, end, NULL},                              \
    {                                                                         \
#test " (5)", test, as_5, end, NULL                                   \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(topics_are_relative_for_it_and_full_for_others),
        BOTH(unsubscribe_ends_what_it_names),
        BOTH(too_long_ones_are_refused),
        BOTH(retained_messages_are_relative),
        BOTH(will_is_below_the_mount),
        BOTH(shared_filter_is_below_the_mount),
        BOTH(client_id_is_a_level_of_the_mount),
        {"response_topic_is_made_full_and_relative",
         response_topic_is_made_full_and_relative, as_5, end, NULL},
        {"aliases_stand_for_topics_below_the_mount",
         aliases_stand_for_topics_below_the_mount, as_5, end, NULL},
        BOTH(stored_session_has_its_mount_again),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
