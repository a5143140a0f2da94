/* What a PUBLISH carries besides its payload, on every way to a subscriber: by
 * the shared image, alone, from the log, retained; and what stays unsaid. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/envelope.h"
#include "base/vocabulary.h"
#include "broker/wire/packet.h"
#include "test/unit/broker/broker_fixture.h"
#include "test/unit/broker/packet_notation.h"
#include "test/unit/store/by_hand.h"

static struct broker_fixture b;

/* v5 with these properties in CONNECT, as token t; CONNACK is heard. */
static struct peer with(const char *properties, const char *id)
{
    struct peer p = peer_tcp(broker_mqtt_port(b.broker));
    char text[256];
    uint8_t body[64];
    size_t len;

    snprintf(text, sizeof(text),
             "10[ ('MQTT') 05 82 0000 [ %s ] ('%s') ('t') ]", properties, id);
    says(&p, text);
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x20);
    assert_int_equal(body[1], 0);
    return p;
}

/* ---- unaltered ---------------------------------------------------------- */

/* In the order of our images; user properties in the publisher's. */
#define ALL "01 01 02 000003e8 08 ('r/t') 09 (00ff) 03 ('text/x') "
#define USER "26 ('b') ('2') 26 ('a') ('1') 26 ('b') ('1') 26 () ()"

static void properties_are_the_same_on_every_way(void **state)
{
    struct peer s = with("21 0001", "s"), q = with("", "q");
    struct peer shared = with("", "shared"), aliased = with("22 0001", "al");
    (void)state;

    says(&s, "82[ 0001 [ 0b 05 ] ('t/pp') 01 ]");
    hears(&s, "90[ 0001 [] 01 ]");
    says(&shared, "82[ 0001 [] ('t/pp') 00 ]");
    hears(&shared, "90[ 0001 [] 00 ]");
    says(&aliased, "82[ 0001 [] ('t/pp') 00 ]");
    hears(&aliased, "90[ 0001 [] 00 ]");
    for (int i = 0; i < 2; i++)
        says(&q, "33[ ('t/pp') 0001 [ 26 ('b') ('2') 03 ('text/x') "
                 "26 ('a') ('1') 09 (00ff) 26 ('b') ('1') 08 ('r/t') "
                 "02 000003e8 26 () () 01 01 ] 'x' ]");
    hears(&q, "40 02 0001 40 02 0001");
    hears(&s, "32[ ('t/pp') 0001 [" ALL "0b 05" USER "] 'x' ]");
    hears(&shared, "30[ ('t/pp') [" ALL USER "] 'x' ]");
    hears(&shared, "30[ ('t/pp') [" ALL USER "] 'x' ]");
    hears(&aliased, "30[ ('t/pp') [ 01 01 02 000003e8 23 0001 08 ('r/t') "
                    "09 (00ff) 03 ('text/x') " USER "] 'x' ]");
    says(&s, "40 02 0001"); /* the second one comes from the log */
    hears(&s, "32[ ('t/pp') 0002 [" ALL "0b 05" USER "] 'x' ]");
    says(&s, "40 02 0002 82[ 0002 [ 0b 06 ] ('t/+') 01 ]");
    hears(&s,
          "90[ 0002 [] 01 ] 33[ ('t/pp') 0003 [" ALL "0b 06" USER "] 'x' ]");
    says(&s, "40 02 0003");
    says(&q, "33[ ('t/pp') 0001 [] ]");
    hears(&q, "40 02 0001");
    peer_close(&s);
    peer_close(&q);
    peer_close(&shared);
    peer_close(&aliased);
}

static void empty_properties_are_forwarded_and_absent_ones_are_not(
    void **state)
{
    struct peer s = with("", "s"), q = with("", "q");
    (void)state;

    says(&s, "82[ 0001 [] ('t/e') 00 ]");
    hears(&s, "90[ 0001 [] 00 ]");
    says(&q, "30[ ('t/e') [ 03 () 09 () 01 00 02 00000000 ] ]"
             "30[ ('t/e') [ 03 () 09 () 01 00 ] ]");
    /* the first has expired as soon as it is there */
    hears(&s, "30[ ('t/e') [ 01 00 09 () 03 () ] ]");
    peer_close(&s);
    peer_close(&q);
}

/* ---- bare --------------------------------------------------------------- */

#define BARE "26 ('confab') ('bare') "

/* A PUBLISH with that payload to `sent_to`, whose user properties are the stamp,
 * and which has no other properties than a Subscription Identifier. */
