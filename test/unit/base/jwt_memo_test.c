/* What the table of verified JWTs keeps, for whom, and how much. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "base/caller.h"
#include "base/jwt_memo.h"

#define NOW 1000

struct remembering {
    struct callers *callers;
    struct jwt_memo *memo;
};

static void begin(struct remembering *r, size_t entries, size_t bytes)
{
    r->callers = callers_new();
    r->memo = jwt_memo_new(entries, bytes);
    assert_non_null(r->callers);
    assert_non_null(r->memo);
}

static void end(struct remembering *r)
{
    jwt_memo_free(r->memo);
    callers_free(r->callers); /* asserts that none is left */
}

static void name_of(struct remembering *r, const char *tenant,
                    const char *rule, const char *token,
                    struct jwt_memo_name *ret)
{
    const struct slice rules[] = {slice_str(rule), slice_str("")};

    jwt_memo_name(r->memo, slice_str(tenant), rules, 2, slice_str(token), ret);
}

static struct caller caller_until(const char *tenant, const char *user,
                                  int64_t until_us)
{
    struct caller c = caller_of_token(slice_str(tenant), NULL);

    c.user = slice_str(user);
    c.expires_us = until_us;
    return c;
}

/* `token` is also its user. */
static void add(struct remembering *r, const char *tenant, const char *rule,
                const char *token)
{
    const struct caller c = caller_until(tenant, token, 0);
    const struct caller *shared = caller_share(r->callers, &c);
    struct jwt_memo_name name;

    name_of(r, tenant, rule, token, &name);
    jwt_memo_add(r->memo, &name, shared, 0);
    caller_unref(shared);
}

static bool has(struct remembering *r, const char *tenant, const char *rule,
                const char *token)
{
    struct jwt_memo_name name;

    name_of(r, tenant, rule, token, &name);
    const struct caller *c =
        jwt_memo_find(r->memo, slice_str(tenant), &name, NULL, NOW);
    if (c != NULL) {
        assert_true(slice_eq(c->tenant, slice_str(tenant)));
        assert_true(slice_eq(c->user, slice_str(token)));
    }
    caller_unref(c);
    return c != NULL;
}

static struct jwt_memo_figures figures_of(struct remembering *r)
{
    struct jwt_memo_figures f;

    jwt_memo_figures(r->memo, &f);
    return f;
}

/* ---- whose it is ------------------------------------------------------------ */

static void a_token_is_found_with_its_tenant_and_settings_only(void **state)
{
    struct remembering r;

    begin(&r, 10, 1 << 20);
    add(&r, "acme", "key", "t1");
    add(&r, "other", "key", "t2");
    assert_true(has(&r, "acme", "key", "t1"));
    assert_false(has(&r, "acme", "key", "t2"));
    assert_false(has(&r, "other", "key", "t1"));
    assert_true(has(&r, "acme", "key", "t1")); /* asking took nothing away */
    assert_false(has(&r, "acme", "key2", "t1"));
    end(&r);
    (void)state;
}

/* ("ab", "c") and ("a", "bc") are the same bytes in a row. */
static void texts_that_join_to_the_same_bytes_have_two_names(void **state)
{
    const struct slice left[] = {slice_str("ab"), slice_str("c")};
    const struct slice right[] = {slice_str("a"), slice_str("bc")};
    struct jwt_memo_name one, two;
    struct remembering r;

    begin(&r, 10, 1 << 20);
    jwt_memo_name(r.memo, slice_str("acme"), left, 2, slice_str("t"), &one);
    jwt_memo_name(r.memo, slice_str("acme"), right, 2, slice_str("t"), &two);
    assert_memory_not_equal(one.rules, two.rules, sizeof(one.rules));
    assert_memory_not_equal(one.token, two.token, sizeof(one.token));
    end(&r);
    (void)state;
}

static void other_settings_forget_what_the_tenant_had(void **state)
{
    struct remembering r;

    begin(&r, 10, 1 << 20);
    add(&r, "acme", "key", "t1");
    add(&r, "acme", "key", "t2");
    add(&r, "other", "key", "t1");
    assert_false(has(&r, "acme", "key2", "t1"));
    assert_int_equal(figures_of(&r).entries, 1);
    assert_false(has(&r, "acme", "key", "t1")); /* also when they come back */
    assert_true(has(&r, "other", "key", "t1"));
    jwt_memo_forget(r.memo, slice_str("other"));
    assert_int_equal(figures_of(&r).entries, 0);
    assert_int_equal(figures_of(&r).bytes, 0);
    end(&r);
    (void)state;
}

/* ---- when it holds ----------------------------------------------------------- */

static const struct caller *at(struct remembering *r,
                               const struct jwt_memo_name *name,
                               const struct plan *plan, int64_t now_us)
{
    const struct caller *c =
        jwt_memo_find(r->memo, slice_str("acme"), name, plan, now_us);

    caller_unref(c);
    return c;
}

