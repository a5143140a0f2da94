#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/unit/store/store_fixture.h"

#define MiB (UINT64_C(1) << 20)

static const struct store_opts defaults;
static const struct store_opts to_read = {.read_only = true};
static const struct store_opts tiny = {.map_size = MiB};

static struct stat file_stat(const struct fixture *f, const char *name)
{
    char path[128];
    struct stat st;

    snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    assert_int_equal(stat(path, &st), 0);
    return st;
}

static void write_file(const struct fixture *f, const char *name,
                       const char *text)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* Opens f's folder a second time. */
static enum store_err try_open(const struct fixture *f,
                               const struct store_opts *opts, int *ret_detail)
{
    struct store *st = NULL;
    const enum store_err err = store_open(f->dir, opts, &st, ret_detail);

    if (err == STORE_OK)
        store_close(st);
    else
        assert_null(st);
    return err;
}

static void give_up_store(struct fixture *f)
{
    store_reader_release(f->reader);
    store_close(f->store);
}

static void open_again(struct fixture *f)
{
    assert_int_equal(store_open(f->dir, &defaults, &f->store, NULL), STORE_OK);
    f->reader = store_reader_acquire(f->store);
}

/* ------------------------------------------------------------------------ */

static void a_missing_folder_is_made_for_owner_and_group(void **state)
{
    struct fixture f;

    (void)state;
    const mode_t mask = umask(0);
    fixture_open(&f);
    umask(mask);
    assert_int_equal(file_stat(&f, ".").st_mode & 07777, 0750);
    assert_int_equal(file_stat(&f, "data.mdb").st_mode & 07777, 0640);
    assert_int_equal(file_stat(&f, "lock.mdb").st_mode & 07777, 0640);
    assert_int_equal(file_stat(&f, "confab.lock").st_mode & 07777, 0640);
    fixture_close(&f);
}

static void only_the_last_folder_is_made(void **state)
{
    struct store *st = NULL;
    int detail = 0;

    (void)state;
    assert_int_equal(store_open("/tmp/confab-no-such/folder", &defaults, &st,
                                &detail),
                     STORE_ACCESS);
    assert_int_equal(detail, ENOENT);
    assert_null(st);
}

static void a_file_in_the_place_of_the_folder_is_refused(void **state)
{
    char path[] = "/tmp/confab-file-XXXXXX";
    struct store *st = NULL;
    int detail = 0;

    (void)state;
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(store_open(path, &defaults, &st, &detail), STORE_ACCESS);
    assert_int_equal(detail, ENOTDIR);
    unlink(path);
}

static void a_store_is_written_by_one_at_a_time(void **state)
{
    struct fixture f;
    int detail = 0;

    (void)state;
    fixture_open(&f);
    assert_int_equal(try_open(&f, &defaults, &detail), STORE_LOCKED);
    fixture_append(&f, "t/a", 1); /* the holder is not disturbed */
    fixture_commit(&f);
    fixture_reopen(&f, &defaults); /* and the lock ends with it */
    fixture_close(&f);
}

static void what_was_stored_is_there_after_reopening(void **state)
{
    struct store_stats before, after;
    struct record record;
    struct fixture f;

    (void)state;
    fixture_open(&f);
    const uint64_t id = fixture_append(&f, "t/a", 5);
    fixture_commit(&f);
    assert_int_equal(store_stats(f.store, &before), STORE_OK);
    fixture_reopen(&f, &defaults);
    assert_int_equal(store_stats(f.store, &after), STORE_OK);
    assert_true(before.store_id != 0 && before.epoch != 0);
    assert_true(before.store_id != before.epoch);
    assert_true(after.store_id == before.store_id);
    assert_true(after.epoch == before.epoch);
    assert_int_equal(after.head, id);
    struct store_reader *r = fixture_look(&f);
    assert_true(store_epoch(r) == before.epoch);
    assert_int_equal(store_latest(r, slice_str("t/a"), &record), STORE_OK);
    assert_int_equal(record.m.id, id);
    fixture_close(&f);
}

static void every_store_is_another_one(void **state)
{
    struct store_stats a, b;
    struct fixture f;

    (void)state;
    fixture_open(&f);
    assert_int_equal(store_stats(f.store, &a), STORE_OK);
    fixture_close(&f);
    fixture_open(&f);
    assert_int_equal(store_stats(f.store, &b), STORE_OK);
    fixture_close(&f);
    assert_true(a.store_id != b.store_id && a.epoch != b.epoch);
}