static void hears_bare(struct peer *p, uint8_t first, struct slice sent_to,
                       struct slice payload)
{
    static const char *const stamp[] = {"confab-id", "confab-seq",
                                        "confab-at"};
    uint8_t body[512];
    struct packet_frame f = {.type = PACKET_PUBLISH, .flags = first & 0xf};
    struct packet_publish got;
    struct packet_error error;
    struct packet_user_property property;

    assert_int_equal(hears_packet(p, body, sizeof(body), &f.size), first);
    assert_true(f.size <= sizeof(body));
    f.body = slice_of(body, f.size);
    assert_true(packet_decode_publish(&f, &terms_5, &got, &error));
    assert_true(slice_eq(got.topic, sent_to));
    assert_true(slice_eq(got.payload, payload));
    assert_false(got.properties.has_expiry);
    assert_false(got.properties.has_payload_format);
    assert_null(got.properties.content_type.data);
    assert_null(got.properties.response_topic.data);
    assert_null(got.properties.correlation.data);
    assert_int_equal(got.topic_alias, 0);
    struct packet_user_cursor at = packet_user_props(got.user.span);
    for (size_t i = 0; i < 3; i++) {
        assert_true(packet_user_props_next(&at, &property));
        assert_true(slice_eq(property.name, slice_str(stamp[i])));
    }
    assert_false(packet_user_props_next(&at, &property));
}

/* On every way: by the shared image, alone (from the log as well), retained. */
static void a_bare_message_has_nothing_a_library_could_refuse(void **state)
{
    static const char envelope[] = "\0\5t/b\xc3\xa9x";
    const struct slice wrapped = slice_of(envelope, sizeof(envelope) - 1);
    const struct slice topic = slice_str(ENVELOPE_TOPIC);
    struct peer s = with(BARE, "s"), own = with(BARE "22 0004", "own");
    struct peer q = with("", "q");
    (void)state;

    says(&s, "82[ 0001 [] ('t/#') 00 ]");
    hears(&s, "90[ 0001 [] 00 ]");
    says(&own, "82[ 0001 [] ('t/#') 01 ]");
    hears(&own, "90[ 0001 [] 01 ]");
    says(&q, "33[ ('t/b') 0001 [ " ALL USER " 26 ('a' 0a) ('1' 01) ] 'x' ]"
             "33[ ('t/b' c3a9) 0002 [ " ALL " 26 ('a' 0a) ('1' 01) ] 'x' ]");
    hears(&q, "40 02 0001 40 02 0002");
    hears_bare(&s, 0x30, slice_str("t/b"), slice_str("x"));
    hears_bare(&s, 0x30, topic, wrapped);
    hears_bare(&own, 0x32, slice_str("t/b"), slice_str("x"));
    hears_bare(&own, 0x32, topic, wrapped);
    says(&s, "82[ 0002 [] ('t/b' c3a9) 00 ]");
    hears(&s, "90[ 0002 [] 00 ]");
    hears_bare(&s, 0x31, topic, wrapped);
    says(&q, "31[ ('t/b') [] ] 33[ ('t/b' c3a9) 0001 [] ]");
    hears(&q, "40 02 0001");
    peer_close(&s);
    peer_close(&own);
    peer_close(&q);
}

#define ENVELOPES BARE "26 ('confab') ('envelopes') "

/* The next PUBLISH is a stamped envelope of that message, and has no property
 * at all. */
static void hears_enveloped(struct peer *p, uint8_t first, const char *topic,
                            const char *payload, enum payload_class cls)
{
    uint8_t body[512];
    struct packet_frame f = {.type = PACKET_PUBLISH, .flags = first & 0xf};
    struct packet_publish got;
    struct packet_error error;
    struct stamped s;

    assert_int_equal(hears_packet(p, body, sizeof(body), &f.size), first);
    assert_true(f.size <= sizeof(body));
    f.body = slice_of(body, f.size);
    assert_true(packet_decode_publish(&f, &terms_5, &got, &error));
    assert_true(slice_eq(got.topic, slice_str(STAMPED_TOPIC)));
    assert_int_equal(got.user.size, 0);
    assert_null(got.properties.content_type.data);
    assert_false(got.properties.has_payload_format);
    assert_int_equal(got.topic_alias, 0);
    assert_true(stamped_open(got.payload, &s));
    assert_true(slice_eq(s.topic, slice_str(topic)));
    assert_true(slice_eq(s.payload, slice_str(payload)));
    assert_int_equal(s.payload_class, cls);
    assert_true(s.id > 0 && s.seq > 0 && s.at_us > 0);
}

