#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "test/unit/store/store_fixture.h"

static void put(struct fixture *f, MDB_dbi dbi, const char *token,
                struct buffer *b)
{
    struct schema_key name;
    MDB_txn *txn;

    assert_true(buffer_ok(b));
    schema_name_key(slice_str(token), &name);
    MDB_val key = schema_val(&name), row = {b->len, b->data};
    assert_int_equal(mdb_txn_begin(store_env(f->store)->env, NULL, 0, &txn),
                     0);
    assert_int_equal(mdb_put(txn, dbi, &key, &row, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    buffer_release(b);
}

static void put_token(struct fixture *f, const char *token, int64_t revoked_us)
{
    const struct token_row row = {.plan = slice_str("free"),
                                  .created_us = 7,
                                  .revoked_us = revoked_us,
                                  .implied = revoked_us == 0};
    struct buffer b = BUFFER_INIT;

    schema_put_token(&b, &row);
    put(f, store_env(f->store)->db.tokens, token, &b);
}

static void tokens_are_found_and_listed_bytewise(void **state)
{
    static const char *const names[] = {"A", "a", "ab", "b"};
    struct slice after = {0};
    struct store_stats stats;
    struct token_row row;
    struct fixture f;

    (void)state;
    fixture_open(&f);
    put_token(&f, "b", 0);
    put_token(&f, "a", 99);
    put_token(&f, "A", 0);
    put_token(&f, "ab", 0);
    struct store_reader *r = fixture_look(&f);
    assert_int_equal(store_token(r, slice_str("a"), &row), STORE_OK);
    assert_true(slice_eq(row.token, slice_str("a")));
    assert_true(slice_eq(row.plan, slice_str("free")));
    assert_true(row.created_us == 7 && row.revoked_us == 99 && !row.implied);
    assert_int_equal(store_token(r, slice_str("c"), &row), STORE_NOTFOUND);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(store_token_next(r, after, &row), STORE_OK);
        assert_true(slice_eq(row.token, slice_str(names[i])));
        after = row.token;
    }
    assert_int_equal(store_token_next(r, after, &row), STORE_NOTFOUND);
    assert_int_equal(store_stats(f.store, &stats), STORE_OK);
    assert_int_equal(stats.tokens, 4);
    fixture_close(&f);
}

static void usage_is_that_of_the_token(void **state)
{
    const struct usage_row usage = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    struct buffer b = BUFFER_INIT;
    struct usage_row got;
    struct fixture f;

    (void)state;
    fixture_open(&f);
    schema_put_usage(&b, &usage);
    put(&f, store_env(f.store)->db.usage, "a", &b);
    struct store_reader *r = fixture_look(&f);
    assert_int_equal(store_usage(r, slice_str("a"), &got), STORE_OK);
    assert_memory_equal(&got, &usage, sizeof(usage));
    assert_int_equal(store_usage(r, slice_str("b"), &got), STORE_NOTFOUND);
    fixture_close(&f);
}

static void a_damaged_row_is_said_to_be_one(void **state)
{
    struct buffer b = BUFFER_INIT;
    struct token_row row;
    struct usage_row usage;
    struct fixture f;

    (void)state;
    fixture_open(&f);
    buffer_put_str(&b, "junk");
    put(&f, store_env(f.store)->db.tokens, "a", &b);
    buffer_put_str(&b, "junk");
    put(&f, store_env(f.store)->db.usage, "a", &b);
    struct store_reader *r = fixture_look(&f);
    assert_int_equal(store_token(r, slice_str("a"), &row), STORE_CORRUPT);
    assert_int_equal(store_token_next(r, slice_of(NULL, 0), &row),
                     STORE_CORRUPT);
    assert_int_equal(store_usage(r, slice_str("a"), &usage), STORE_CORRUPT);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_are_found_and_listed_bytewise),
        cmocka_unit_test(usage_is_that_of_the_token),
        cmocka_unit_test(a_damaged_row_is_said_to_be_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
