/* Tenants, their settings and their keys: commands, readers, what they count, and
 * how they end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/unit/store/writing.h"

/* ---- commands ------------------------------------------------------------------- */

static struct command create_tenant(struct writing *w, const char *tenant)
{
    struct sent *s = new_command(COMMAND_TENANT_CREATE);

    *ARGS(s, tenant_create) =
        (struct tenant_create){.tenant = slice_str(tenant),
                               .plan = slice_str("home")};
    return run(w, s);
}

static struct command suspend_tenant(struct writing *w, const char *tenant,
                                     bool lift)
{
    struct sent *s = new_command(COMMAND_TENANT_SUSPEND);

    *ARGS(s, tenant_suspend) =
        (struct tenant_suspend){slice_str(tenant), lift};
    return run(w, s);
}

static struct command set_setting(struct writing *w, const char *tenant,
                                  const char *setting)
{
    struct slice one = slice_str(setting);
    struct sent *s = new_command(COMMAND_TENANT_SET);

    *ARGS(s, tenant_set) = (struct tenant_set){.tenant = slice_str(tenant),
                                               .set = &one,
                                               .set_count = 1};
    return run(w, s);
}

static struct command delete_tenant(struct writing *w, const char *tenant)
{
    struct sent *s = new_command(COMMAND_TOKEN_DELETE);

    ARGS(s, token_delete)->token = slice_str(tenant);
    return run(w, s);
}

/* A key that tests know by a number. */
struct hash {
    unsigned char bytes[SECRET_HASH_BYTES];
};

static struct hash hash_of(unsigned number)
{
    struct hash h;
    char text[16];

    snprintf(text, sizeof(text), "%u", number);
    secret_hash(slice_str(text), h.bytes);
    return h;
}

static const char *id_of(unsigned number)
{
    static char ids[4][KEY_ID_SIZE];
    static unsigned next;
    char *id = ids[next++ % 4];

    key_id_make(hash_of(number).bytes, id);
    return id;
}

static struct key_create device(const char *tenant, const struct hash *h)
{
    static struct slice rights[2];

    rights[0] = slice_str("publish home/#");
    rights[1] = slice_str("subscribe home/+/set");
    return (struct key_create){
        .tenant = slice_str(tenant),
        .hash = slice_of(h->bytes, sizeof(h->bytes)),
        .kind = SECRET_DEVICE,
        .label = slice_str("kitchen"),
        .rights = rights,
        .right_count = 2,
        .mounted = true,
        .mount = slice_str("home"),
        .user = slice_str("ann"),
    };
}

static struct command create_given_key(struct writing *w,
                                       const struct key_create *args)
{
    struct sent *s = new_command(COMMAND_KEY_CREATE);

    *ARGS(s, key_create) = *args;
    return run(w, s);
}

static struct command create_key(struct writing *w, const char *tenant,
                                 unsigned number)
{
    const struct hash h = hash_of(number);
    const struct key_create args = device(tenant, &h);

    return create_given_key(w, &args);
}

static struct command create_ticket(struct writing *w, const char *tenant,
                                    unsigned number, const char *parent,
                                    int64_t for_us)
{
    const struct hash h = hash_of(number);
    struct key_create args = device(tenant, &h);

    args.kind = SECRET_TICKET;
    args.parent = slice_str(parent);
    args.expires_us = clock_now() + for_us;
    return create_given_key(w, &args);
}

static struct command revoke_key(struct writing *w, const char *tenant,
                                 const char *id)
{
    struct sent *s = new_command(COMMAND_KEY_REVOKE);

    *ARGS(s, key_revoke) =
        (struct key_revoke){slice_str(tenant), slice_str(id)};
    return run(w, s);
}

static struct command rotate_key(struct writing *w, const char *tenant,
                                 const char *id, unsigned number,
                                 int64_t until_us)
{
    const struct hash h = hash_of(number);
    struct sent *s = new_command(COMMAND_KEY_ROTATE);

    *ARGS(s, key_rotate) =
        (struct key_rotate){slice_str(tenant), slice_str(id),
                            slice_of(h.bytes, sizeof(h.bytes)), until_us};
    return run(w, s);
}

static struct command take_ticket(struct writing *w, unsigned number)
{
    const struct hash h = hash_of(number);
    struct sent *s = new_command(COMMAND_TICKET_TAKE);

    ARGS(s, ticket_take)->hash = slice_of(h.bytes, sizeof(h.bytes));
    return run(w, s);
}

/* ---- reading -------------------------------------------------------------------- */

