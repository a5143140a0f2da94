/* Clients whose password is a key or a JWT: who is let in, what they may do, and when
 * they are closed. Over MQTT 3.1.1 and 5. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "base/clock.h"
#include "store/command/key.h"
#include "store/command/tenant.h"
#include "store/directory.h"
#include "store/identity.h"
#include "test/unit/base/jwt_tokens.h"
#include "test/unit/store/by_hand.h"

static struct by_hand h;
static int version; /* 4: 3.1.1, 5 */

static void create_tenant(const char *tenant)
{
    struct tenant_create args = {.tenant = slice_str(tenant),
                                 .plan = slice_str("home")};
    struct command c = {.kind = COMMAND_TENANT_CREATE, .args = &args};

    by_hand_run(&h, &c);
}

static void set_setting(const char *tenant, const char *setting)
{
    struct slice one = slice_str(setting);
    struct tenant_set args = {slice_str(tenant), {0}, &one, 1};
    struct command c = {.kind = COMMAND_TENANT_SET, .args = &args};

    by_hand_run(&h, &c);
}

static int begin(void **state)
{
    (void)state;
    by_hand_begin(&h, 1);
    create_tenant("acme");
    create_tenant("other");
    return 0;
}

static int end(void **state)
{
    (void)state;
    by_hand_end(&h);
    return 0;
}

/* ---- keys ------------------------------------------------------------------------ */

struct a_key {
    char secret[SECRET_SIZE];
    char id[KEY_ID_SIZE];
};

static struct a_key make_key(struct key_create args)
{
    unsigned char hash[SECRET_HASH_BYTES];
    struct a_key key;

    secret_make((enum secret_kind)args.kind, key.secret);
    secret_hash(slice_str(key.secret), hash);
    key_id_make(hash, key.id);
    args.hash = slice_of(hash, sizeof(hash));
    args.tenant = slice_str("acme");
    struct command c = {.kind = COMMAND_KEY_CREATE, .args = &args};
    by_hand_run(&h, &c);
    return key;
}

/* A device that publishes to `home/ann/…` and hears `home/+/set`. */
static struct a_key device_key(int64_t expires_us)
{
    struct slice rights[] = {slice_str("publish home/%u/#"),
                             slice_str("subscribe home/+/set")};

    return make_key((struct key_create){.kind = SECRET_DEVICE,
                                        .rights = rights,
                                        .right_count = 2,
                                        .user = slice_str("ann"),
                                        .expires_us = expires_us});
}

static void revoke_key(const struct a_key *key)
{
    struct key_revoke args = {slice_str("acme"), slice_str(key->id)};
    struct command c = {.kind = COMMAND_KEY_REVOKE, .args = &args};

    by_hand_run(&h, &c);
}

/* ---- clients --------------------------------------------------------------------- */

/* Says CONNECT. flags: C2, or C0 to keep the session. will: "" or the will's parts */
static struct peer knocks(const char *id, const char *flags, const char *will,
                          const char *user, const char *password)
{
    struct peer p = by_hand_stranger(&h);
    static char text[12000];
    const bool is_5 = version == 5;
    const bool stays = strcmp(flags, "c0") == 0;

    snprintf(text, sizeof(text),
             "10[ ('MQTT') %02x %s 0000 %s ('%s') %s ('%s') ('%s') ]", version,
             flags,
             !is_5   ? ""
             : stays ? "[ 11 0000003c ]"
                     : "[]",
             id, will, user, password);
    says(&p, text);
    return p;
}

/* The code of CONNACK. */
static uint8_t answer_of(struct peer *p)
{
    uint8_t body[512];
    size_t len;

    assert_int_equal(hears_packet(p, body, sizeof(body), &len), 0x20);
    assert_true(len >= 2);
    return body[1];
}

static struct peer client(const char *id, const struct a_key *key)
{
    struct peer p = knocks(id, "c2", "", "acme", key->secret);

    assert_int_equal(answer_of(&p), 0);
    return p;
}

static void leaves(struct peer *p)
{
    says(p, "e000");
    hears_end(p);
    peer_close(p);
}

#define refused(user, password, code5, code3)                                 \
    do {                                                                      \
        struct peer refused_ = knocks("x", "c2", "", user, password);         \
        assert_int_equal(answer_of(&refused_), version == 5 ? code5 : code3); \
        hears_end(&refused_);                                                 \
        peer_close(&refused_);                                                \
    } while (0)

static void accepted(const char *user, const char *password)
{
    struct peer p = knocks("x", "c2", "", user, password);

    assert_int_equal(answer_of(&p), 0);
    leaves(&p);
}

/* ---- CONNECT --------------------------------------------------------------------- */

static void user_name_is_the_tenant_or_empty(void **state)
{
    const struct a_key key = device_key(0);
    (void)state;

    accepted("acme", key.secret);
    accepted("", key.secret);
    refused("other", key.secret, 0x86, 4);
    refused("a b", key.secret, 0x86, 4);
    refused("guest", key.secret, 0x86, 4);
}