/* On every way, as above; the class is the one of the log. */
static void a_stamped_envelope_says_what_the_log_knows(void **state)
{
    struct peer s = with(ENVELOPES, "s"), own = with(ENVELOPES "22 0004", "o");
    struct peer q = with("", "q");
    (void)state;

    says(&s, "82[ 0001 [] ('t/#') 00 ]");
    hears(&s, "90[ 0001 [] 00 ]");
    says(&own, "82[ 0001 [] ('t/#') 01 ]");
    hears(&own, "90[ 0001 [] 01 ]");
    says(&q, "33[ ('t/b') 0001 [ " ALL USER " ] '[1]' ]"
             "33[ ('t/b' c3a9) 0002 [] 'x' ] 33[ ('t/c') 0003 [] ff ]");
    hears(&q, "40 02 0001 40 02 0002 40 02 0003");
    hears_enveloped(&s, 0x30, "t/b", "[1]", PAYLOAD_JSON);
    hears_enveloped(&s, 0x30, "t/b\xc3\xa9", "x", PAYLOAD_TEXT);
    hears_enveloped(&s, 0x30, "t/c", "\xff", PAYLOAD_BINARY);
    hears_enveloped(&own, 0x32, "t/b", "[1]", PAYLOAD_JSON);
    hears_enveloped(&own, 0x32, "t/b\xc3\xa9", "x", PAYLOAD_TEXT);
    hears_enveloped(&own, 0x32, "t/c", "\xff", PAYLOAD_BINARY);
    says(&s, "82[ 0002 [] ('t/b' c3a9) 00 ]");
    hears(&s, "90[ 0002 [] 00 ]");
    hears_enveloped(&s, 0x31, "t/b\xc3\xa9", "x", PAYLOAD_TEXT);
    says(&q, "31[ ('t/b') [] ] 31[ ('t/c') [] ] 33[ ('t/b' c3a9) 0001 [] ]");
    hears(&q, "40 02 0001");
    peer_close(&s);
    peer_close(&own);
    peer_close(&q);
}

/* ---- one fan-out, many shapes ------------------------------------------- */

static void a_client_that_takes_less_does_not_spoil_it_for_others(void **state)
{
    /* The same shape for two of them, the packet is 28 bytes. */
    struct peer all = with("", "all"), few = with("27 0000001b", "few");
    struct peer known = with("", "known");
    struct peer known_few = with("27 0000001d", "known-few");
    struct peer aliased = with("22 0001 27 0000001b", "aliased");
    struct peer *const everybody[] = {&all, &few, &known, &known_few,
                                      &aliased};
    struct peer q = with("", "q");
    (void)state;

    for (size_t i = 0; i < 5; i++) {
        says(everybody[i], i == 2 || i == 3
                               ? "82[ 0001 [ 0b 05 ] ('t/shared') 01 ]"
                               : "82[ 0001 [] ('t/shared') 01 ]");
        hears(everybody[i], "90[ 0001 [] 01 ]");
    }
    const uint64_t before = status_number(&b, "\"packet_size\":");
    says(&q, "32[ ('t/shared') 0001 [] '0' ]"
             "32[ ('t/shared') 0002 [] '0123456789012' ]"
             "32[ ('t/shared') 0003 [] '2' ]");
    hears(&q, "40 02 0001 40 02 0002 40 02 0003");
    hears(&all, "32[ ('t/shared') 0001 [] '0' ]"
                "32[ ('t/shared') 0002 [] '0123456789012' ]"
                "32[ ('t/shared') 0003 [] '2' ]");
    hears(&few, "32[ ('t/shared') 0001 [] '0' ]"
                "32[ ('t/shared') 0002 [] '2' ]"); /* no id was used up */
    hears(&known, "32[ ('t/shared') 0001 [ 0b 05 ] '0' ]"
                  "32[ ('t/shared') 0002 [ 0b 05 ] '0123456789012' ]"
                  "32[ ('t/shared') 0003 [ 0b 05 ] '2' ]");
    hears(&known_few, "32[ ('t/shared') 0001 [ 0b 05 ] '0' ]"
                      "32[ ('t/shared') 0002 [ 0b 05 ] '2' ]");
    /* the alias makes room for it */
    hears(&aliased, "32[ ('t/shared') 0001 [ 23 0001 ] '0' ]"
                    "32[ () 0002 [ 23 0001 ] '0123456789012' ]"
                    "32[ () 0003 [ 23 0001 ] '2' ]");
    assert_int_equal(status_number(&b, "\"packet_size\":") - before, 2);
    for (size_t i = 0; i < 5; i++)
        peer_close(everybody[i]);
    peer_close(&q);
}

