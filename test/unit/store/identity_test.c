/* Keys, tickets and JWTs become callers, or are refused with a reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <sodium.h>

#include "store/identity.h"
#include "test/unit/base/jwt_tokens.h"
#include "test/unit/store/writing.h"

/* ---- rows ------------------------------------------------------------------------ */

struct asking {
    struct writing w;
    struct callers *callers;
    struct jwt_memo *jwts;
    struct identity_refusal refusal;
    unsigned uses;                         /* of keys, that are to be saved */
    unsigned char used[SECRET_HASH_BYTES]; /* the last one */
};

static void asking_open(struct asking *s)
{
    struct sent *tenant = new_command(COMMAND_TENANT_CREATE);

    writing_open(&s->w, 0);
    s->callers = callers_new();
    s->jwts = jwt_memo_new(JWT_MEMO_ENTRIES, JWT_MEMO_BYTES);
    assert_non_null(s->callers);
    assert_non_null(s->jwts);
    *ARGS(tenant, tenant_create) =
        (struct tenant_create){.tenant = slice_str("acme"),
                               .plan = slice_str("home")};
    assert_result(run(&s->w, tenant), OK);
}

static void asking_close(struct asking *s)
{
    jwt_memo_free(s->jwts);
    callers_free(s->callers); /* asserts that nobody is left */
    writing_close(&s->w);
}

static void set_setting(struct asking *s, const char *setting)
{
    struct slice one = slice_str(setting);
    struct sent *c = new_command(COMMAND_TENANT_SET);

    *ARGS(c, tenant_set) =
        (struct tenant_set){slice_str("acme"), {0}, &one, 1};
    assert_result(run(&s->w, c), OK);
}

static void suspend(struct asking *s, bool lift)
{
    struct sent *c = new_command(COMMAND_TENANT_SUSPEND);

    *ARGS(c, tenant_suspend) =
        (struct tenant_suspend){slice_str("acme"), lift};
    assert_result(run(&s->w, c), OK);
}

/* A row with the hash of a new secret, which stays in `secret`. */
static void create_key(struct asking *s, struct key_create args,
                       char secret[SECRET_SIZE])
{
    unsigned char hash[SECRET_HASH_BYTES];
    struct sent *c = new_command(COMMAND_KEY_CREATE);

    secret_make((enum secret_kind)args.kind, secret);
    secret_hash(slice_str(secret), hash);
    args.hash = slice_of(hash, sizeof(hash));
    if (args.tenant.data == NULL)
        args.tenant = slice_str("acme");
    *ARGS(c, key_create) = args;
    assert_result(run(&s->w, c), OK);
}

static const char *id_of(const char *secret)
{
    static char id[KEY_ID_SIZE];
    unsigned char hash[SECRET_HASH_BYTES];

    secret_hash(slice_str(secret), hash);
    key_id_make(hash, id);
    return id;
}

/* ---- asking ---------------------------------------------------------------------- */

static void count_use(void *arg, const unsigned char hash[SECRET_HASH_BYTES])
{
    struct asking *s = arg;

    memcpy(s->used, hash, sizeof(s->used));
    s->uses++;
}

static struct identity_source source_of(struct asking *s,
                                        struct store_reader **ret_reader)
{
    assert_int_equal(store_snapshot(s->w.store, ret_reader), STORE_OK);
    return (struct identity_source){
        .callers = s->callers,
        .jwts = s->jwts,
        .config = &s->w.config,
        .reader = *ret_reader,
        .now_us = clock_now(),
        .on_key_used = count_use,
        .on_key_used_arg = s,
    };
}

static const struct caller *key_of(struct asking *s, const char *secret)
{
    struct store_reader *r;
    const struct identity_source from = source_of(s, &r);
    const struct caller *c =
        identity_of_key(&from, slice_str(secret), &s->refusal);

    store_reader_release(r);
    return c;
}

