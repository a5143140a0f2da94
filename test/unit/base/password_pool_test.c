#include "base/password_pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <sodium.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The least that there is, so that the tests compute for milliseconds. */
static const struct password_costs cheap = {.memory = PASSWORD_MEMORY_MIN,
                                            .ops = PASSWORD_OPS_MIN};

/* What came of the jobs, and a gate at which those threads wait that end one. */
struct outcomes {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool gate_is_closed;
    unsigned at_gate;
    unsigned
        stopped_to_open; /* so many PASSWORD_STOPPED open it; 0: none do */
    unsigned count[PASSWORD_STOPPED + 1];
    unsigned total;
    bool needs_rehash;
    char hash[PASSWORD_HASH_SIZE]; /* the last one made */
};

static struct outcomes outcomes = {.mutex = PTHREAD_MUTEX_INITIALIZER,
                                   .changed = PTHREAD_COND_INITIALIZER};

static int forget_outcomes(void **state)
{
    (void)state;
    outcomes.gate_is_closed = outcomes.needs_rehash = false;
    outcomes.at_gate = outcomes.total = outcomes.stopped_to_open = 0;
    memset(outcomes.count, 0, sizeof(outcomes.count));
    memset(outcomes.hash, 0, sizeof(outcomes.hash));
    return 0;
}

static void note(void *arg, const struct password_result *result)
{
    struct outcomes *o = arg;

    pthread_mutex_lock(&o->mutex);
    o->count[result->outcome]++;
    o->needs_rehash = result->needs_rehash;
    if (result->hash != NULL)
        memcpy(o->hash, result->hash, strlen(result->hash) + 1);
    if (o->stopped_to_open > 0 &&
        o->count[PASSWORD_STOPPED] == o->stopped_to_open)
        o->gate_is_closed = false;
    o->at_gate++;
    pthread_cond_broadcast(&o->changed);
    while (o->gate_is_closed && result->outcome != PASSWORD_STOPPED)
        pthread_cond_wait(&o->changed, &o->mutex);
    o->at_gate--;
    o->total++;
    pthread_cond_broadcast(&o->changed);
    pthread_mutex_unlock(&o->mutex);
}

static void wait_for_total(unsigned total)
{
    pthread_mutex_lock(&outcomes.mutex);
    while (outcomes.total < total)
        pthread_cond_wait(&outcomes.changed, &outcomes.mutex);
    pthread_mutex_unlock(&outcomes.mutex);
}

static void wait_at_gate(unsigned count)
{
    pthread_mutex_lock(&outcomes.mutex);
    while (outcomes.at_gate < count)
        pthread_cond_wait(&outcomes.changed, &outcomes.mutex);
    pthread_mutex_unlock(&outcomes.mutex);
}

static void set_gate(bool is_closed)
{
    pthread_mutex_lock(&outcomes.mutex);
    outcomes.gate_is_closed = is_closed;
    pthread_cond_broadcast(&outcomes.changed);
    pthread_mutex_unlock(&outcomes.mutex);
}

static struct password_pool *pool_of(unsigned threads, size_t queue)
{
    struct password_pool *p = password_pool_new(threads, queue, &cheap);

    assert_non_null(p);
    return p;
}

static void end_pool(struct password_pool *p)
{
    password_pool_stop(p);
    password_pool_free(p);
}

static enum password_submit submit_hash(struct password_pool *p,
                                        const char *password)
{
    return password_pool_hash(p, slice_str(password), note, &outcomes);
}

static enum password_outcome verify(struct password_pool *p,
                                    struct slice password, const char *stored)
{
    (void)forget_outcomes(NULL);
    assert_int_equal(password_pool_verify(p, password, slice_str(stored), note,
                                          &outcomes),
                     PASSWORD_TAKEN);
    wait_for_total(1);
    for (unsigned i = 0; i < COUNT(outcomes.count); i++)
        if (outcomes.count[i] > 0)
            return (enum password_outcome)i;
    fail();
    return PASSWORD_FAILED;
}

