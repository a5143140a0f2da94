/* The LMDB environment: sizes, map, and whether its file is complete. */
#include "store/env/environment.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/disk_fault.h"
#include "base/log.h"
#include "base/map_size.h"
#include "base/vocabulary.h"

#define MiB (UINT64_C(1) << 20)
#define GiB (UINT64_C(1) << 30)
#define DEFAULT_MAX_READERS 1024

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
    return value < low ? low : value > high ? high : value;
}

static uint64_t whole_pages(uint64_t bytes)
{
    const uint64_t page = 64 * 1024; /* a multiple of every machine's page */

    return (bytes + page - 1) / page * page;
}

static uint64_t address_reserve(const struct store_env *e)
{
    return clamp(e->soft_limit / 16, 64 * MiB, UINT64_MAX);
}

/* See struct store_opts. */
void environment_set_sizes(struct store_env *e, uint64_t map_size)
{
    e->soft_limit = map_size != 0 ? map_size : MAP_SIZE_DEFAULT;
    e->step = whole_pages(clamp(e->soft_limit / 16, MiB, 64 * MiB));
    e->disk_reserve = clamp(e->soft_limit / 16, 16 * MiB, 64 * MiB);
    e->reserve = address_reserve(e);
    e->real_map = whole_pages(e->soft_limit + e->reserve);
}

/* Makes the map `size` bytes large, even if LMDB chose another size at open. LMDB
 * requires that this process has no transaction yet. */
static int resize_map(struct store_env *e, uint64_t size)
{
    if (size > SIZE_MAX)
        return ENOMEM; /* more than 32-bit addresses allow */

    const int rc = mdb_env_set_mapsize(e->env, (size_t)size);

    if (rc == 0)
        e->real_map = size;
    return rc;
}

/* The writer needs its reserve on top of what the file already holds, even when
 * store.map_size has been lowered since. */
static int size_writers_map(struct store_env *e)
{
    const uint64_t want = whole_pages(store_end(e) + address_reserve(e));

    return want > e->real_map ? resize_map(e, want) : 0;
}

/* A reading process cannot enlarge its map when the writer restarts with a larger
 * one. Addresses are free, so it maps four times the current size. */
static int size_readers_map(struct store_env *e)
{
    MDB_envinfo info;

    mdb_env_info(e->env, &info);
    const uint64_t now = info.me_mapsize;
    uint64_t want = now > e->real_map ? now : e->real_map;
    want = whole_pages(clamp(4 * want, 64 * GiB, UINT64_MAX));
    if (resize_map(e, want) == 0)
        return 0;
    return resize_map(e, now); /* ENOMEM: RLIMIT_AS, or 32-bit addresses */
}

/* LMDB maps its reader table and writes to it in place; on a full disk, the first
 * write to a block that is not allocated yet raises SIGBUS. So allocate the blocks
 * before. This must happen before mdb_env_open(), because closing a descriptor of
 * this file would drop the locks LMDB has on it. */
static int allocate_lock_file(const struct store_env *e, unsigned max_readers)
{
    /* 64 bytes per reader and a header, which LMDB rounds to less than a page. */
    const off_t want = (off_t)whole_pages(64 * ((uint64_t)max_readers + 64));
    struct stat st;
    int rc = 0;

    const int fd = openat(e->dir_fd, "lock.mdb", O_RDWR | O_CREAT | O_CLOEXEC,
                          STORE_FILE_MODE);
    if (fd < 0)
        return e->read_only ? 0 : errno; /* LMDB knows read-only filesystems */
    if (fstat(fd, &st) != 0 ||
        fallocate(fd, FALLOC_FL_KEEP_SIZE, 0,
                  st.st_size > want ? st.st_size : want) != 0)
        rc = errno == EOPNOTSUPP || errno == ENOSYS ? 0 : errno;
    close(fd);
    return rc;
}

/* LMDB trusts its meta page: a truncated file would raise SIGBUS later. */
static enum store_err check_length(struct store_env *e)
{
    struct stat st;
    int fd;

    mdb_env_get_fd(e->env, &fd);
    if (fstat(fd, &st) != 0)
        return STORE_IO;
    return (uint64_t)st.st_size < store_end(e) ? STORE_CORRUPT : STORE_OK;
}

/* LMDB has found an internal contradiction and would call abort(). */
static void on_contradiction(MDB_env *env, const char *what)
{
    const struct store_env *e = mdb_env_get_userctx(env);

    log_error(
        "store",
        "%s/data.mdb is damaged, or Confab has a bug: LMDB stopped at %s. "
        "Run 'confab check --data %s' to find out; restore a backup if the "
        "store is damaged",
        e->dir, what, e->dir);
    disk_fault_end();
}

