/* Damaged files: found by the check, left out by readers, and no crash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/check.h"
#include "store/read/catchup.h"
#include "test/unit/store/writing.h"

#define MESSAGES 60 /* of each thing: some chunks, and an open one */
#define FLIPS 400

static unsigned told;

static void on_problem(void *arg, const char *text)
{
    (void)arg;
    assert_true(strlen(text) > 0);
    told++;
}

static struct store_check check(const char *dir)
{
    struct store_check c = {.problem = on_problem};
    int detail;

    told = 0;
    assert_int_equal(store_check(dir, &c, &detail), STORE_OK);
    assert_int_equal(told, c.problems);
    return c;
}

static void open_full_store(struct writing *w)
{
    static char large[9000];

    writing_open(w, 64 << 20);
    memset(large, 'l', sizeof(large) - 1);
    for (int i = 0; i < MESSAGES; i++) {
        char text[64];
        snprintf(text, sizeof(text), "needle-%04d-with-some-length", i);
        append(w, "demo/a", text);
        append(w, "demo/b", i % 10 == 0 ? large : "b");
        append_retained(w, "other/c", text);
    }
    trim(w, "demo/b", 60);
    wait_for_leftovers(w);
}

static char *data_file(const struct writing *w)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/data.mdb", w->dir);
    return path;
}

/* Of the pages in use; the caller frees it. */
static unsigned char *contents(const struct writing *w, size_t *ret_len)
{
    struct stat st;
    const int fd = open(data_file(w), O_RDONLY);

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    *ret_len = (size_t)st.st_size < (2u << 20) ? (size_t)st.st_size : 2u << 20;
    unsigned char *bytes = malloc(*ret_len);
    assert_int_equal(pread(fd, bytes, *ret_len, 0), *ret_len);
    close(fd);
    return bytes;
}

static void put_byte(const struct writing *w, size_t at, unsigned char byte)
{
    const int fd = open(data_file(w), O_WRONLY);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
    close(fd);
}

/* Changes a byte wherever the text stands: copy-on-write leaves old pages. */
static unsigned damage(const struct writing *w, const char *text)
{
    const size_t n = strlen(text);
    unsigned found = 0;
    size_t len;
    unsigned char *bytes = contents(w, &len);

    for (size_t at = 0; at + n <= len; at++) {
        if (memcmp(bytes + at, text, n) != 0)
            continue;
        put_byte(w, at + n - 1, '!');
        found++;
    }
    free(bytes);
    return found;
}

/* ------------------------------------------------------------------------- */

static void a_whole_store_is_called_whole(void **state)
{
    struct writing w;

    (void)state;
    open_full_store(&w);
    struct store_check c = check(w.dir); /* in use */
    assert_int_equal(c.problems, 0);
    writing_stop(&w);
    c = check(w.dir);
    assert_int_equal(c.problems, 0);
    assert_int_equal(c.things, 3);
    assert_int_equal(c.unchecked, 0);
    assert_true(c.entries >= 2 * MESSAGES);
    writing_start(&w);
    writing_close(&w);
}

static void a_changed_payload_is_found_and_left_out(void **state)
{
    const struct slice filters[] = {slice_str("demo/a"), slice_str("demo/#")};
    struct history h = {.topic = slice_str("demo/a"), .ascending = true};
    struct record record;
    struct writing w;
    unsigned given = 0;

    (void)state;
    open_full_store(&w);
    writing_stop(&w);
    assert_true(damage(&w, "needle-0007-with-some-length") > 0);
    assert_true(check(w.dir).problems > 0);
    writing_start(&w);
    struct store_reader *r = store_reader_acquire(w.store);
    assert_int_equal(store_reader_begin(r), STORE_OK);
    while (store_history_next(r, &h, &record) == STORE_OK) {
        assert_null(memchr(record.m.payload.data, '!', record.m.payload.len));
        given++;
    }
    assert_int_equal(given, MESSAGES - 1);
    assert_int_equal(store_by_seq(r, slice_str("demo/a"), 8, &record),
                     STORE_CORRUPT);
    for (size_t n = 0; n < 4; n++) { /* one thing, several, all kinds */
        struct catchup *c = catchup_new(filters + n % 2, 1, 0, n >= 2);
        enum catchup_step step;
        given = 0;
        while ((step = catchup_next(c, r, UINT64_MAX, 1000, &record)) !=
               CATCHUP_DONE) {
            assert_int_not_equal(step, CATCHUP_FAILED);
            if (step == CATCHUP_RECORD &&
                slice_eq(record.m.topic, slice_str("demo/a")))
                given++;
        }
        assert_int_equal(given, MESSAGES - 1);
        catchup_free(c);
    }
    store_reader_release(r);
    writing_close(&w);
}

/* A byte at a time, anywhere in the pages in use: the check never crashes, and the
 * file as it was is whole again. */
static void any_changed_byte_is_survived(void **state)
{
    unsigned seed = 132, found = 0;
    struct writing w;
    size_t len;

    (void)state;
    open_full_store(&w);
    writing_stop(&w);
    unsigned char *bytes = contents(&w, &len);
    while (len > 4096 && bytes[len - 1] == 0) /* what is allocated ahead */
        len--;
    for (int i = 0; i < FLIPS; i++) {
        const size_t at = (size_t)rand_r(&seed) % len;
        const unsigned char bit = (unsigned char)(1 << rand_r(&seed) % 8);
        put_byte(&w, at, bytes[at] ^ bit);
        found += check(w.dir).problems > 0;
        put_byte(&w, at, bytes[at]);
    }
    assert_true(found > FLIPS / 20); /* most bytes are old pages' or room */
    assert_int_equal(check(w.dir).problems, 0);
    free(bytes);
    writing_start(&w);
    writing_close(&w);
}

static void heads_of_pages_may_say_anything(void **state)
{
    unsigned seed = 7;
    struct writing w;
    size_t len;

    (void)state;
    open_full_store(&w);
    writing_stop(&w);
    unsigned char *bytes = contents(&w, &len);
    for (size_t page = 0; page < len / 4096 && page < 200; page++)
        for (size_t at = page * 4096 + 8; at < page * 4096 + 40; at += 3) {
            put_byte(&w, at, (unsigned char)rand_r(&seed));
            (void)check(w.dir);
            put_byte(&w, at, bytes[at]);
        }
    assert_int_equal(check(w.dir).problems, 0);
    free(bytes);
    writing_start(&w);
    writing_close(&w);
}

static void a_file_cut_short_and_one_that_is_no_store_are_found(void **state)
{
    struct writing w;

    (void)state;
    open_full_store(&w);
    writing_stop(&w);
    assert_int_equal(truncate(data_file(&w), 3 * 4096), 0);
    assert_true(check(w.dir).problems > 0);
    assert_int_equal(truncate(data_file(&w), 0), 0);
    assert_true(check(w.dir).problems > 0);
    assert_int_equal(unlink(data_file(&w)), 0);
    writing_start(&w); /* a new one */
    assert_int_equal(check(w.dir).problems, 0);
    writing_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_store_is_called_whole),
        cmocka_unit_test(a_changed_payload_is_found_and_left_out),
        cmocka_unit_test(any_changed_byte_is_survived),
        cmocka_unit_test(heads_of_pages_may_say_anything),
        cmocka_unit_test(a_file_cut_short_and_one_that_is_no_store_are_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