static const struct caller *ticket_of(struct asking *s, const char *secret)
{
    unsigned char hash[SECRET_HASH_BYTES], same[SECRET_HASH_BYTES];
    struct store_reader *r;
    const struct identity_source from = source_of(s, &r);
    const struct caller *c =
        identity_of_ticket(&from, slice_str(secret), hash, &s->refusal);

    if (c != NULL) {
        secret_hash(slice_str(secret), same);
        assert_memory_equal(hash, same, sizeof(hash));
    }
    store_reader_release(r);
    return c;
}

static const struct caller *jwt_of(struct asking *s, const char *tenant,
                                   const char *jwt)
{
    struct store_reader *r;
    const struct identity_source from = source_of(s, &r);
    const struct caller *c =
        identity_of_jwt(&from, slice_str(tenant), slice_str(jwt), &s->refusal);

    store_reader_release(r);
    return c;
}

#define assert_refused(caller, reason)                                        \
    do {                                                                      \
        assert_null(caller);                                                  \
        assert_int_equal(s.refusal.error, IDENTITY_##reason);                 \
        assert_true(strlen(s.refusal.text) > 10);                             \
    } while (0)

static void assert_slice(struct slice s, const char *text)
{
    assert_int_equal(s.len, strlen(text));
    assert_memory_equal(s.data, text, s.len);
}

static bool may(const struct caller *c, enum caller_action action,
                const char *topic)
{
    return caller_may(c, action, slice_str(topic));
}

/* ---- keys ------------------------------------------------------------------------ */

static void key_is_what_its_row_says(void **state)
{
    struct slice rights[] = {slice_str("publish home/%u/#"),
                             slice_str("subscribe home/+/set")};
    char secret[SECRET_SIZE];
    struct asking s = {0};

    asking_open(&s);
    create_key(&s,
               (struct key_create){.kind = SECRET_DEVICE,
                                   .rights = rights,
                                   .right_count = 2,
                                   .mounted = true,
                                   .mount = slice_str("home"),
                                   .user = slice_str("ann"),
                                   .expires_us = TEST_EPOCH + 90 * SECOND},
               secret);
    const struct caller *c = key_of(&s, secret);
    assert_non_null(c);
    assert_slice(c->tenant, "acme");
    assert_slice(c->key, id_of(secret));
    assert_slice(c->user, "ann");
    assert_slice(c->mount, "home");
    assert_true(c->mounted);
    assert_true(c->expires_us == TEST_EPOCH + 90 * SECOND);
    assert_string_equal(c->plan->name, "home");
    assert_true(may(c, CALLER_PUBLISH, "acme/home/ann/temp"));
    assert_false(may(c, CALLER_PUBLISH, "acme/home/bob/temp"));
    assert_true(may(c, CALLER_SUBSCRIBE, "acme/home/lamp/set"));
    assert_false(may(c, CALLER_SUBSCRIBE, "acme/#"));
    const struct caller *again = key_of(&s, secret);
    assert_ptr_equal(c, again); /* one object for all of its connections */
    caller_unref(again);
    caller_unref(c);
    asking_close(&s);
    (void)state;
}

static void key_without_rights_publishes_and_subscribes(void **state)
{
    char secret[SECRET_SIZE];
    struct asking s = {0};

    asking_open(&s);
    create_key(&s, (struct key_create){.kind = SECRET_SERVER}, secret);
    const struct caller *c = key_of(&s, secret);
    assert_non_null(c);
    assert_true(may(c, CALLER_PUBLISH, "acme/a/b"));
    assert_true(may(c, CALLER_SUBSCRIBE, "acme/#"));
    assert_false(may(c, CALLER_MANAGE, "acme/a/b"));
    assert_false(may(c, CALLER_ADMIN, "acme/#"));
    assert_false(may(c, CALLER_PUBLISH, "other/a"));
    assert_null(c->user.data);
    assert_false(c->mounted);
    assert_true(c->expires_us == 0);
    caller_unref(c);
    asking_close(&s);
    (void)state;
}

static void callers_that_differ_in_mount_or_end_are_two(void **state)
{
    struct callers *all = callers_new();
    struct caller one = caller_of_token(slice_str("acme"), NULL);

    const struct caller *plain = caller_share(all, &one);
    one.mounted = true;
    const struct caller *root = caller_share(all, &one);
    one.mount = slice_str("home");
    const struct caller *home = caller_share(all, &one);
    one.expires_us = 1;
    const struct caller *ends = caller_share(all, &one);
    assert_ptr_not_equal(plain, root);
    assert_ptr_not_equal(root, home);
    assert_ptr_not_equal(home, ends);
    assert_slice(ends->mount, "home");
    caller_unref(plain);
    caller_unref(root);
    caller_unref(home);
    caller_unref(ends);
    callers_free(all);
    (void)state;
}

static void plan_is_the_keys_or_the_tenants(void **state)
{
    char secret[SECRET_SIZE];
    struct asking s = {0};

    asking_open(&s);
    create_key(&s,
               (struct key_create){.kind = SECRET_SERVER,
                                   .plan = slice_str("free")},
               secret);
    const struct caller *c = key_of(&s, secret);
    assert_non_null(c);
    assert_string_equal(c->plan->name, "free");
    caller_unref(c);
    asking_close(&s);
    (void)state;
}

static void key_that_does_not_hold_is_refused(void **state)
{
    char secret[SECRET_SIZE], other[SECRET_SIZE];
    struct asking s = {0};
    struct sent *revoke;

    asking_open(&s);
    secret_make(SECRET_SERVER, other);
    assert_refused(key_of(&s, other), KEY);
    create_key(&s,
               (struct key_create){.kind = SECRET_SERVER,
                                   .expires_us = TEST_EPOCH + SECOND},
               secret);
    caller_unref(key_of(&s, secret));
    clock_set(TEST_EPOCH + SECOND - 1);
    const struct caller *c = key_of(&s, secret);
    assert_non_null(c);
    caller_unref(c);
    clock_set(TEST_EPOCH + SECOND);
    assert_refused(key_of(&s, secret), EXPIRED);

    create_key(&s, (struct key_create){.kind = SECRET_SERVER}, secret);
    suspend(&s, false);
    assert_refused(key_of(&s, secret), TENANT_SUSPENDED);
    suspend(&s, true);
    revoke = new_command(COMMAND_KEY_REVOKE);
    *ARGS(revoke, key_revoke) =
        (struct key_revoke){slice_str("acme"), slice_str(id_of(secret))};
    assert_result(run(&s.w, revoke), OK);
    assert_refused(key_of(&s, secret), KEY);

    create_key(&s, (struct key_create){.kind = SECRET_SERVER}, secret);
    assert_result(revoke_token(&s.w, "acme"), OK);
    assert_refused(key_of(&s, secret), TENANT_REVOKED);
    asking_close(&s);
    (void)state;
}

/* ---- tickets --------------------------------------------------------------------- */

static void ticket_is_no_key_and_a_key_no_ticket(void **state)
{
    struct slice rights[] = {slice_str("subscribe home/#")};
    char parent[SECRET_SIZE], ticket[SECRET_SIZE];
    struct asking s = {0};

    asking_open(&s);
    create_key(&s,
               (struct key_create){.kind = SECRET_SERVER,
                                   .expires_us = TEST_EPOCH + 600 * SECOND},
               parent);
    create_key(&s,
               (struct key_create){.kind = SECRET_TICKET,
                                   .rights = rights,
                                   .right_count = 1,
                                   .parent = slice_str(id_of(parent)),
                                   .expires_us = TEST_EPOCH + 60 * SECOND},
               ticket);
    assert_refused(key_of(&s, ticket), TICKET);
    assert_refused(ticket_of(&s, parent), NO_TICKET);
    assert_refused(ticket_of(&s, "hello"), NO_TICKET);
    const struct caller *c = ticket_of(&s, ticket);
    assert_non_null(c);
    assert_slice(c->key, id_of(parent));
    assert_true(c->expires_us == TEST_EPOCH + 600 * SECOND);
    assert_true(may(c, CALLER_SUBSCRIBE, "acme/home/#"));
    assert_false(may(c, CALLER_PUBLISH, "acme/home/a"));
    caller_unref(c);
    clock_set(TEST_EPOCH + 60 * SECOND);
    assert_refused(ticket_of(&s, ticket), TICKET_GONE);
    asking_close(&s);
    (void)state;
}

static void ticket_goes_with_its_parent(void **state)
{
    char parent[SECRET_SIZE], ticket[SECRET_SIZE];
    struct asking s = {0};
    struct sent *revoke = new_command(COMMAND_KEY_REVOKE);

    asking_open(&s);
    create_key(&s, (struct key_create){.kind = SECRET_SERVER}, parent);
    create_key(&s,
               (struct key_create){.kind = SECRET_TICKET,
                                   .parent = slice_str(id_of(parent)),
                                   .expires_us = TEST_EPOCH + 60 * SECOND},
               ticket);
    const struct caller *c = ticket_of(&s, ticket);
    assert_non_null(c);
    caller_unref(c);
    *ARGS(revoke, key_revoke) =
        (struct key_revoke){slice_str("acme"), slice_str(id_of(parent))};
    assert_result(run(&s.w, revoke), OK);
    assert_refused(ticket_of(&s, ticket), TICKET_GONE);
    asking_close(&s);
    (void)state;
}

/* ---- JWTs ------------------------------------------------------------------------ */

static void check_good_jwt(struct asking *s, const char *jwt)
{
    const struct caller *c = jwt_of(s, "acme", jwt);

    assert_non_null(c);
    assert_slice(c->tenant, "acme");
    assert_slice(c->key, IDENTITY_KEY_OF_JWT);
    assert_slice(c->user, "ann");
    assert_true(c->mounted);
    assert_slice(c->mount, "home");
    assert_true(c->expires_us == TEST_EPOCH + (3600 + 60) * SECOND);
    assert_true(may(c, CALLER_PUBLISH, "acme/users/ann/x"));
    assert_false(may(c, CALLER_PUBLISH, "acme/users/bob/x"));
    assert_true(may(c, CALLER_SUBSCRIBE, "acme/#"));
    caller_unref(c);
}

static void jwt_is_checked_by_either_key_of_its_tenant(void **state)
{
    struct asking s = {0};

    asking_open(&s);
    assert_refused(jwt_of(&s, "acme", HS256_GOOD), JWT_KEYS);
    set_setting(&s, "jwt.secret=" SECRET_TEXT);
    check_good_jwt(&s, HS256_GOOD);
    assert_refused(jwt_of(&s, "acme", ES256_GOOD), JWT);
    set_setting(&s, "jwt.public_key=" PUBLIC_P256);
    check_good_jwt(&s, ES256_GOOD);
    check_good_jwt(&s, HS256_GOOD);
    set_setting(&s, "jwt.public_key=" PUBLIC_ED25519);
    check_good_jwt(&s, EDDSA_GOOD);
    set_setting(&s, "jwt.public_key=" PUBLIC_RSA);
    check_good_jwt(&s, RS256_GOOD);
    asking_close(&s);
    (void)state;
}

static void jwt_that_does_not_hold_is_refused(void **state)
{
    static const char *const bad[] = {
        NONE_0,       NONE_BY_PYJWT, HS256_BY_OTHER,  HS256_BY_P256_PEM,
        HEADER_CRIT,  CLAIMS_NO_EXP, CLAIMS_EXP_OLD,  CLAIMS_TWICE,
        CLAIMS_RIGHT, TOO_LONG,      CLAIMS_AUD_OTHER};
    struct asking s = {0};

    asking_open(&s);
    set_setting(&s, "jwt.secret=" SECRET_TEXT);
    set_setting(&s, "jwt.public_key=" PUBLIC_P256);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_refused(jwt_of(&s, "acme", bad[i]), JWT);
    /* Without `confab` it has no rights. */
    assert_refused(jwt_of(&s, "acme", HS256_PRETTY), JWT_RIGHTS);
    assert_refused(jwt_of(&s, "nobody", HS256_GOOD), TENANT);
    clock_set(TEST_EPOCH + (3600 + 60) * SECOND);
    assert_refused(jwt_of(&s, "acme", HS256_GOOD), JWT);
    assert_string_equal(s.refusal.text, "the JWT has expired");
    suspend(&s, false);
    assert_refused(jwt_of(&s, "acme", HS256_GOOD), TENANT_SUSPENDED);
    asking_close(&s);
    (void)state;
}

/* Two tenants with the same key. */
static void jwt_of_another_tenant_is_refused(void **state)
{
    struct slice one = slice_str("jwt.secret=" SECRET_TEXT);
    struct asking s = {0};
    struct sent *c;

    asking_open(&s);
    assert_result(create_token(&s.w, "other", "home"), OK);
    c = new_command(COMMAND_TENANT_SET);
    *ARGS(c, tenant_set) =
        (struct tenant_set){slice_str("other"), {0}, &one, 1};
    assert_result(run(&s.w, c), OK);
    assert_refused(jwt_of(&s, "other", HS256_GOOD), JWT_TENANT);
    asking_close(&s);
    (void)state;
}

/* ---- JWTs that are remembered ----------------------------------------------------- */

static void put_part(char *jwt, size_t size, const void *data, size_t len)
{
    const size_t at = strlen(jwt);

    assert_true(at + sodium_base64_ENCODED_LEN(
                         len, sodium_base64_VARIANT_URLSAFE_NO_PADDING) <=
                size);
    sodium_bin2base64(jwt + at, size - at, data, len,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

/* A JWT of these claims, made with SECRET_TEXT. */
static const char *sign(const char *claims)
{
    static const char header[] = "{\"alg\":\"HS256\"}";
    unsigned char mac[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state state;
    static char jwt[1024];

    jwt[0] = '\0';
    put_part(jwt, sizeof(jwt), header, sizeof(header) - 1);
    strcat(jwt, ".");
    put_part(jwt, sizeof(jwt), claims, strlen(claims));
    crypto_auth_hmacsha256_init(&state, (const unsigned char *)SECRET_TEXT,
                                strlen(SECRET_TEXT));
    crypto_auth_hmacsha256_update(&state, (unsigned char *)jwt, strlen(jwt));
    crypto_auth_hmacsha256_final(&state, mac);
    strcat(jwt, ".");
    put_part(jwt, sizeof(jwt), mac, sizeof(mac));
    return jwt;
}
#define RIGHTS "\"confab\":{\"subscribe\":[\"#\"]}"

/* Whether it holds, and whether it was remembered: not verified this time. */
static void assert_holds(struct asking *s, const char *jwt, bool remembered)
{
    struct jwt_memo_figures before, after;

    jwt_memo_figures(s->jwts, &before);
    const struct caller *c = jwt_of(s, "acme", jwt);
    jwt_memo_figures(s->jwts, &after);
    assert_non_null(c);
    caller_unref(c);
    assert_int_equal(after.found - before.found, remembered ? 1 : 0);
}

static size_t remembered_count(struct asking *s)
{
    struct jwt_memo_figures f;

    jwt_memo_figures(s->jwts, &f);
    return f.entries;
}

static void a_remembered_jwt_is_who_it_was(void **state)
{
    struct asking s = {0};

    asking_open(&s);
    set_setting(&s, "jwt.secret=" SECRET_TEXT);
    const struct caller *first = jwt_of(&s, "acme", HS256_GOOD);
    assert_holds(&s, HS256_GOOD, true);
    check_good_jwt(&s, HS256_GOOD);
    const struct caller *again = jwt_of(&s, "acme", HS256_GOOD);
    assert_non_null(first);
    assert_ptr_equal(first, again);
    caller_unref(again);
    caller_unref(first);
    /* What does not hold is not remembered. */
    assert_int_equal(remembered_count(&s), 1);
    assert_refused(jwt_of(&s, "acme", HS256_BY_OTHER), JWT);
    assert_refused(jwt_of(&s, "acme", HS256_PRETTY), JWT_RIGHTS);
    assert_int_equal(remembered_count(&s), 1);
    asking_close(&s);
    (void)state;
}

static void a_remembered_jwt_holds_from_nbf_until_exp(void **state)
{
    /* TEST_EPOCH, and an hour later */
    const char *jwt =
        sign("{\"nbf\":1800000000,\"exp\":1800003600," RIGHTS "}");
    struct asking s = {0};

    asking_open(&s);
    set_setting(&s, "jwt.secret=" SECRET_TEXT);
    clock_set(TEST_EPOCH - 60 * SECOND);
    assert_holds(&s, jwt, false);
    clock_set(TEST_EPOCH - 60 * SECOND - 1);
    assert_refused(jwt_of(&s, "acme", jwt), JWT);
    assert_string_equal(s.refusal.text, "the JWT is not valid yet");
    clock_set(TEST_EPOCH + (3600 + 60) * SECOND - 1);
    assert_holds(&s, jwt, true);
    clock_set(TEST_EPOCH + (3600 + 60) * SECOND);
    assert_refused(jwt_of(&s, "acme", jwt), JWT);
    assert_string_equal(s.refusal.text, "the JWT has expired");
    assert_int_equal(remembered_count(&s), 0);
    asking_close(&s);
    (void)state;
}

/* At once, though who asks was told of nothing: what decides is the snapshot. */
static void other_settings_hold_for_remembered_jwts(void **state)
{
    struct asking s = {0};

    asking_open(&s);
    set_setting(&s, "jwt.secret=" SECRET_TEXT);
    assert_holds(&s, HS256_GOOD, false);
    assert_holds(&s, HS256_GOOD, true);
    set_setting(&s, "jwt.secret=another secret of more than 32 bytes");
    assert_refused(jwt_of(&s, "acme", HS256_GOOD), JWT);
    assert_int_equal(remembered_count(&s), 0);
    set_setting(&s, "jwt.secret=" SECRET_TEXT);
    assert_holds(&s, HS256_GOOD, false);

    set_setting(&s, "jwt.public_key=" PUBLIC_P256);
    assert_holds(&s, ES256_GOOD, false);
    assert_holds(&s, ES256_GOOD, true);
    set_setting(&s, "jwt.public_key=");
    assert_refused(jwt_of(&s, "acme", ES256_GOOD), JWT);

    set_setting(&s, "jwt.audience=confab");
    const char *jwt =
        sign("{\"aud\":\"confab\",\"exp\":1800003600," RIGHTS "}");
    assert_holds(&s, jwt, false);
    assert_holds(&s, jwt, true);
    set_setting(&s, "jwt.audience=somebody");
    assert_refused(jwt_of(&s, "acme", jwt), JWT);

    set_setting(&s, "jwt.require_exp=no");
    jwt = sign("{" RIGHTS "}");
    assert_holds(&s, jwt, false);
    assert_holds(&s, jwt, true);
    set_setting(&s, "jwt.require_exp=yes");
    assert_refused(jwt_of(&s, "acme", jwt), JWT);

    set_setting(&s, "jwt.secret=");
    assert_refused(jwt_of(&s, "acme", HS256_GOOD), JWT_KEYS);
    asking_close(&s);
    (void)state;
}

static void a_remembered_jwt_goes_with_its_tenant(void **state)
{
    struct asking s = {0};

    asking_open(&s);
    set_setting(&s, "jwt.secret=" SECRET_TEXT);
    assert_holds(&s, HS256_GOOD, false);
    suspend(&s, false);
    assert_refused(jwt_of(&s, "acme", HS256_GOOD), TENANT_SUSPENDED);
    assert_int_equal(remembered_count(&s), 0);
    suspend(&s, true);
    assert_holds(&s, HS256_GOOD, false);
    assert_result(revoke_token(&s.w, "acme"), OK);
    assert_refused(jwt_of(&s, "acme", HS256_GOOD), TENANT_REVOKED);
    assert_int_equal(remembered_count(&s), 0);
    asking_close(&s);
    (void)state;
}

static void a_remembered_jwt_has_the_plan_that_its_tenant_has_now(void **state)
{
    struct sent *c = new_command(COMMAND_TENANT_SET);
    struct asking s = {0};

    asking_open(&s);
    set_setting(&s, "jwt.secret=" SECRET_TEXT);
    assert_holds(&s, HS256_GOOD, false);
    *ARGS(c, tenant_set) = (struct tenant_set){.tenant = slice_str("acme"),
                                               .plan = slice_str("free")};
    assert_result(run(&s.w, c), OK);
    const struct caller *caller = jwt_of(&s, "acme", HS256_GOOD);
    assert_non_null(caller);
    assert_string_equal(caller->plan->name, "free");
    caller_unref(caller);
    asking_close(&s);
    (void)state;
}

static void a_use_is_told_once_an_hour_when_it_is_saved(void **state)
{
    struct asking s;
    char secret[SECRET_SIZE];
    const struct caller *c;
    (void)state;

    asking_open(&s);
    create_key(&s, (struct key_create){.kind = SECRET_DEVICE}, secret);
    s.uses = 0;
    for (unsigned i = 1; i <= 2; i++) { /* until it is saved */
        c = key_of(&s, secret);
        assert_non_null(c);
        caller_unref(c);
        assert_int_equal(s.uses, i);
    }
    struct sent *save = new_command(COMMAND_KEYS_USED);
    *ARGS(save, keys_used) =
        (struct keys_used){slice_of(s.used, SECRET_HASH_BYTES), clock_now()};
    assert_result(run(&s.w, save), OK);
    static const unsigned uses_then[] = {2, 2, 3};
    for (unsigned i = 0; i < 3; i++) {
        c = key_of(&s, secret);
        assert_non_null(c);
        caller_unref(c);
        assert_int_equal(s.uses, uses_then[i]);
        clock_advance(KEY_USED_EVERY_US / 2);
    }
    /* One that does not hold was not used. */
    secret[SECRET_SIZE - 12] ^= 1;
    assert_null(key_of(&s, secret));
    assert_int_equal(s.uses, 3);
    asking_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_use_is_told_once_an_hour_when_it_is_saved),
        cmocka_unit_test(key_is_what_its_row_says),
        cmocka_unit_test(key_without_rights_publishes_and_subscribes),
        cmocka_unit_test(callers_that_differ_in_mount_or_end_are_two),
        cmocka_unit_test(plan_is_the_keys_or_the_tenants),
        cmocka_unit_test(key_that_does_not_hold_is_refused),
        cmocka_unit_test(ticket_is_no_key_and_a_key_no_ticket),
        cmocka_unit_test(ticket_goes_with_its_parent),
        cmocka_unit_test(jwt_is_checked_by_either_key_of_its_tenant),
        cmocka_unit_test(jwt_that_does_not_hold_is_refused),
        cmocka_unit_test(jwt_of_another_tenant_is_refused),
        cmocka_unit_test(a_remembered_jwt_is_who_it_was),
        cmocka_unit_test(a_remembered_jwt_holds_from_nbf_until_exp),
        cmocka_unit_test(other_settings_hold_for_remembered_jwts),
        cmocka_unit_test(a_remembered_jwt_goes_with_its_tenant),
        cmocka_unit_test(
            a_remembered_jwt_has_the_plan_that_its_tenant_has_now),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