static void it_holds_from_nbf_until_exp_and_with_its_plan(void **state)
{
    static const char other_plan;
    const struct caller c = caller_until("acme", "ann", 200);
    struct jwt_memo_name name;
    struct remembering r;

    begin(&r, 10, 1 << 20);
    const struct caller *shared = caller_share(r.callers, &c);
    name_of(&r, "acme", "key", "t", &name);
    jwt_memo_add(r.memo, &name, shared, 100);
    assert_null(at(&r, &name, NULL, 99));
    assert_ptr_equal(at(&r, &name, NULL, 100), shared); /* it was kept */
    assert_ptr_equal(at(&r, &name, NULL, 199), shared);
    assert_null(at(&r, &name, NULL, 200));
    assert_int_equal(figures_of(&r).entries, 0);
    assert_null(at(&r, &name, NULL, 150)); /* forgotten */

    jwt_memo_add(r.memo, &name, shared, 100);
    assert_null(at(&r, &name, (const struct plan *)&other_plan, 150));
    assert_null(at(&r, &name, NULL, 150));
    caller_unref(shared);
    end(&r);
    (void)state;
}

/* ---- how much ---------------------------------------------------------------- */

static void add_many(struct remembering *r, const char *tenant, unsigned from,
                     unsigned to)
{
    char token[32];

    for (unsigned i = from; i < to; i++) {
        snprintf(token, sizeof(token), "t%06u", i);
        add(r, tenant, "key", token);
    }
}

static unsigned count_found(struct remembering *r, const char *tenant,
                            unsigned from, unsigned to)
{
    unsigned count = 0;
    char token[32];

    for (unsigned i = from; i < to; i++) {
        snprintf(token, sizeof(token), "t%06u", i);
        count += has(r, tenant, "key", token);
    }
    return count;
}

static void entries_have_a_bound_and_the_last_used_stay(void **state)
{
    struct remembering r;

    begin(&r, 100, 1 << 20);
    add_many(&r, "acme", 0, 100);
    assert_int_equal(count_found(&r, "acme", 0, 1), 1); /* used again */
    add_many(&r, "acme", 100, 150);
    assert_int_equal(figures_of(&r).entries, 100);
    assert_int_equal(count_found(&r, "acme", 0, 1), 1);
    assert_int_equal(count_found(&r, "acme", 1, 51), 0);
    assert_int_equal(count_found(&r, "acme", 51, 150), 99);
    add(&r, "acme", "key", "t000060"); /* again, as two threads may */
    assert_int_equal(figures_of(&r).entries, 100);
    end(&r);
    (void)state;
}

static void bytes_have_a_bound_with_the_callers(void **state)
{
    const size_t most = 64 * 1024;
    struct remembering r;
    char long_user[4096];

    begin(&r, 100000, most);
    add_many(&r, "acme", 0, 1000);
    const struct jwt_memo_figures small = figures_of(&r);
    assert_true(small.bytes <= most && small.bytes > most / 2);
    assert_true(small.entries < 1000);
    memset(long_user, 'u', sizeof(long_user));
    long_user[sizeof(long_user) - 1] = '\0';
    for (char c = 'a'; c <= 'z'; c++) {
        long_user[0] = c;
        add(&r, "acme", "key", long_user);
        assert_true(figures_of(&r).bytes <= most);
    }
    /* Each takes its name twice: once for what tells callers apart. */
    assert_in_range(figures_of(&r).entries, 6, 16);
    end(&r);

    begin(&r, 10, 100); /* nothing fits */
    add(&r, "acme", "key", "t");
    assert_int_equal(figures_of(&r).entries, 0);
    assert_int_equal(figures_of(&r).bytes, 0);
    end(&r);
    (void)state;
}

/* Who floods the table with tokens of its own loses those, not the others'. */
static void a_tenant_with_many_tokens_loses_its_own(void **state)
{
    struct remembering r;
    char tenant[32];

    begin(&r, 1000, 1 << 20);
    add_many(&r, "large", 0, 800);
    for (unsigned i = 0; i < 20; i++) {
        snprintf(tenant, sizeof(tenant), "small%u", i);
        add_many(&r, tenant, 0, 10);
    }
    assert_int_equal(figures_of(&r).entries, 1000);
    add_many(&r, "large", 800, 20000);
    assert_int_equal(figures_of(&r).entries, 1000);
    for (unsigned i = 0; i < 20; i++) {
        snprintf(tenant, sizeof(tenant), "small%u", i);
        assert_int_equal(count_found(&r, tenant, 0, 10), 10);
    }
    assert_int_equal(count_found(&r, "large", 19200, 20000), 800);
    /* Another one gets as much as it, within a factor of two. */
    add_many(&r, "second", 0, 5000);
    assert_true(count_found(&r, "second", 4800, 5000) == 200);
    assert_true(count_found(&r, "large", 19800, 20000) == 200);
    end(&r);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_found_with_its_tenant_and_settings_only),
        cmocka_unit_test(texts_that_join_to_the_same_bytes_have_two_names),
        cmocka_unit_test(other_settings_forget_what_the_tenant_had),
        cmocka_unit_test(it_holds_from_nbf_until_exp_and_with_its_plan),
        cmocka_unit_test(entries_have_a_bound_and_the_last_used_stay),
        cmocka_unit_test(bytes_have_a_bound_with_the_callers),
        cmocka_unit_test(a_tenant_with_many_tokens_loses_its_own),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