/* MQTT-3.3.4-2 to -4, when it comes from the log. */
static void catching_up_gives_one_message_with_all_identifiers(void **state)
{
    struct peer s = with("21 0001 22 0004", "s"), q = with("", "q");
    uint8_t body[64];
    size_t len;
    (void)state;

    says(&s, "82[ 0001 [ 0b 05 ] ('t/c/#') 00 ] 82[ 0002 [ 0b 06 ] "
             "('t/c/+') 01 ] 82[ 0003 [] ('t/c/x') 00 ]");
    hears(&s, "90[ 0001 [] 00 ] 90[ 0002 [] 01 ] 90[ 0003 [] 00 ]");
    says(&q, "32[ ('t/c/x') 0001 [] '1' ] 32[ ('t/c/x') 0002 [] '2' ]"
             "32[ ('t/c/y/z') 0003 [] '3' ] 32[ ('t/c/x') 0004 [] '4' ]");
    hears(&q, "40 02 0001 40 02 0002 40 02 0003 40 02 0004");
    assert_int_equal(hears_packet(&s, body, sizeof(body), &len), 0x32);
    assert_int_equal(len, 2 + 5 + 2 + 1 + 3 + 4 + 1);
    assert_memory_equal(body, "\0\5t/c/x\0\1\7\x23\0\1", 13);
    assert_int_equal(body[14] + body[16], 5 + 6);
    says(&s, "40 02 0001");
    /* the alias that was set live is used for what is read from the log */
    assert_int_equal(hears_packet(&s, body, sizeof(body), &len), 0x32);
    assert_memory_equal(body, "\0\0\0\2\7\x23\0\1", 8);
    assert_int_equal(body[9] + body[11], 5 + 6);
    says(&s, "40 02 0002");
    hears(&s, "30[ ('t/c/y/z') [ 23 0002 0b 05 ] '3' ]");
    assert_int_equal(hears_packet(&s, body, sizeof(body), &len), 0x32);
    assert_memory_equal(body, "\0\0\0\3\7\x23\0\1", 8);
    says(&s, "40 02 0003");
    peer_close(&s);
    peer_close(&q);
}

/* MQTT-3.1.2-27: 16 of ours at most, whatever the client would take. */
static void no_more_than_16_topics_have_an_alias(void **state)
{
    struct peer s = with("22 ffff", "s"), q = with("", "q");
    char text[128];
    (void)state;

    says(&s, "82[ 0001 [] ('t/n/#') 00 ]");
    hears(&s, "90[ 0001 [] 00 ]");
    for (int round = 0; round < 2; round++)
        for (int i = 1; i <= 17; i++) {
            snprintf(text, sizeof(text), "30[ ('t/n/%02d') [] 'x' ]", i);
            says(&q, text);
            if (i > 16)
                (void)0; /* as it was published */
            else if (round == 0)
                snprintf(text, sizeof(text),
                         "30[ ('t/n/%02d') [ 23 00%02x ] 'x' ]", i,
                         (unsigned)i);
            else
                snprintf(text, sizeof(text), "30[ () [ 23 00%02x ] 'x' ]",
                         (unsigned)i);
            hears(&s, text);
        }
    /* and none where it could make the packet longer */
    peer_close(&s);
    s = peer_tcp(broker_mqtt_port(b.broker));
    says(&s, "10[ ('MQTT') 05 02 0000 [ 22 0004 ] ('nameless') ]");
    uint8_t body[64];
    size_t len;
    assert_int_equal(hears_packet(&s, body, sizeof(body), &len), 0x20);
    says(&s, "82[ 0001 [] ('a/b') 00 ('a/bc') 00 ]");
    hears(&s, "90[ 0001 [] 00 00 ]");
    says(&s, "30[ ('a/b') [] 'x' ] 30[ ('a/bc') [] 'x' ]");
    hears(&s, "30[ ('a/b') [] 'x' ] 30[ ('a/bc') [ 23 0001 ] 'x' ]");
    peer_close(&s);
    peer_close(&q);
}