static void a_password_is_right_for_its_hash_only(void **state)
{
    struct password_pool *p = pool_of(2, 8);
    char stored[PASSWORD_HASH_SIZE];
    (void)state;

    assert_int_equal(submit_hash(p, "correct horse"), PASSWORD_TAKEN);
    wait_for_total(1);
    assert_int_equal(outcomes.count[PASSWORD_HASHED], 1);
    memcpy(stored, outcomes.hash, sizeof(stored));
    assert_memory_equal(stored, "$argon2id$v=19$m=8,t=1,p=1$", 27);
    assert_null(strstr(stored, "horse"));

    assert_int_equal(verify(p, slice_str("correct horse"), stored),
                     PASSWORD_RIGHT);
    assert_false(outcomes.needs_rehash);
    assert_int_equal(verify(p, slice_str("correct hors"), stored),
                     PASSWORD_WRONG);
    assert_int_equal(verify(p, slice_str("correct horse "), stored),
                     PASSWORD_WRONG);
    assert_int_equal(verify(p, slice_of("correct horse\0", 14), stored),
                     PASSWORD_WRONG);
    assert_int_equal(verify(p, slice_of(NULL, 0), stored), PASSWORD_WRONG);
    end_pool(p);
}

/* By argon2(1) of the reference code: argon2 0123456789abcdef -id -t 2 -k 64 -p 1
 * -l 32 -e */
static void hashes_of_other_costs_hold_and_want_to_be_made_again(void **state)
{
    static const char stored[] =
        "$argon2id$v=19$m=64,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$dPtrHTEawLtMiR9+/XloAkXZ+EtyrY+bvmHIbiufhk0";
    struct password_pool *p = pool_of(1, 1);
    (void)state;

    assert_int_equal(verify(p, slice_str("correct horse"), stored),
                     PASSWORD_RIGHT);
    assert_true(outcomes.needs_rehash);
    assert_int_equal(verify(p, slice_str("wrong horse"), stored),
                     PASSWORD_WRONG);
    assert_false(outcomes.needs_rehash);
    end_pool(p);
}

static void equal_passwords_have_different_hashes(void **state)
{
    struct password_pool *p = pool_of(1, 1);
    char first[PASSWORD_HASH_SIZE];
    (void)state;

    assert_int_equal(submit_hash(p, "same"), PASSWORD_TAKEN);
    wait_for_total(1);
    memcpy(first, outcomes.hash, sizeof(first));
    assert_int_equal(submit_hash(p, "same"), PASSWORD_TAKEN);
    wait_for_total(2);
    assert_string_not_equal(first, outcomes.hash);
    end_pool(p);
}

static void nobody_has_no_right_password(void **state)
{
    struct password_pool *p = pool_of(1, 1);
    (void)state;

    assert_int_equal(verify(p, slice_str("any"), ""), PASSWORD_WRONG);
    assert_int_equal(verify(p, slice_of(NULL, 0), ""), PASSWORD_WRONG);
    end_pool(p);
}

static void what_is_no_hash_or_costs_too_much_is_not_computed(void **state)
{
    static const char *const bad[] = {
        "correct horse",
        "$argon2id$",
        "$argon2id$v=19$m=8,t=1,p=1$",
        "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA",
        "$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaA",
        "$2b$12$abcdefghijklmnopqrstuuVmFXVvrKsvRKXVbXbAOjkIYk/8FWQlO",
        /* 16 GiB, 2^32 passes, 4 lanes */
        "$argon2id$v=19$m=16777216,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$"
        "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY",
        "$argon2id$v=19$m=8,t=4294967295,p=1$c2FsdHNhbHRzYWx0c2FsdA$"
        "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY",
        "$argon2id$v=19$m=32,t=1,p=4$c2FsdHNhbHRzYWx0c2FsdA$"
        "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY",
        "$argon2id$v=19$m=,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$"
        "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY",
    };
    char too_long[PASSWORD_HASH_SIZE + 1];
    struct password_pool *p = pool_of(1, 1);
    (void)state;

    for (size_t i = 0; i < COUNT(bad); i++)
        if (verify(p, slice_str("correct horse"), bad[i]) != PASSWORD_FAILED)
            fail_msg("%s", bad[i]);
    memset(too_long, 'a', sizeof(too_long) - 1);
    too_long[sizeof(too_long) - 1] = '\0';
    assert_int_equal(verify(p, slice_str("a"), too_long), PASSWORD_FAILED);
    end_pool(p);
}