static int create_env(struct store_env *e, const struct store_opts *opts)
{
    const unsigned max_readers =
        opts->max_readers != 0 ? opts->max_readers : DEFAULT_MAX_READERS;
    unsigned count = 0;
#define X(field, name, dbi_flags) count++;
    SCHEMA_DATABASES(X)
#undef X

    int rc = mdb_env_create(&e->env);
    if (rc == 0)
        rc = mdb_env_set_userctx(e->env, e);
    if (rc == 0)
        rc = mdb_env_set_assert(e->env, on_contradiction);
    if (rc == 0)
        rc = mdb_env_set_maxdbs(e->env, count);
    if (rc == 0)
        rc = mdb_env_set_maxreaders(e->env, max_readers);
    if (rc == 0 && !e->read_only) /* else the file decides */
        rc = mdb_env_set_mapsize(e->env, (size_t)e->real_map);
    if (rc == 0)
        rc = allocate_lock_file(e, max_readers);
    return rc;
}

/* The error for what mdb_env_open() returns when mmap() finds no room. */
static enum store_err open_error(int rc)
{
    return rc == ENOMEM ? STORE_ADDRESS_SPACE : store_from_mdb(rc);
}

/* ---- creating it ------------------------------------------------------- */

#define NEW_NAME "data.mdb.new"

/* Makes a file of that name in e->dir with all databases, flushed and closed. With
 * is_copy the file exists already, and gets a new epoch. */
static enum store_err make_file(struct store_env *e, const char *name,
                                bool is_copy, const struct store_opts *opts,
                                int *ret_rc)
{
    char path[PATH_MAX];
    enum store_err err;

    if (snprintf(path, sizeof(path), "%s/%s", e->dir, name) >=
        (int)sizeof(path)) {
        *ret_rc = ENAMETOOLONG;
        return STORE_ACCESS;
    }
    int rc = create_env(e, opts);
    if (rc == 0) /* nobody else knows the file: no locks needed */
        rc = mdb_env_open(e->env, path, MDB_NOTLS | MDB_NOSUBDIR | MDB_NOLOCK,
                          STORE_FILE_MODE);
    err = open_error(rc);
    if (err == STORE_OK && is_copy)
        err = check_length(e);
    if (err == STORE_OK)
        err = databases_open(e);
    if (err == STORE_OK && is_copy)
        err = databases_new_epoch(e);
    if (err == STORE_OK) {
        rc = mdb_env_sync(e->env, 1);
        err = store_from_mdb(rc);
    }
    if (e->env != NULL)
        mdb_env_close(e->env);
    *ret_rc = rc;
    return err;
}

enum store_err environment_create(const struct store_env *e,
                                  const struct store_opts *opts, int *ret_rc)
{
    struct store_env new_one = *e;

    (void)unlinkat(e->dir_fd, NEW_NAME, 0); /* left by a power cut */
    enum store_err err = make_file(&new_one, NEW_NAME, false, opts, ret_rc);
    if (err == STORE_OK &&
        (renameat(e->dir_fd, NEW_NAME, e->dir_fd, "data.mdb") != 0 ||
         fsync(e->dir_fd) != 0)) {
        *ret_rc = errno;
        err = store_from_mdb(errno);
    }
    if (err != STORE_OK)
        (void)unlinkat(e->dir_fd, NEW_NAME, 0);
    return err;
}

enum store_err environment_renew(const struct store_env *e, const char *name,
                                 const struct store_opts *opts, int *ret_rc)
{
    struct store_env copy = *e;

    return make_file(&copy, name, true, opts, ret_rc);
}

void environment_give_to_owner(const struct store_env *e)
{
    static const char *const names[] = {LOCK_NAME, "data.mdb", "lock.mdb"};
    struct stat folder, file;

    if (geteuid() != 0 || fstat(e->dir_fd, &folder) != 0 || folder.st_uid == 0)
        return;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (fstatat(e->dir_fd, names[i], &file, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISREG(file.st_mode) || file.st_uid != 0 || file.st_nlink != 1)
            continue;
        /* If this fails, nothing is lost: the server reports ACCESS. */
        if (fchownat(e->dir_fd, names[i], folder.st_uid, folder.st_gid,
                     AT_SYMLINK_NOFOLLOW) != 0)
            continue;
    }
}

/* ---- opening it -------------------------------------------------------- */

enum store_err environment_open(struct store_env *e,
                                const struct store_opts *opts, int *ret_rc)
{
    MDB_stat stat;
    unsigned flags =
        MDB_NOTLS; /* a read transaction is not tied to a thread */

    if (e->read_only)
        flags |= MDB_RDONLY;
    int rc = create_env(e, opts);
    if (rc == 0)
        rc = mdb_env_open(e->env, e->dir, flags, STORE_FILE_MODE);
    *ret_rc = rc;
    if (rc != 0)
        return open_error(rc);
    mdb_env_stat(e->env, &stat);
    e->page_size = stat.ms_psize;
    const enum store_err err = check_length(e);
    if (err != STORE_OK)
        return err;
    *ret_rc = e->read_only ? size_readers_map(e) : size_writers_map(e);
    if (*ret_rc == 0 && !e->read_only) /* see store_open() */
        *ret_rc = mdb_env_sync(e->env, 1);
    return open_error(*ret_rc);
}
