#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map_size.h"
#include "base/vocabulary.h"
#include "store/env/environment.h"
#include "store/env/start_check.h"
#include "store/read/reader.h"

#define FOLDER_MODE 0750

/* ---- the folder -------------------------------------------------------- */

static enum store_err folder_error(int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT: return STORE_DISK_FULL;
    case ENOMEM: return STORE_NOMEM;
    case EIO: return STORE_IO;
    default: /* ENOENT, ENOTDIR, EACCES, EROFS, ELOOP, … */
        return STORE_ACCESS;
    }
}

/* Flushes the parent, which puts the folder's name on disk. */
static void flush_parent(int dir_fd)
{
    const int fd = openat(dir_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return; /* we may not read it, so we did not create the folder in it */
    fsync(fd);
    close(fd);
}

static enum store_err open_folder(struct store_env *e)
{
    int why = 0;

    if (!e->read_only && mkdir(e->dir, FOLDER_MODE) != 0)
        why = errno; /* usually EEXIST */
    e->dir_fd = open(e->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (e->dir_fd >= 0) {
        if (!e->read_only && why == 0)
            flush_parent(e->dir_fd);
        return STORE_OK;
    }
    if (errno == ENOENT && e->read_only)
        return STORE_NOTFOUND;
    if (errno == ENOENT && why != 0) /* creating it failed: say why */
        errno = why;
    return folder_error(errno);
}

static enum store_err acquire_lock(struct store_env *e)
{
    e->lock_fd = openat(e->dir_fd, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC,
                        STORE_FILE_MODE);
    if (e->lock_fd < 0)
        return folder_error(errno);
    if (flock(e->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return STORE_OK;
    return errno == EWOULDBLOCK ? STORE_LOCKED : folder_error(errno);
}

/* LMDB would initialise an empty file, even one that it may only read. */
static bool has_data(const struct store_env *e)
{
    struct stat st;

    return fstatat(e->dir_fd, "data.mdb", &st, 0) == 0 && st.st_size > 0;
}

/* ---- open and close ---------------------------------------------------- */

static void free_store(struct store *st)
{
    struct store_env *e = &st->env;

    mdb_txn_abort(e->space_txn); /* NULL is fine */
    if (e->env != NULL)
        mdb_env_close(e->env);
    if (e->dir_fd >= 0)
        close(e->dir_fd);
    if (e->lock_fd >= 0) /* last, because it keeps other writers out */
        close(e->lock_fd);
    free(e->dir);
    free(st);
}

static enum store_err prepare_writer(struct store_env *e)
{
    int rc = mdb_txn_begin(e->env, NULL, MDB_RDONLY, &e->space_txn);

    if (rc != 0)
        return store_from_mdb(rc);
    mdb_txn_reset(e->space_txn);
    /* Puts the names of new files on disk. */
    if (fsync(e->dir_fd) != 0)
        return store_from_mdb(errno);
    /* A full store opens all the same: reading and deleting go on, and the writer
     * tries again. */
    const enum store_err err = store_preallocate(e, store_end(e));
    return store_is_full(err) ? STORE_OK : err;
}

/* *ret_rc: errno or LMDB's code of the failure. */
static enum store_err open_all(struct store *st, const struct store_opts *opts,
                               int *ret_rc)
{
    struct store_env *e = &st->env;

    enum store_err err = open_folder(e);
    if (err == STORE_OK && !e->read_only)
        err = acquire_lock(e);
    *ret_rc = err == STORE_OK ? 0 : errno;
    if (err == STORE_OK && !has_data(e))
        err = e->read_only ? STORE_NOTFOUND
                           : environment_create(e, opts, ret_rc);
    if (err == STORE_OK)
        err = environment_open(e, opts, ret_rc);
    if (err != STORE_OK)
        return err;
    environment_give_to_owner(e);
    if (!e->read_only)
        err = start_check(e, opts->ret_damage);
    if (err != STORE_OK)
        return err;
    mdb_reader_check(e->env, NULL);
    err = databases_open(e);
    if (err == STORE_OK && !e->read_only)
        err = prepare_writer(e);
    if (err == STORE_OK) {
        st->readers = reader_pool_new(e);
        err = st->readers == NULL ? STORE_NOMEM : STORE_OK;
    }
    return err;
}

enum store_err store_open(const char *dir, const struct store_opts *opts,
                          struct store **ret_store, int *ret_detail)
{
    int rc = 0;

    if (opts->map_size > MAP_SIZE_MAX)
        return STORE_INVALID;
    struct store *st = calloc(1, sizeof(*st));
    if (st == NULL)
        return STORE_NOMEM;
    st->env.dir_fd = st->env.lock_fd = -1;
    st->env.read_only = opts->read_only;
    environment_set_sizes(&st->env, opts->map_size);
    st->env.dir = strdup(dir);
    const enum store_err err =
        st->env.dir == NULL ? STORE_NOMEM : open_all(st, opts, &rc);
    if (ret_detail != NULL)
        *ret_detail = err != STORE_OK && rc > 0 ? rc : 0;
    if (err != STORE_OK) {
        free_store(st);
        return err;
    }
    *ret_store = st;
    return STORE_OK;
}

void store_close(struct store *st)
{
    if (st == NULL)
        return;
    reader_pool_free(st->readers);
    free_store(st);
}

/* ---- statistics -------------------------------------------------------- */

static enum store_err count_rows(MDB_txn *txn, MDB_dbi dbi, uint64_t *ret_rows)
{
    MDB_stat stat;

    const int rc = mdb_stat(txn, dbi, &stat);
    if (rc == 0)
        *ret_rows = stat.ms_entries;
    return store_from_mdb(rc);
}

static enum store_err read_stats(struct store_reader *r,
                                 struct store_stats *ret_stats)
{
    struct store_env *e = r->env;
    struct store_stats s = {
        .store_id = e->store_id,
        .epoch = e->epoch,
        .map_size = e->soft_limit,
    };

    enum store_err err = store_head_in(e, r->txn, &s.head);
    if (err == STORE_OK)
        err = store_used(e, r->txn, &s.map_used, NULL);
    if (err == STORE_OK)
        err = count_rows(r->txn, e->db.log, &s.log_entries);
    if (err == STORE_OK)
        err = count_rows(r->txn, e->db.things, &s.things);
    if (err == STORE_OK)
        err = count_rows(r->txn, e->db.tokens, &s.tokens);
    if (err == STORE_OK)
        err = count_rows(r->txn, e->db.retained, &s.retained);
    if (err == STORE_OK)
        err = count_rows(r->txn, e->db.sessions, &s.sessions);
    if (err == STORE_OK)
        *ret_stats = s;
    return err;
}

enum store_err store_stats(struct store *st, struct store_stats *ret_stats)
{
    struct store_reader *r;
    enum store_err err = store_snapshot(st, &r);

    if (err != STORE_OK)
        return err;
    err = read_stats(r, ret_stats);
    store_reader_release(r);
    return err;
}