/* An alias is set by the packet that carries it, whatever becomes of that. */
static void a_refused_publish_sets_its_alias_too(void **state)
{
    struct peer p = with("17 00", "p");
    (void)state;

    says(&p,
         "32[ ('o/x') 0001 [ 23 0001 ] 'x' ] 32[ () 0002 [ 23 0001 ] 'x' ] "
         "32[ ('t/ok') 0003 [ 23 0001 ] 'x' ] 32[ () 0004 [ 23 0001 ] ]");
    hears(&p, "40 03 0001 87 40 03 0002 87 40 02 0003 40 02 0004");
    peer_close(&p);
}

static void shared_subscriptions_have_identifiers_and_aliases(void **state)
{
    struct peer s = with("22 0004", "s"), q = with("", "q");
    (void)state;

    says(&s, "82[ 0001 [ 0b 07 ] ('$share/g/t/sh/+') 01 ]");
    hears(&s, "90[ 0001 [] 01 ]");
    says(&q, "32[ ('t/sh/1') 0001 [] '1' ] 30[ ('t/sh/1') [] '2' ]");
    hears(&q, "40 02 0001");
    hears(&s, "32[ ('t/sh/1') 0001 [ 23 0001 0b 07 ] '1' ]"
              "30[ () [ 23 0001 0b 07 ] '2' ]");
    says(&s, "40 02 0001");
    peer_close(&s);
    peer_close(&q);
}

/* Aliases end with their connection (MQTT-3.3.2-7), what is in flight does not;
 * and a PUBLISH that waits for the disk keeps its place before those which use
 * the alias it sets. */
static void what_comes_again_has_its_topic(void **state)
{
    struct peer s = with("11 00000e10 22 0004", "again"), q = with("", "q");
    uint8_t body[64];
    size_t len;
    (void)state;

    says(&s, "82[ 0001 [ 0b 07 ] ('t/again') 02 ]");
    hears(&s, "90[ 0001 [] 02 ]");
    says(&q, "34[ ('t/again') 0001 [] '1' ] 32[ ('t/again') 0002 [] '2' ] "
             "30[ ('t/again') [] '3' ]");
    hears(&q, "50 02 0001 40 02 0002");
    hears(&s, "34[ ('t/again') 0001 [ 23 0001 0b 07 ] '1' ]"
              "32[ () 0002 [ 23 0001 0b 07 ] '2' ]"
              "30[ () [ 23 0001 0b 07 ] '3' ]");
    peer_close(&s);
    s = peer_tcp(broker_mqtt_port(b.broker));
    says(&s, "10[ ('MQTT') 05 80 0000 [ 22 0004 ] ('again') ('t') ]");
    assert_int_equal(hears_packet(&s, body, sizeof(body), &len), 0x20);
    assert_int_equal(body[0], 1);
    hears(&s, "3c[ ('t/again') 0001 [ 0b 07 ] '1' ]"
              "3a[ ('t/again') 0002 [ 0b 07 ] '2' ]");
    says(&s, "50 02 0001 40 02 0002");
    hears(&s, "62 02 0001");
    says(&s, "70 02 0001");
    says(&q, "34[ ('t/again') 0003 [] '4' ]");
    hears(&s, "34[ ('t/again') 0003 [ 23 0001 0b 07 ] '4' ]");
    says(&s, "e0 00");
    hears_end(&s);
    peer_close(&s);
    peer_close(&q);
}

/* QoS 1, packet id 1, to a topic of so many bytes that begins like that. */
static void says_alias(struct peer *p, uint8_t alias, const char *begins,
                       size_t topic_len)
{
    static uint8_t topic[70000];
    const uint8_t tail[] = {0, 1, 3, 0x23, 0, alias};
    size_t body = 2 + topic_len + sizeof(tail);
    struct buffer bytes = BUFFER_INIT;

    memset(topic, 'n', topic_len);
    memcpy(topic, begins, strlen(begins));
    buffer_put_char(&bytes, 0x32);
    for (; body > 127; body >>= 7)
        buffer_put_char(&bytes, (char)(body | 128U));
    buffer_put_char(&bytes, (char)body);
    buffer_put_char(&bytes, (char)(topic_len >> 8));
    buffer_put_char(&bytes, (char)topic_len);
    buffer_put(&bytes, topic, topic_len);
    buffer_put(&bytes, tail, sizeof(tail));
    says_bytes(p, bytes.data, bytes.len);
    buffer_release(&bytes);
}

static void hears_pong(struct peer *p)
{
    says(p, "c0 00");
    hears(p, "d0 00");
}