static void key_that_does_not_hold_is_refused(void **state)
{
    struct a_key key = device_key(0);
    char never[SECRET_SIZE];
    (void)state;

    secret_make(SECRET_DEVICE, never);
    refused("acme", never, 0x86, 4);
    refused("", never, 0x86, 4);
    refused("acme", "", 0x86, 4); /* a name that opens nothing */
    refused("acme", "hello", 0x86, 4);
    /* A name of open mode: with a bad key it is refused, with a password that is
     * none it is let in, as always. */
    refused("guest", never, 0x86, 4);
    accepted("guest", "hello");
    revoke_key(&key);
    refused("acme", key.secret, 0x86, 4);
    refused("", key.secret, 0x86, 4);
    key = device_key(clock_real_us() - 1);
    refused("acme", key.secret, 0x86, 4);
}

static void ticket_is_refused(void **state)
{
    const struct a_key ticket = make_key((struct key_create){
        .kind = SECRET_TICKET, .expires_us = clock_real_us() + 60000000});
    (void)state;

    refused("acme", ticket.secret, 0x86, 4);
}

static void jwt_names_its_user_and_rights(void **state)
{
    (void)state;

    refused("acme", HS256_PRETTY, 0x86,
            4); /* the tenant has no key for JWTs */
    set_setting("acme", "jwt.secret=" SECRET_TEXT);
    refused("acme", HS256_PRETTY, 0x87, 5); /* without `confab` */
    refused("acme", HS256_BY_OTHER, 0x86, 4);
    refused("acme", NONE_0, 0x86, 4);
    refused("", HS256_PRETTY, 0x86, 4);
    refused("guest", HS256_PRETTY, 0x86, 4);
}

/* ---- rights ---------------------------------------------------------------------- */

/* QoS 1: what comes instead of the message's storage. */
static void publishes(struct peer *p, const char *topic, bool allowed)
{
    char text[128];

    snprintf(text, sizeof(text), "32[ ('%s') 0007 %s 'x' ]", topic,
             version == 5 ? "[]" : "");
    says(p, text);
    if (allowed)
        hears(p, "40 02 0007");
    else if (version == 4)
        hears_end(p); /* 3.1.1 has no code for it */
    else {
        uint8_t body[256];
        size_t len;
        assert_int_equal(hears_packet(p, body, sizeof(body), &len), 0x40);
        assert_int_equal(body[2], 0x87);
    }
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
    assert_int_equal(body[len - 1], version == 5 || code < 0x80 ? code : 0x80);
}

static void rights_hold_for_subscriptions(void **state)
{
    static const struct {
        const char *filter;
        uint8_t code;
    } rows[] = {
        {"acme/home/+/set", 1},
        {"acme/home/lamp/set", 1},
        {"$share/g/acme/home/+/set", 1},
        {"$events/acme/status/home/lamp/set", 1},
        {"acme/home/#", 0x87},
        {"acme/#", 0x87},
        {"#", 0x87},
        {"acme/home/ann/temp", 0x87},
        {"other/home/lamp/set", 0x87},
        {"$share/g/acme/#", 0x87},
        {"$events/acme/#", 0x87},
        {"$events/other/status/home/lamp/set", 0x87},
        {"$SYS/#", 0x87},
    };
    const struct a_key key = device_key(0);
    struct peer p = client("c", &key);
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        subscribes(&p, rows[i].filter, rows[i].code);
    leaves(&p);
}

static void rights_hold_for_publishing_and_wills(void **state)
{
    static const struct {
        const char *topic;
        bool allowed;
    } rows[] = {
        {"acme/home/ann/temp", true},  {"acme/home/bob/temp", false},
        {"acme/home/lamp/set", false}, {"acme/home", false},
        {"other/home/ann/x", false},   {"$events/acme/status/x", false},
    };
    const struct a_key key = device_key(0);
    char will[128];
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct peer p = client("c", &key);
        publishes(&p, rows[i].topic, rows[i].allowed);
        peer_close(&p);

        snprintf(will, sizeof(will), "%s ('%s') ('bye')",
                 version == 5 ? "[]" : "", rows[i].topic);
        p = knocks("w", "c6", will, "acme", key.secret);
        if (rows[i].allowed)
            assert_int_equal(answer_of(&p), 0);
        else
            assert_int_equal(answer_of(&p), version == 5 ? 0x87 : 5);
        peer_close(&p);
    }
}

/* The sender that the log has for the last message. */
static void sender_is_the_keys_user(void **state)
{
    const struct a_key key = device_key(0);
    struct peer p = client("c", &key);
    struct store_reader *r;
    struct record record;
    (void)state;

    publishes(&p, "acme/home/ann/temp", true);
    assert_int_equal(store_snapshot(h.store, &r), STORE_OK);
    assert_int_equal(store_latest(r, slice_str("acme/home/ann/temp"), &record),
                     STORE_OK);
    assert_true(slice_eq(record.m.sender, slice_str("ann")));
    store_reader_release(r);
    leaves(&p);
}

/* ---- the end --------------------------------------------------------------------- */