static void stats_count_what_is_there(void **state)
{
    struct store_stats s;
    struct fixture f;

    (void)state;
    fixture_open(&f);
    assert_int_equal(store_stats(f.store, &s), STORE_OK);
    assert_int_equal(s.head, 0);
    assert_int_equal(s.log_entries, 0);
    assert_int_equal(s.map_size, 16 * MiB);
    fixture_skip(&f, 10);
    fixture_append(&f, "t/a", 1);
    fixture_append(&f, "t/a", 2);
    fixture_append(&f, "t/b", 3);
    fixture_commit(&f);
    assert_int_equal(store_stats(f.store, &s), STORE_OK);
    assert_int_equal(s.head, 13);
    assert_int_equal(s.log_entries, 3);
    assert_int_equal(s.things, 2);
    assert_int_equal(s.tokens, 0);
    assert_true(s.map_used > 0 && s.map_used < MiB);
    fixture_close(&f);
}

/* ---- reading processes ------------------------------------------------- */

static void reading_creates_nothing(void **state)
{
    char dir[] = "/tmp/confab-empty-XXXXXX";
    struct store *st = NULL;

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(store_open(dir, &to_read, &st, NULL), STORE_NOTFOUND);
    assert_int_equal(rmdir(dir), 0); /* is empty */
    assert_int_equal(store_open(dir, &to_read, &st, NULL), STORE_NOTFOUND);
    assert_int_equal(access(dir, F_OK), -1);
}

static void a_store_not_yet_initialised_is_not_found_by_readers(void **state)
{
    struct fixture f;
    MDB_env *env;

    (void)state;
    fixture_open(&f);
    give_up_store(&f);
    write_file(&f, "data.mdb", "");
    assert_int_equal(try_open(&f, &to_read, NULL), STORE_NOTFOUND);
    /* LMDB has its file, but our databases are not there yet. */
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_open(env, f.dir, 0, 0640), 0);
    mdb_env_close(env);
    assert_int_equal(try_open(&f, &to_read, NULL), STORE_NOTFOUND);
    open_again(&f);
    fixture_close(&f);
}

/* In a process of its own, as LMDB demands. */
static int read_in_child(const char *dir, int go, int ready)
{
    struct store *st;
    struct record record;
    char byte;

    if (read(go, &byte, 1) != 1 ||
        store_open(dir, &to_read, &st, NULL) != STORE_OK)
        return 1;
    struct store_reader *r = store_reader_acquire(st);
    if (r == NULL || store_reader_begin(r) != STORE_OK || store_head(r) != 1)
        return 2;
    store_reader_end(r);
    if (write(ready, "x", 1) != 1 || read(go, &byte, 1) != 1)
        return 3;
    if (store_reader_begin(r) != STORE_OK || store_head(r) != 2 ||
        store_latest(r, slice_str("t/a"), &record) != STORE_OK ||
        record.m.id != 2)
        return 4;
    store_reader_release(r);
    store_close(st);
    return 0;
}