static void aliases_are_counted_with_what_a_worker_holds(void **state)
{
    enum { FULL = 256 << 20 };
    struct by_hand h;
    struct peer p;
    uint8_t body[64];
    size_t len;
    (void)state;

    by_hand_begin(&h, 1);
    const uint64_t *held = &h.workers[0]->held[HELD_INPUT];
    p = by_hand_stranger(&h);
    says(&p, "10[ ('MQTT') 05 82 0000 [] ('p') ('t') ]");
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x20);
    hears_pong(&p);
    const uint64_t before = *held;
    says_alias(&p, 1, "t/", 250);
    hears(&p, "40 02 0001");
    assert_int_equal(*held, before + 250);
    says_alias(&p, 1, "t/", 200); /* in the place of the other one */
    hears(&p, "40 02 0001");
    says_alias(&p, 16, "t/", 170);
    hears(&p, "40 02 0001");
    assert_int_equal(*held, before + 370);

    /* no room: the client has to go, and what it held is free again */
    h.workers[0]->held[HELD_INPUT] += FULL;
    says_alias(&p, 2, "t/", 170);
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0xe0);
    assert_int_equal(body[0], 0x89);
    hears_end(&p);
    assert_int_equal(*held, FULL);
    h.workers[0]->held[HELD_INPUT] = 0;
    peer_close(&p);
    by_hand_end(&h);
}

/* A client may not publish to it, however long it is: its alias is one of a topic
 * that is refused, and takes no memory. */
static void an_alias_of_a_refused_topic_holds_nothing(void **state)
{
    struct by_hand h;
    struct peer p;
    uint8_t body[256];
    size_t len;
    (void)state;

    by_hand_begin(&h, 1);
    p = by_hand_stranger(&h);
    says(&p, "10[ ('MQTT') 05 82 0000 [] ('p') ('t') ]");
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x20);
    const uint64_t *held = &h.workers[0]->held[HELD_INPUT];
    const struct {
        const char *begins;
        uint8_t reason;
    } cases[] = {{"other/", 0x87}, {"t/", 0x90}, {"t//", 0x90}, {"$x", 0x87}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        says_alias(&p, 1, "t/x", 3);
        hears(&p, "40 02 0001");
        assert_int_equal(*held, 3);
        for (uint8_t alias = 1; alias <= 16; alias++) {
            says_alias(&p, alias, cases[i].begins, 60000);
            assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x40);
            assert_int_equal(body[2], cases[i].reason);
            says_alias(&p, alias, "", 0);
            assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x40);
            assert_int_equal(body[2], cases[i].reason);
        }
        assert_int_equal(*held, 0);
    }
    peer_close(&p);
    by_hand_end(&h);
}

/* MQTT-3.3.1-9 to -13 and MQTT-3.8.3-3, filter by filter. */
static void options_are_those_of_each_filter(void **state)
{
    struct peer s = with("", "s"), q = with("", "q");
    (void)state;

    says(&q, "33[ ('t/opt/a') 0001 [] 'q' ]");
    hears(&q, "40 02 0001");
    says(&s, "33[ ('t/opt/b') 0001 [] 's' ]");
    hears(&s, "40 02 0001");
    /* Retain Handling 2, then 1 to a filter that is there, then 0 */
    says(&s, "82[ 0001 [] ('t/opt/a') 20 ('t/opt/a') 10 ]"
             "82[ 0002 [] ('t/opt/a') 00 ]");
    hears(&s, "90[ 0001 [] 00 00 ] 90[ 0002 [] 00 ] 31[ ('t/opt/a') [] 'q' ]");
    /* 1 to one that was unsubscribed is a new one */
    says(&s, "a2[ 0003 [] ('t/opt/a') ] 82[ 0004 [] ('t/opt/a') 10 ]");
    hears(&s, "b0[ 0003 [] 00 ] 90[ 0004 [] 00 ] 31[ ('t/opt/a') [] 'q' ]");
    /* No Local: nor one's own retained ones; Retain As Published changes
     * nothing about those that are retained */
    says(&s, "82[ 0005 [] ('t/opt/+') 04 ('t/opt/a') 08 ]");
    hears(&s, "90[ 0005 [] 00 00 ] 31[ ('t/opt/a') [] 'q' ]"
              "31[ ('t/opt/a') [] 'q' ]");
    /* live: as published if one of the filters says so */
    says(&q, "31[ ('t/opt/a') [] '1' ] 31[ ('t/opt/b') [] '2' ]");
    hears(&s, "31[ ('t/opt/a') [] '1' ] 30[ ('t/opt/b') [] '2' ]");
    says(&s, "30[ ('t/opt/b') [] '3' ] 30[ ('t/opt/a') [] '4' ]");
    hears(&s, "30[ ('t/opt/a') [] '4' ]");
    peer_close(&s);
    peer_close(&q);
}

