#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "test/unit/store/store_fixture.h"

#define MiB (UINT64_C(1) << 20)

static uint64_t used(struct fixture *f)
{
    uint64_t bytes;

    assert_int_equal(store_used(store_env(f->store), NULL, &bytes, NULL),
                     STORE_OK);
    return bytes;
}

static void append_many(struct fixture *f, unsigned count)
{
    static const char body[3000];
    const struct message m = {.topic = slice_str("t/a"),
                              .payload = slice_of(body, sizeof(body))};

    for (unsigned i = 0; i < count; i++)
        fixture_put(f, &m);
    fixture_commit(f);
}

/* Commits that change little: what was freed before becomes usable. */
static void commit_twice(struct fixture *f)
{
    for (int i = 0; i < 2; i++) {
        fixture_retain(f, "t/a", f->head);
        fixture_commit(f);
    }
}

static void used_is_what_is_not_free_for_reuse(void **state)
{
    struct fixture f;

    (void)state;
    fixture_open(&f);
    const uint64_t empty = used(&f);
    assert_true(empty > 0 && empty <= MiB);
    append_many(&f, 1000);
    const uint64_t full = used(&f);
    assert_true(full >= empty + 1000 * 3000);
    assert_true(full <= store_end(store_env(f.store)));

    fixture_trim(&f, "t/a", f.head - 10, true);
    fixture_commit(&f);
    commit_twice(&f);
    assert_true(used(&f) <
                empty + MiB); /* though the file is as long as ever */
    assert_true(store_end(store_env(f.store)) >= full);

    struct store_stats stats;
    assert_int_equal(store_stats(f.store, &stats), STORE_OK);
    assert_true(stats.map_used < empty + MiB);
    fixture_close(&f);
}

static void pages_an_old_snapshot_needs_are_not_free(void **state)
{
    struct fixture f;

    (void)state;
    fixture_open(&f);
    append_many(&f, 1000);
    const uint64_t full = used(&f);
    fixture_look(&f); /* pins what there is */
    fixture_trim(&f, "t/a", f.head - 10, true);
    fixture_commit(&f);
    commit_twice(&f);
    assert_true(used(&f) >= full);
    store_reader_end(f.reader);
    assert_true(used(&f) < full - 2 * MiB);
    fixture_close(&f);
}

static void used_can_be_asked_within_a_write_transaction(void **state)
{
    struct fixture f;

    (void)state;
    fixture_open(&f);
    append_many(&f, 100);
    const uint64_t before = used(&f);
    fixture_append(&f, "t/a", 1); /* left open */
    assert_non_null(f.txn);
    assert_int_equal(used(&f), before); /* as the last commit left it */
    fixture_commit(&f);
    fixture_close(&f);
}

static uint64_t blocks(struct fixture *f)
{
    struct stat st;
    int fd;

    mdb_env_get_fd(store_env(f->store)->env, &fd);
    assert_int_equal(fstat(fd, &st), 0);
    return (uint64_t)st.st_blocks * 512;
}

static void small_stores_take_little_disk(void **state)
{
    const struct store_opts tiny = {.map_size = MiB};
    struct fixture f;

    (void)state;
    fixture_open(&f); /* 16 MiB: steps of 1 MiB, 16 MiB ahead */
    assert_true(blocks(&f) <= 18 * MiB);
    fixture_reopen(&f, &tiny);
    assert_true(blocks(&f) <= 18 * MiB);
    fixture_close(&f);
}

static void the_disk_reserve_is_allocated_ahead(void **state)
{
    struct fixture f;

    (void)state;
    fixture_open(&f);
    struct store_env *e = store_env(f.store);
    if (blocks(&f) < 16 * MiB) {
        print_message("%s: the filesystem cannot allocate ahead\n", f.dir);
        fixture_close(&f);
        skip();
    }
    append_many(&f, 1000);
    const uint64_t before = e->allocated;
    assert_true(before < store_end(e) + e->disk_reserve);
    assert_int_equal(store_preallocate(e, store_end(e)), STORE_OK);
    assert_true(e->allocated >= store_end(e) + e->disk_reserve);
    assert_true(blocks(&f) >= store_end(e) + e->disk_reserve);
    assert_int_equal(e->allocated % e->step, 0);

    /* Never beyond the map. */
    assert_int_equal(store_preallocate(e, e->soft_limit), STORE_OK);
    const uint64_t most = e->real_map;
    assert_true(e->allocated <= most);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(used_is_what_is_not_free_for_reuse),
        cmocka_unit_test(pages_an_old_snapshot_needs_are_not_free),
        cmocka_unit_test(used_can_be_asked_within_a_write_transaction),
        cmocka_unit_test(small_stores_take_little_disk),
        cmocka_unit_test(the_disk_reserve_is_allocated_ahead),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