static void another_process_reads_what_the_writer_commits(void **state)
{
    int go[2], ready[2], status = -1;
    struct fixture f;
    char byte;

    (void)state;
    fixture_place(&f);
    assert_int_equal(pipe(go), 0);
    assert_int_equal(pipe(ready), 0);
    const pid_t child = fork(); /* before anything is open */
    assert_true(child >= 0);
    if (child == 0)
        _exit(read_in_child(f.dir, go[0], ready[1]));

    fixture_start(&f);
    fixture_append(&f, "t/a", 1);
    fixture_commit(&f);
    assert_int_equal(write(go[1], "x", 1), 1);
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    fixture_append(&f, "t/a", 2);
    fixture_commit(&f);
    assert_int_equal(write(go[1], "x", 1), 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    close(go[0]), close(go[1]), close(ready[0]);
    fixture_close(&f);
}

/* ---- files that are not as they should be ------------------------------ */

static void a_file_that_is_not_ours_is_refused(void **state)
{
    char page[8192];
    struct fixture f;

    (void)state;
    fixture_open(&f);
    give_up_store(&f);
    memset(page, 'x', sizeof(page));
    page[sizeof(page) - 1] = 0;
    write_file(&f, "data.mdb", page);
    assert_int_equal(try_open(&f, &defaults, NULL), STORE_CORRUPT);
    write_file(&f, "data.mdb", "short");
    assert_int_equal(try_open(&f, &defaults, NULL), STORE_CORRUPT);
    write_file(&f, "data.mdb", "");
    open_again(&f);
    fixture_close(&f);
}

static void a_file_cut_short_is_refused(void **state)
{
    struct fixture f;
    char path[128];

    (void)state;
    fixture_open(&f);
    for (int i = 0; i < 1000; i++)
        fixture_append(&f, "t/a", i);
    fixture_commit(&f);
    const uint64_t end = store_end(store_env(f.store));
    give_up_store(&f);
    snprintf(path, sizeof(path), "%s/data.mdb", f.dir);
    assert_int_equal(truncate(path, (off_t)end - 1), 0);
    assert_int_equal(try_open(&f, &defaults, NULL), STORE_CORRUPT);
    assert_int_equal(try_open(&f, &to_read, NULL), STORE_CORRUPT);
    write_file(&f, "data.mdb", "");
    open_again(&f);
    fixture_close(&f);
}

static void set_format(struct fixture *f, uint64_t format)
{
    struct store_env *e = store_env(f->store);
    MDB_val key = {strlen(META_FORMAT), META_FORMAT};
    struct buffer b = BUFFER_INIT;
    MDB_txn *txn;

    schema_put_number(&b, format);
    MDB_val row = {b.len, b.data};
    assert_int_equal(mdb_txn_begin(e->env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_put(txn, e->db.meta, &key, &row, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    buffer_release(&b);
}

static void a_store_of_a_newer_version_is_refused(void **state)
{
    struct fixture f;

    (void)state;
    fixture_open(&f);
    set_format(&f, SCHEMA_FORMAT + 1);
    give_up_store(&f);
    assert_int_equal(try_open(&f, &defaults, NULL), STORE_VERSION);
    assert_int_equal(try_open(&f, &to_read, NULL), STORE_VERSION);
    char path[128];
    snprintf(path, sizeof(path), "%s/data.mdb", f.dir);
    assert_int_equal(truncate(path, 0), 0);
    open_again(&f);
    fixture_close(&f);
}

/* ---- sizes ------------------------------------------------------------- */

static void a_store_larger_than_its_map_size_opens_with_a_reserve(void **state)
{
    static char body[1 << 20];
    struct message m = {.topic = slice_str("t/a"),
                        .payload = slice_of(body, sizeof(body))};
    struct fixture f;

    (void)state;
    fixture_open(&f);
    for (int i = 0; i < 70; i++) /* more than 1 MiB and its reserve */
        fixture_put(&f, &m);
    fixture_commit(&f);
    fixture_reopen(&f, &tiny);
    const struct store_env *e = store_env(f.store);
    assert_int_equal(e->soft_limit, MiB);
    assert_true(e->real_map >= store_end(store_env(f.store)) + 64 * MiB);
    assert_int_equal(store_head(fixture_look(&f)), 70);
    fixture_put(&f, &m); /* there is room to write, hence to trim */
    fixture_commit(&f);
    fixture_close(&f);
}

static void the_table_of_readers_has_its_blocks_from_the_start(void **state)
{
    struct fixture f;

    (void)state;
    fixture_open(&f);
    if (file_stat(&f, "data.mdb").st_blocks * 512 < 16 << 20) {
        print_message("%s: the filesystem cannot allocate ahead\n", f.dir);
        fixture_close(&f);
        skip();
    }
    /* LMDB writes to it through a map: no block, no disk, SIGBUS. */
    const struct stat st = file_stat(&f, "lock.mdb");
    assert_true(st.st_size >= 1024 * 64);
    assert_true(st.st_blocks * 512 >= st.st_size);
    fixture_close(&f);
}

static void a_map_size_beyond_any_address_is_refused(void **state)
{
    const struct store_opts huge = {.map_size = UINT64_MAX};
    struct store *st = NULL;

    (void)state;
    assert_int_equal(store_open("/tmp/confab-huge", &huge, &st, NULL),
                     STORE_INVALID);
    assert_null(st);
    assert_int_equal(access("/tmp/confab-huge", F_OK), -1);
}

static void every_error_has_its_text(void **state)
{
    (void)state;
    assert_string_equal(store_strerror(STORE_OK), "success");
    assert_string_equal(store_strerror(STORE_LOCKED),
                        "data folder in use by another process");
    assert_int_equal(store_from_mdb(MDB_MAP_FULL), STORE_FULL);
    assert_int_equal(store_from_mdb(ENOSPC), STORE_DISK_FULL);
    assert_int_equal(store_from_mdb(EIO), STORE_IO);
    assert_int_equal(store_from_mdb(MDB_NOTFOUND), STORE_NOTFOUND);
    assert_int_equal(store_from_mdb(MDB_BAD_VALSIZE), STORE_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_folder_is_made_for_owner_and_group),
        cmocka_unit_test(only_the_last_folder_is_made),
        cmocka_unit_test(a_file_in_the_place_of_the_folder_is_refused),
        cmocka_unit_test(a_store_is_written_by_one_at_a_time),
        cmocka_unit_test(what_was_stored_is_there_after_reopening),
        cmocka_unit_test(every_store_is_another_one),
        cmocka_unit_test(stats_count_what_is_there),
        cmocka_unit_test(reading_creates_nothing),
        cmocka_unit_test(a_store_not_yet_initialised_is_not_found_by_readers),
        cmocka_unit_test(another_process_reads_what_the_writer_commits),
        cmocka_unit_test(a_file_that_is_not_ours_is_refused),
        cmocka_unit_test(a_file_cut_short_is_refused),
        cmocka_unit_test(a_store_of_a_newer_version_is_refused),
        cmocka_unit_test(
            a_store_larger_than_its_map_size_opens_with_a_reserve),
        cmocka_unit_test(the_table_of_readers_has_its_blocks_from_the_start),
        cmocka_unit_test(a_map_size_beyond_any_address_is_refused),
        cmocka_unit_test(every_error_has_its_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