static void passwords_have_1024_bytes_at_most(void **state)
{
    static char password[PASSWORD_MAX + 1];
    struct password_pool *p = pool_of(1, 1);
    (void)state;

    assert_int_equal(password_pool_hash(p,
                                        slice_of(password, sizeof(password)),
                                        note, &outcomes),
                     PASSWORD_TOO_LONG);
    assert_int_equal(password_pool_verify(p,
                                          slice_of(password, sizeof(password)),
                                          slice_str("x"), note, &outcomes),
                     PASSWORD_TOO_LONG);
    assert_int_equal(password_pool_hash(p, slice_of(password, PASSWORD_MAX),
                                        note, &outcomes),
                     PASSWORD_TAKEN);
    wait_for_total(1);
    assert_int_equal(outcomes.count[PASSWORD_HASHED], 1);
    end_pool(p);
    assert_int_equal(outcomes.total, 1);
}

static void a_full_queue_refuses_at_once(void **state)
{
    struct password_pool *p = pool_of(2, 5);
    (void)state;

    set_gate(true);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(submit_hash(p, "x"), PASSWORD_TAKEN);
        wait_at_gate(i + 1); /* both threads are busy with their answers */
    }
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(password_pool_waiting(p), i);
        assert_int_equal(submit_hash(p, "x"), PASSWORD_TAKEN);
    }
    assert_int_equal(submit_hash(p, "x"), PASSWORD_BUSY);
    assert_int_equal(password_pool_verify(p, slice_str("x"), slice_str(""),
                                          note, &outcomes),
                     PASSWORD_BUSY);
    assert_int_equal(password_pool_waiting(p), 5);
    set_gate(false);
    wait_for_total(7);
    assert_int_equal(outcomes.count[PASSWORD_HASHED], 7);
    assert_int_equal(password_pool_waiting(p), 0);
    assert_int_equal(submit_hash(p, "x"), PASSWORD_TAKEN); /* it goes on */
    wait_for_total(8);
    end_pool(p);
    assert_int_equal(outcomes.total, 8);
}

static void what_waits_is_told_when_the_pool_stops(void **state)
{
    struct password_pool *p = pool_of(1, 5);
    (void)state;

    set_gate(true);
    assert_int_equal(submit_hash(p, "x"), PASSWORD_TAKEN);
    wait_at_gate(1);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(submit_hash(p, "x"), PASSWORD_TAKEN);
    /* The thread is let go by the last that is told: nobody is told later. */
    outcomes.stopped_to_open = 5;
    password_pool_stop(p);
    assert_int_equal(outcomes.count[PASSWORD_STOPPED], 5);
    assert_int_equal(outcomes.count[PASSWORD_HASHED], 1);
    assert_int_equal(outcomes.total, 6);
    assert_int_equal(submit_hash(p, "x"), PASSWORD_BUSY);
    password_pool_free(p);
    assert_int_equal(outcomes.total, 6);
}

static void *submit_many(void *argument)
{
    struct password_pool *p = argument;
    uintptr_t taken = 0;

    for (unsigned i = 0; i < 200; i++)
        taken += submit_hash(p, "x") == PASSWORD_TAKEN;
    return (void *)taken;
}

static void each_job_that_is_taken_ends_once(void **state)
{
    struct password_pool *p = pool_of(3, 16);
    pthread_t threads[4];
    uintptr_t taken = 0;
    (void)state;

    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, submit_many, p), 0);
    for (size_t i = 0; i < COUNT(threads); i++) {
        void *of_thread;
        pthread_join(threads[i], &of_thread);
        taken += (uintptr_t)of_thread;
    }
    assert_true(taken > 0);
    end_pool(p);
    assert_int_equal(outcomes.total, taken);
    assert_int_equal(outcomes.count[PASSWORD_HASHED] +
                         outcomes.count[PASSWORD_STOPPED],
                     taken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_password_is_right_for_its_hash_only,
                               forget_outcomes),
        cmocka_unit_test_setup(
            hashes_of_other_costs_hold_and_want_to_be_made_again,
            forget_outcomes),
        cmocka_unit_test_setup(equal_passwords_have_different_hashes,
                               forget_outcomes),
        cmocka_unit_test_setup(nobody_has_no_right_password, forget_outcomes),
        cmocka_unit_test_setup(
            what_is_no_hash_or_costs_too_much_is_not_computed,
            forget_outcomes),
        cmocka_unit_test_setup(passwords_have_1024_bytes_at_most,
                               forget_outcomes),
        cmocka_unit_test_setup(a_full_queue_refuses_at_once, forget_outcomes),
        cmocka_unit_test_setup(what_waits_is_told_when_the_pool_stops,
                               forget_outcomes),
        cmocka_unit_test_setup(each_job_that_is_taken_ends_once,
                               forget_outcomes),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