static bool has_key(struct writing *w, unsigned number)
{
    struct store_reader *r;
    struct key_row row;

    assert_int_equal(store_snapshot(w->store, &r), STORE_OK);
    const enum store_err err = store_key(r, hash_of(number).bytes, &row);
    store_reader_release(r);
    assert_true(err == STORE_OK || err == STORE_NOTFOUND);
    return err == STORE_OK;
}

static unsigned keys_of(struct writing *w, const char *tenant)
{
    unsigned char at[SECRET_HASH_BYTES];
    struct slice after = slice_of(NULL, 0);
    struct store_reader *r;
    struct key_row row;
    unsigned n = 0;

    assert_int_equal(store_snapshot(w->store, &r), STORE_OK);
    while (store_key_next(r, slice_str(tenant), after, &row) == STORE_OK) {
        assert_true(slice_eq(row.tenant, slice_str(tenant)));
        memcpy(at, row.hash.data, sizeof(at));
        after = slice_of(at, sizeof(at));
        n++;
    }
    store_reader_release(r);
    return n;
}

/* Batches come behind the answers. */
static void wait_for_event(struct writing *w, const char *topic)
{
    bool found = false;

    for (unsigned n = 0; !found; n++) {
        assert_in_range(n, 0, 10000);
        pthread_mutex_lock(&w->mutex);
        for (size_t i = 0; i < w->offered_count; i++)
            found |= strcmp(w->offered[i].topic, topic) == 0;
        pthread_mutex_unlock(&w->mutex);
        usleep(1000);
    }
}

static void assert_setting(struct writing *w, const char *tenant,
                           const char *name, const char *value)
{
    struct tenant_settings s;
    struct store_reader *r;

    assert_int_equal(store_snapshot(w->store, &r), STORE_OK);
    (void)store_tenant_settings(r, slice_str(tenant), &s);
    assert_true(slice_eq(tenant_setting(&s, name), slice_str(value)));
    store_reader_release(r);
}

/* ---- tests ---------------------------------------------------------------------- */

static void a_tenants_name_is_given_once(void **state)
{
    struct store_reader *r;
    struct token_row row;
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    assert_result(create_tenant(&w, "acme"), OK);
    assert_result(create_tenant(&w, "acme"), EXISTS);
    assert_result(create_token(&w, "acme", "home"), EXISTS);
    assert_result(create_token(&w, "secret", "home"), OK);
    assert_result(create_tenant(&w, "secret"), EXISTS);
    /* What strangers have published is not a new tenant's. */
    append(&w, "implied/thing", "1");
    assert_result(create_tenant(&w, "implied"), EXISTS);
    assert_int_equal(store_snapshot(w.store, &r), STORE_OK);
    assert_int_equal(store_token(r, slice_str("acme"), &row), STORE_OK);
    assert_true(row.named);
    assert_int_equal(store_token(r, slice_str("secret"), &row), STORE_OK);
    assert_false(row.named);
    store_reader_release(r);
    check_store(&w);
    writing_close(&w);
}

static void a_suspended_tenant_stores_nothing(void **state)
{
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    create_tenant(&w, "acme");
    assert_result(append(&w, "acme/x", "1"), OK);
    assert_result(suspend_tenant(&w, "acme", false), OK);
    wait_for_event(&w, "$events/acme/revoked/");
    assert_result(append(&w, "acme/x", "2"), SUSPENDED);
    writing_restart(&w);
    assert_result(append(&w, "acme/x", "2"), SUSPENDED);
    assert_true(suspend_tenant(&w, "acme", false).repeated);
    assert_result(suspend_tenant(&w, "acme", true), OK);
    assert_int_equal(append(&w, "acme/x", "2").seq, 2);
    assert_result(suspend_tenant(&w, "nobody", false), NOT_FOUND);
    writing_close(&w);
}