static void hears_close(struct peer *p, uint8_t code)
{
    uint8_t body[256];
    size_t len;

    if (version == 5) {
        assert_int_equal(hears_packet(p, body, sizeof(body), &len), 0xe0);
        assert_int_equal(body[0], code);
    }
    hears_end(p);
    peer_close(p);
}

static void revoking_a_key_closes_its_connections_only(void **state)
{
    const struct a_key one = device_key(0), two = device_key(0);
    struct peer a = client("a", &one), b = client("b", &one),
                c = client("c", &two);
    (void)state;

    revoke_key(&one);
    hears_close(&a, 0x87);
    hears_close(&b, 0x87);
    says(&c, "c000");
    hears(&c, "d0 00");
    leaves(&c);
}

/* The worker had no room for the batch with the event. */
static void lost_event_is_made_up_for(void **state)
{
    const struct a_key one = device_key(0), two = device_key(0);
    struct peer a = client("a", &one), c = client("c", &two);
    struct store_stats stats;
    (void)state;

    assert_int_equal(store_stats(h.store, &stats), STORE_OK);
    atomic_store(&h.workers[0]->missed, stats.head + 1);
    revoke_key(&one);
    /* done() comes before the batch is offered: one more command, and it was. */
    struct command after = {.kind = COMMAND_PING};
    by_hand_run(&h, &after);
    hears_close(&a, 0x87);
    says(&c, "c000");
    hears(&c, "d0 00");
    leaves(&c);
}

static void expiry_closes_within_a_second(void **state)
{
    const struct a_key soon = device_key(clock_real_us() + 700000);
    const struct a_key later = device_key(clock_real_us() + 3600000000);
    struct peer a = client("a", &soon), c = client("c", &later);
    (void)state;

    hears_close(&a, 0xa0);
    says(&c, "c000");
    hears(&c, "d0 00");
    leaves(&c);
}

/* ---- stored sessions -------------------------------------------------------------- */

static void fewer_rights_do_not_get_the_old_filters_back(void **state)
{
    const struct a_key all =
        make_key((struct key_create){.kind = SECRET_SERVER});
    const struct a_key few = device_key(0);
    struct peer p = knocks("s", "c0", "", "acme", all.secret);
    (void)state;

    assert_int_equal(answer_of(&p), 0);
    subscribes(&p, "acme/#", 1);
    subscribes(&p, "$events/acme/#", 1);
    subscribes(&p, "$share/g/acme/secret", 1);
    subscribes(&p, "acme/home/lamp/set", 1);
    /* One message stays unanswered. */
    by_hand_append(&h, "acme/secret/1", 1, slice_str("a"));
    hears(&p, version == 5 ? "32[ ('acme/secret/1') 0001 [] 'a' ]"
                           : "32[ ('acme/secret/1') 0001 'a' ]");
    says(&p, "e000");
    hears_end(&p);
    peer_close(&p);
    by_hand_append(&h, "acme/secret/2", 1, slice_str("b"));
    by_hand_append(&h, "acme/home/lamp/set", 1, slice_str("on"));

    p = knocks("s", "c0", "", "acme", few.secret);
    assert_int_equal(answer_of(&p), 0);
    by_hand_append(&h, "acme/secret", 1, slice_str("c"));
    by_hand_append(&h, "acme/home/lamp/set", 1, slice_str("off"));
    uint8_t body[256];
    size_t len;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(hears_packet(&p, body, sizeof(body), &len) & 0xf7,
                         0x32);
        assert_memory_equal(body + 2, "acme/home/lamp/set", 18);
    }
    hears_nothing(&p, 50);
    says(&p, "e000");
    hears_end(&p);
    peer_close(&p);

    /* They are gone for good, as after UNSUBSCRIBE. */
    p = knocks("s", "c0", "", "acme", all.secret);
    assert_int_equal(answer_of(&p), 0);
    for (int i = 0; i < 2; i++)
        (void)hears_packet(&p, body, sizeof(body), &len);
    by_hand_append(&h, "acme/secret/3", 1, slice_str("d"));
    by_hand_append(&h, "acme/secret", 1, slice_str("d"));
    hears_nothing(&p, 50);
    peer_close(&p);
    p = knocks("s", "c2", "", "acme", all.secret);
    assert_int_equal(answer_of(&p), 0);
    leaves(&p);
}

static int as_311(void **state)
{
    version = 4;
    return begin(state);
}

static int as_5(void **state)
{
    version = 5;
    return begin(state);
}

#define BOTH(test)                                                            \
    {#test " (3.1.1)", test, as_311, end, NULL},                              \
    {                                                                         \
#test " (5)", test, as_5, end, NULL                                   \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(user_name_is_the_tenant_or_empty),
        BOTH(key_that_does_not_hold_is_refused),
        BOTH(ticket_is_refused),
        BOTH(jwt_names_its_user_and_rights),
        BOTH(rights_hold_for_subscriptions),
        BOTH(rights_hold_for_publishing_and_wills),
        BOTH(sender_is_the_keys_user),
        BOTH(revoking_a_key_closes_its_connections_only),
        BOTH(lost_event_is_made_up_for),
        BOTH(expiry_closes_within_a_second),
        BOTH(fewer_rights_do_not_get_the_old_filters_back),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