/* MQTT-4.7.2-1, and who is asked about `$…` at all. */
static void wildcards_do_not_reach_dollar_topics(void **state)
{
    struct peer s = device5(&b, NULL, "s"), a = administrator(&b, "a");
    uint8_t body[256];
    size_t len;
    (void)state;

    says(&s, "82[ 0001 [] ('#') 20 ('+/#') 20 ('+/t/#') 20 ('$events/t/#') 20 "
             "('$confab/#') 20 ('$SYS/#') 20 ('$events/+/x') 20 ]");
    assert_int_equal(hears_packet(&s, body, sizeof(body), &len), 0x90);
    assert_memory_equal(body + len - 7, "\0\0\0\0\x87\0\x87", 7);
    says(&a, "30[ ('$events/t/x') [] 'event' ] 30[ ('t/y') [] 'message' ]");
    hears(&s, "30[ ('$events/t/x') [] 'event' ] 30[ ('t/y') [] 'message' ]");
    says(&s, "a2[ 0002 [] ('$events/t/#') ]");
    hears(&s, "b0[ 0002 [] 00 ]");
    says(&a, "30[ ('$events/t/x') [] 'event' ] 30[ ('t/y') [] 'message' ]");
    hears(&s, "30[ ('t/y') [] 'message' ]");
    peer_close(&s);
    peer_close(&a);
}

/* ---- what stays unsaid -------------------------------------------------- */

static void without_request_problem_information_no_reason_is_given(
    void **state)
{
    struct peer p = with("17 00 26 ('confab') ('receipts')", "p");
    struct peer q = with("17 01", "q");
    uint8_t body[256];
    size_t len;
    (void)state;

    /* MQTT-3.1.2-29: not in PUBACK, PUBREC, SUBACK, UNSUBACK … */
    says(&p, "32[ ('o/x') 0001 [] 'x' ] 34[ ('o/x') 0002 [] 'x' ] "
             "82[ 0003 [] ('o/#') 00 ] a2[ 0004 [] ('o/#') ]");
    hears(&p, "40 03 0001 87 50 03 0002 87 90[ 0003 [] 87 ] b0[ 0004 [] 11 ]");
    says(&p, "32[ ('t/x') 0005 [] 'x' ]");
    hears(&p, "40 02 0005"); /* nor a receipt */
    says(&q, "32[ ('o/x') 0001 [] 'x' ]");
    assert_int_equal(hears_packet(&q, body, sizeof(body), &len), 0x40);
    assert_true(len > 4 && body[4] == 0x1f);
    /* … but in PUBLISH, and in DISCONNECT, where it may be */
    says(&p, "82[ 0006 [] ('t/u') 00 ]");
    hears(&p, "90[ 0006 [] 00 ]");
    says(&p, "30[ ('t/u') [ 26 ('a') ('1') ] 'x' ]");
    hears(&p, "30[ ('t/u') [ 26 ('a') ('1') ] 'x' ]");
    says(&p, "30[ ('t/x') [ 23 0011 ] 'x' ]");
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0xe0);
    assert_int_equal(body[0], 0x94);
    assert_int_equal(body[2], 0x1f);
    peer_close(&p);
    peer_close(&q);
}

static void response_information_is_asked_for_and_not_given(void **state)
{
    struct peer p = peer_tcp(broker_mqtt_port(b.broker));
    (void)state;

    says(&p, "10[ ('MQTT') 05 82 0000 [ 19 01 ] ('r') ('t') ]");
    hears(&p, "20[ 00 00 [ 27 00120000 22 0010 ] ]"); /* §3.2.2.3.15: may */
    peer_close(&p);
}

/* ---- expiry ------------------------------------------------------------- */

/* Published `ago_s` before now, QoS 1, retained. */
static void append_expiring(struct by_hand *h, const char *topic,
                            int64_t ago_s, uint32_t expiry_s)
{
    const struct message from = {.topic = slice_str(topic),
                                 .qos = 1,
                                 .retain = true,
                                 .has_expiry = true,
                                 .expiry_s = expiry_s,
                                 .payload = slice_str("m")};
    struct message_append args = {0};
    struct command c = {.kind = COMMAND_APPEND,
                        .args = &args,
                        .message = message_new(&from)};

    by_hand_writer_behind(ago_s * 1000000);
    by_hand_run(h, &c);
    message_unref(c.message);
}