static void settings_are_set_and_unset(void **state)
{
    char long_value[5000] = "webhook.url=";
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    create_tenant(&w, "acme");
    assert_result(set_setting(&w, "acme", "webhook.url=https://a.example/"),
                  OK);
    assert_result(set_setting(&w, "acme", "cors.origins=*"), OK);
    assert_result(set_setting(&w, "acme", "webhook.url=https://b.example/"),
                  OK);
    assert_setting(&w, "acme", "webhook.url", "https://b.example/");
    assert_setting(&w, "acme", "cors.origins", "*");
    assert_result(set_setting(&w, "acme", "webhook.url="), OK);
    assert_setting(&w, "acme", "webhook.url", "");
    assert_setting(&w, "acme", "cors.origins", "*");
    assert_result(set_setting(&w, "acme", "no equals sign"), INVALID);
    memset(long_value + strlen(long_value), 'x', sizeof(long_value) - 20);
    long_value[sizeof(long_value) - 1] = '\0';
    assert_result(set_setting(&w, "acme", long_value), INVALID);
    assert_result(set_setting(&w, "nobody", "cors.origins=*"), UNKNOWN_TOKEN);
    check_store(&w);
    assert_result(set_setting(&w, "acme", "cors.origins="), OK);
    assert_int_equal(ROWS_IN(&w, tenants), 0);
    assert_int_equal(usage_of(&w, "acme").bytes, 0);
    writing_close(&w);
}

static void a_key_is_found_by_its_hash_and_by_its_id(void **state)
{
    struct store_reader *r;
    struct key_row row;
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    create_tenant(&w, "acme");
    create_tenant(&w, "acme2"); /* begins with the same letters */
    assert_result(create_key(&w, "nobody", 1), UNKNOWN_TOKEN);
    for (unsigned i = 1; i <= 20; i++)
        assert_result(create_key(&w, i % 2 == 0 ? "acme" : "acme2", i), OK);
    assert_result(create_key(&w, "acme", 2), EXISTS);
    assert_result(create_key(&w, "acme2", 2), EXISTS);
    assert_int_equal(keys_of(&w, "acme"), 10);
    assert_int_equal(keys_of(&w, "acme2"), 10);
    assert_int_equal(keys_of(&w, "acm"), 0);

    writing_restart(&w);
    assert_int_equal(store_snapshot(w.store, &r), STORE_OK);
    assert_int_equal(store_key(r, hash_of(4).bytes, &row), STORE_OK);
    assert_int_equal(store_key_by_id(r, slice_str("acme"), slice_str(id_of(4)),
                                     &row),
                     STORE_OK);
    assert_true(slice_eq(row.tenant, slice_str("acme")));
    assert_true(slice_eq(row.label, slice_str("kitchen")));
    assert_true(slice_eq(row.user, slice_str("ann")));
    assert_true(row.mounted);
    assert_true(slice_eq(row.mount, slice_str("home")));
    assert_int_equal(row.kind, SECRET_DEVICE);
    assert_int_equal(row.right_count, 2);
    assert_true(slice_eq(row.rights[1], slice_str("subscribe home/+/set")));
    assert_int_equal(row.expires_us, 0);
    /* Another tenant's is not found. */
    assert_int_equal(store_key_by_id(r, slice_str("acme2"),
                                     slice_str(id_of(4)), &row),
                     STORE_NOTFOUND);
    assert_int_equal(store_key_by_id(r, slice_str("acme"), slice_str("key_"),
                                     &row),
                     STORE_NOTFOUND);
    store_reader_release(r);
    check_store(&w);
    writing_close(&w);
}

static void keys_that_are_not_in_order_are_refused(void **state)
{
    const struct hash h = hash_of(1);
    struct slice wrong = slice_str("publish $SYS/#");
    struct key_create args;
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    create_tenant(&w, "acme");
    const struct key_create good = device("acme", &h);
    args = good;
    args.hash.len = 31;
    assert_result(create_given_key(&w, &args), INVALID);
    args = good;
    args.mount = slice_str("a/#");
    assert_result(create_given_key(&w, &args), INVALID);
    args = good;
    args.rights = &wrong;
    args.right_count = 1;
    assert_result(create_given_key(&w, &args), INVALID);
    args = good;
    args.user = slice_str("an\nn");
    assert_result(create_given_key(&w, &args), INVALID);
    args = good;
    args.plan = slice_str("nowhere");
    assert_result(create_given_key(&w, &args), INVALID);
    args = good;
    args.kind = SECRET_TICKET; /* without an end */
    assert_result(create_given_key(&w, &args), INVALID);
    args = good;
    args.parent = slice_str("key_");
    assert_result(create_given_key(&w, &args), INVALID);
    assert_int_equal(ROWS_IN(&w, keys), 0);
    assert_result(create_given_key(&w, &good), OK);
    writing_close(&w);
}

