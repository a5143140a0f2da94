/* data.mdb on a file system that cannot allocate ahead (ext3, some network and
 * overlay ones): it must be as long as its last page all the same, or the next
 * start takes it for cut short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "test/unit/store/writing.h"

#define ROUNDS 100
#define TOGETHER 12
#define LARGE (100 << 10)

static unsigned asked;

/* Instead of the C library's. */
int fallocate(int fd, int mode, off_t offset, off_t len)
{
    (void)fd, (void)mode, (void)offset, (void)len;
    asked++;
    errno = EOPNOTSUPP;
    return -1;
}

static void assert_whole(struct writing *w)
{
    char path[128];
    struct stat st;

    snprintf(path, sizeof(path), "%s/data.mdb", w->dir);
    assert_int_equal(stat(path, &st), 0);
    assert_true((uint64_t)st.st_size >= store_end(store_env(w->store)));
}

/* One group of messages to the same thing, of which the last stays. */
static void store_together(struct writing *w, const char *payload,
                           unsigned *seed)
{
    struct sent *all[TOGETHER];
    const int count = 2 + rand_r(seed) % (TOGETHER - 1);

    for (int i = 0; i < count; i++) {
        const size_t len = rand_r(seed) % 3 == 0
                               ? (size_t)rand_r(seed) % 2000
                               : (size_t)rand_r(seed) % LARGE;
        all[i] = new_append_bytes("demo/a", payload, len, false);
    }
    run_together(w, all, (size_t)count);
    for (int i = 0; i < count; i++) {
        assert_result(all[i]->c, OK);
        sent_free(all[i]);
    }
}

/* What one transaction stores and trims takes pages that are never written, at
 * the end of the file, too. */
static void pages_that_are_never_written_are_in_the_file_all_the_same(
    void **state)
{
    char *payload = calloc(1, LARGE);
    unsigned seed = 9;
    struct writing w;

    (void)state;
    writing_open(&w, 64 << 20);
    writing_stop(&w);
    writing_plan(&w, "local")->retention_count = 1;
    writing_start(&w);
    for (int round = 0; round < ROUNDS; round++) {
        store_together(&w, payload, &seed);
        assert_whole(&w);
    }
    assert_true(asked > 0);
    writing_restart(&w); /* fails the test when the store does not open */
    assert_int_equal(check_store(&w), 1);
    writing_close(&w);
    free(payload);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            pages_that_are_never_written_are_in_the_file_all_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