/* A PUBLISH of that topic with a Message Expiry Interval of about left_s. */
static void hears_expiring(struct peer *p, unsigned first, const char *topic,
                           uint32_t left_s)
{
    uint8_t body[64];
    size_t len;
    const size_t n = strlen(topic);

    assert_int_equal(hears_packet(p, body, sizeof(body), &len), first);
    assert_memory_equal(body + 2, topic, n);
    const uint8_t *at = body + 2 + n + (first & 6 ? 2 : 0);
    assert_int_equal(at[0], 5);
    assert_int_equal(at[1], 2);
    const uint32_t left = (uint32_t)at[2] << 24 | (uint32_t)at[3] << 16 |
                          (uint32_t)at[4] << 8 | at[5];
    assert_in_range(left, left_s - 30, left_s); /* slow machines */
}

static struct peer joins(struct by_hand *h, const char *properties,
                         const char *subscribe)
{
    struct peer p = by_hand_stranger(h);
    char text[128];
    uint8_t body[64];
    size_t len;

    snprintf(text, sizeof(text), "10[ ('MQTT') 05 82 0000 [%s] ('s') ('t') ]",
             properties);
    says(&p, text);
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x20);
    says(&p, subscribe);
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x90);
    return p;
}

/* MQTT-3.3.2-5 and -6, for what has waited as retained or in the log. */
static void what_waited_has_less_time_left(void **state)
{
    struct by_hand h;
    struct peer p, q;
    (void)state;

    by_hand_begin(&h, 1);
    append_expiring(&h, "t/gone", 100, 99);
    append_expiring(&h, "t/here", 100, 1100);
    p = joins(&h, "", "82[ 0001 [] ('t/+') 01 ]");
    hears_expiring(&p, 0x33, "t/here", 1000);
    says(&p, "40 02 0001 e0 00");
    hears_end(&p);
    peer_close(&p);

    /* live and behind: the same */
    p = joins(&h, "21 0001", "82[ 0001 [] ('t/w') 21 ]");
    append_expiring(&h, "t/w", 50, 1050);
    append_expiring(&h, "t/w", 50, 49);
    append_expiring(&h, "t/w", 40, 2040);
    hears_expiring(&p, 0x32, "t/w", 1000);
    says(&p, "40 02 0001");
    hears_expiring(&p, 0x32, "t/w", 2000);
    says(&p, "40 02 0002");

    /* an old client is not told, and gets no expired one either */
    q = by_hand_guest(&h, "old", "t");
    says(&q, "82[ 0001 ('t/+') 00 ]");
    hears(&q, "90[ 0001 00 ] 31[ ('t/here') 'm' ] 31[ ('t/w') 'm' ] ");
    says(&q, "c0 00");
    hears(&q, "d0 00");
    peer_close(&q);
    peer_close(&p);
    by_hand_end(&h);
}

static int begin(void **state)
{
    (void)state;
    broker_fixture_prepare(&b);
    broker_fixture_start(&b);
    return 0;
}

static int end(void **state)
{
    (void)state;
    broker_fixture_stop(&b);
    broker_fixture_remove(&b);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(properties_are_the_same_on_every_way),
        cmocka_unit_test(
            empty_properties_are_forwarded_and_absent_ones_are_not),
        cmocka_unit_test(a_bare_message_has_nothing_a_library_could_refuse),
        cmocka_unit_test(a_stamped_envelope_says_what_the_log_knows),
        cmocka_unit_test(
            a_client_that_takes_less_does_not_spoil_it_for_others),
        cmocka_unit_test(catching_up_gives_one_message_with_all_identifiers),
        cmocka_unit_test(no_more_than_16_topics_have_an_alias),
        cmocka_unit_test(a_refused_publish_sets_its_alias_too),
        cmocka_unit_test(options_are_those_of_each_filter),
        cmocka_unit_test(wildcards_do_not_reach_dollar_topics),
        cmocka_unit_test(shared_subscriptions_have_identifiers_and_aliases),
        cmocka_unit_test(what_comes_again_has_its_topic),
        cmocka_unit_test(aliases_are_counted_with_what_a_worker_holds),
        cmocka_unit_test(an_alias_of_a_refused_topic_holds_nothing),
        cmocka_unit_test(
            without_request_problem_information_no_reason_is_given),
        cmocka_unit_test(response_information_is_asked_for_and_not_given),
        cmocka_unit_test(what_waited_has_less_time_left),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