static void a_revoked_key_is_gone_and_told_of(void **state)
{
    char topic[96];
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    create_tenant(&w, "acme");
    create_tenant(&w, "other");
    create_key(&w, "acme", 1);
    assert_result(revoke_key(&w, "other", id_of(1)), NOT_FOUND);
    assert_true(has_key(&w, 1));
    assert_result(revoke_key(&w, "acme", id_of(1)), OK);
    assert_false(has_key(&w, 1));
    snprintf(topic, sizeof(topic), "$events/acme/key_revoked/%s", id_of(1));
    wait_for_event(&w, topic);
    assert_result(revoke_key(&w, "acme", id_of(1)), NOT_FOUND);
    assert_int_equal(usage_of(&w, "acme").bytes, 0);
    check_store(&w);
    writing_close(&w);
}

static void a_rotated_key_holds_as_long_as_asked(void **state)
{
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    create_tenant(&w, "acme");
    create_key(&w, "acme", 1);
    assert_result(
        rotate_key(&w, "acme", id_of(1), 2, clock_now() + 60 * SECOND), OK);
    assert_true(has_key(&w, 1));
    assert_true(has_key(&w, 2));
    assert_int_equal(ROWS_IN(&w, keys_by_end), 1);
    assert_result(rotate_key(&w, "acme", id_of(2), 3, 0), OK);
    assert_false(has_key(&w, 2));
    assert_true(has_key(&w, 3));
    assert_result(rotate_key(&w, "acme", id_of(2), 4, 0), NOT_FOUND);
    assert_result(rotate_key(&w, "acme", id_of(3), 1, 0), EXISTS);
    check_store(&w);
    writing_close(&w);
}

static void a_ticket_is_used_once(void **state)
{
    struct writing w;
    struct sent *both[2];
    const struct hash h = hash_of(10);
    unsigned taken = 0;
    (void)state;

    writing_open(&w, 0);
    create_tenant(&w, "acme");
    create_key(&w, "acme", 1);
    assert_result(create_ticket(&w, "acme", 10, id_of(1), 60 * SECOND), OK);
    for (int i = 0; i < 2; i++) {
        both[i] = new_command(COMMAND_TICKET_TAKE);
        ARGS(both[i], ticket_take)->hash = slice_of(h.bytes, sizeof(h.bytes));
    }
    run_together(&w, both, 2);
    for (int i = 0; i < 2; i++) {
        taken += both[i]->c.result == RESULT_OK;
        sent_free(both[i]);
    }
    assert_int_equal(taken, 1);
    writing_restart(&w);
    assert_result(take_ticket(&w, 10), NOT_FOUND);

    assert_result(create_ticket(&w, "acme", 11, id_of(1), 60 * SECOND), OK);
    clock_advance(60 * SECOND);
    assert_result(take_ticket(&w, 11), NOT_FOUND);
    assert_result(create_ticket(&w, "acme", 12, id_of(1), 60 * SECOND), OK);
    assert_result(revoke_key(&w, "acme", id_of(1)), OK);
    assert_result(take_ticket(&w, 12), NOT_FOUND);
    assert_result(take_ticket(&w, 1), NOT_FOUND);
    /* A key is no ticket. */
    create_key(&w, "acme", 2);
    assert_result(take_ticket(&w, 2), NOT_FOUND);
    assert_true(has_key(&w, 2));
    check_store(&w);
    writing_close(&w);
}

static void wait_for_keys(struct writing *w, uint64_t rows)
{
    for (unsigned i = 0; ROWS_IN(w, keys) != rows; i++) {
        assert_in_range(i, 0, 10000);
        ping(w);
        usleep(1000);
    }
}

static void expired_keys_are_removed(void **state)
{
    const struct hash h = hash_of(3);
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    create_tenant(&w, "acme");
    create_key(&w, "acme", 1);
    for (unsigned i = 100; i < 1400; i++)
        create_ticket(&w, "acme", i, "", 30 * SECOND);
    struct key_create args = device("acme", &h);
    args.expires_us = clock_now() + 30 * SECOND;
    create_given_key(&w, &args);
    assert_int_equal(ROWS_IN(&w, keys), 1302);
    clock_advance(120 * SECOND);
    wait_for_keys(&w, 2); /* a key that has expired is shown for a day */
    clock_advance(2 * 86400 * SECOND);
    wait_for_keys(&w, 1);
    assert_true(has_key(&w, 1));
    check_store(&w);
    writing_close(&w);
}

static void keys_count_against_their_tenant(void **state)
{
    struct writing w;
    struct command c;
    unsigned n = 1;
    (void)state;

    writing_open(&w, 0);
    writing_stop(&w);
    writing_plan(&w, "home")->bytes_max = 4000;
    writing_start(&w);
    create_tenant(&w, "acme");
    create_tenant(&w, "other");
    do
        c = create_key(&w, "acme", n++);
    while (c.result == RESULT_OK && n < 1000);
    assert_result(c, BYTES);
    assert_in_range(usage_of(&w, "acme").bytes, 3000, 4000);
    assert_result(
        set_setting(&w, "acme", "cors.origins=https://a-long.example"), BYTES);
    assert_result(create_key(&w, "other", 2000), OK);
    check_store(&w);
    writing_close(&w);
}

static void deleting_a_tenant_removes_its_keys(void **state)
{
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    create_tenant(&w, "acme");
    create_tenant(&w, "acme2");
    for (unsigned i = 1; i <= 500; i++)
        create_key(&w, "acme", i);
    create_ticket(&w, "acme", 600, "", 600 * SECOND);
    create_key(&w, "acme2", 700);
    set_setting(&w, "acme", "cors.origins=*");
    append(&w, "acme/x", "1");
    assert_result(delete_tenant(&w, "acme"), OK);
    writing_restart(&w); /* it goes on by itself */
    clock_advance(2 * SECOND);
    for (unsigned i = 0; ROWS_IN(&w, keys) != 1 || ROWS_IN(&w, tokens) != 1;
         i++) {
        assert_in_range(i, 0, 10000);
        ping(&w);
        usleep(1000);
    }
    assert_true(has_key(&w, 700));
    assert_int_equal(ROWS_IN(&w, keys_by_tenant), 1);
    assert_int_equal(ROWS_IN(&w, keys_by_end), 0);
    assert_int_equal(ROWS_IN(&w, tenants), 0);
    check_store(&w);
    assert_result(create_tenant(&w, "acme"), OK); /* its name is free */
    assert_int_equal(keys_of(&w, "acme"), 0);
    writing_close(&w);
}

static int64_t used_of(struct writing *w, unsigned number)
{
    struct store_reader *r;
    struct key_row row;

    assert_int_equal(store_snapshot(w->store, &r), STORE_OK);
    assert_int_equal(store_key(r, hash_of(number).bytes, &row), STORE_OK);
    assert_true(slice_eq(row.label, slice_str("kitchen")));
    store_reader_release(r);
    return row.used_us;
}

static struct command use_keys(struct writing *w, const struct hash *hashes,
                               size_t bytes, int64_t used_us)
{
    struct sent *s = new_command(COMMAND_KEYS_USED);

    *ARGS(s, keys_used) = (struct keys_used){slice_of(hashes, bytes), used_us};
    return run(w, s);
}

static void the_last_use_of_a_key_is_kept(void **state)
{
    const struct hash hashes[] = {hash_of(1), hash_of(99), hash_of(2)};
    const int64_t now_us = TEST_EPOCH;
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    create_tenant(&w, "acme");
    create_key(&w, "acme", 1);
    create_key(&w, "acme", 2);
    assert_int_equal(used_of(&w, 1), 0);
    /* There is no 99: it was revoked meanwhile. */
    assert_result(use_keys(&w, hashes, sizeof(hashes), now_us), OK);
    assert_int_equal(used_of(&w, 1), now_us);
    assert_int_equal(used_of(&w, 2), now_us);
    assert_result(use_keys(&w, hashes, SECRET_HASH_BYTES, now_us - SECOND),
                  OK);
    assert_int_equal(used_of(&w, 1), now_us); /* it only grows */
    assert_result(use_keys(&w, hashes, 31, now_us), INVALID);
    assert_result(use_keys(&w, hashes, 0, now_us), INVALID);
    /* A new secret was not used. */
    rotate_key(&w, "acme", id_of(1), 3, clock_now() + 60 * SECOND);
    assert_int_equal(used_of(&w, 1), now_us);
    assert_int_equal(used_of(&w, 3), 0);
    check_store(&w);
    writing_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tenants_name_is_given_once),
        cmocka_unit_test(a_suspended_tenant_stores_nothing),
        cmocka_unit_test(settings_are_set_and_unset),
        cmocka_unit_test(a_key_is_found_by_its_hash_and_by_its_id),
        cmocka_unit_test(keys_that_are_not_in_order_are_refused),
        cmocka_unit_test(a_revoked_key_is_gone_and_told_of),
        cmocka_unit_test(a_rotated_key_holds_as_long_as_asked),
        cmocka_unit_test(a_ticket_is_used_once),
        cmocka_unit_test(expired_keys_are_removed),
        cmocka_unit_test(keys_count_against_their_tenant),
        cmocka_unit_test(deleting_a_tenant_removes_its_keys),
        cmocka_unit_test(the_last_use_of_a_key_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
