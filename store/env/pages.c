/* How much of data.mdb is in use, and allocating disk blocks before LMDB needs
 * them. On a full disk a write into allocated blocks succeeds; any other write is
 * an EIO in the middle of a commit. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/env/env.h"

uint64_t store_end(struct store_env *e)
{
    MDB_envinfo info;

    mdb_env_info(e->env, &info);
    return (info.me_last_pgno + 1) * e->page_size;
}

/* Parses a line of mdb_reader_list(): "pid thread txnid", or "-" for no snapshot.
 * LMDB offers no other way to learn which snapshots its readers hold. */
static int note_reader(const char *line, void *arg)
{
    uint64_t *oldest = arg;
    uint64_t txn;

    if (sscanf(line, "%*d %*x %" SCNu64, &txn) == 1 && txn < *oldest)
        *oldest = txn;
    return 0;
}

/* Pages freed by transaction N can be reused once every snapshot is newer than N
 * (LMDB's mdb_find_oldest). */
static enum store_err count_free_pages(struct store_env *e, MDB_txn *txn,
                                       uint64_t *ret_pages,
                                       uint64_t *ret_pinned)
{
    const uint64_t last = mdb_txn_id(txn);
    uint64_t oldest = last, pages = 0, pinned = 0;
    MDB_cursor *cursor;
    MDB_val key, v;

    mdb_reader_list(e->env, note_reader, &oldest);
    int rc = mdb_cursor_open(txn, 0 /* LMDB's free list */, &cursor);
    if (rc != 0)
        return store_from_mdb(rc);
    while ((rc = mdb_cursor_get(cursor, &key, &v, MDB_NEXT)) == 0) {
        size_t id, count;
        memcpy(&id, key.mv_data, sizeof(id));
        memcpy(&count, v.mv_data, sizeof(count)); /* then the page numbers */
        if (id < oldest)
            pages += count;
        else if (id < last)
            pinned += count;
    }
    mdb_cursor_close(cursor);
    if (rc != 0 && rc != MDB_NOTFOUND)
        return store_from_mdb(rc);
    *ret_pages = pages;
    *ret_pinned = pinned;
    return STORE_OK;
}

enum store_err store_used(struct store_env *e, MDB_txn *txn,
                          uint64_t *ret_used, uint64_t *ret_pinned)
{
    uint64_t free_pages = 0, pinned = 0;

    if (txn == NULL) {
        const int rc = mdb_txn_renew(e->space_txn);
        if (rc != 0)
            return store_from_mdb(rc);
    }
    const enum store_err err =
        count_free_pages(e, txn == NULL ? e->space_txn : txn, &free_pages,
                         &pinned);
    if (txn == NULL)
        mdb_txn_reset(e->space_txn);
    if (err == STORE_OK)
        *ret_used = store_end(e) - free_pages * e->page_size;
    if (err == STORE_OK && ret_pinned != NULL)
        *ret_pinned = pinned * e->page_size;
    return err;
}

/* Blocks that an earlier process allocated: they exist even if the disk is full by
 * now. Counted in blocks, in case somebody copied the file and left holes. */
static uint64_t allocated_before(int fd)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return 0;
    const uint64_t blocks = (uint64_t)st.st_blocks * 512;
    return (uint64_t)st.st_size < blocks ? (uint64_t)st.st_size : blocks;
}

/* Without allocating blocks: a write there may still find the disk full. */
static int make_file_as_long_as(int fd, uint64_t length)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return -1;
    return (uint64_t)st.st_size >= length ? 0 : ftruncate(fd, (off_t)length);
}

enum store_err store_preallocate(struct store_env *e, uint64_t used)
{
    uint64_t want = used + e->disk_reserve;
    int fd, rc;

    if (want <= e->allocated)
        return STORE_OK;
    mdb_env_get_fd(e->env, &fd);
    if (e->allocated == 0)
        e->allocated = allocated_before(fd);
    want = (want + e->step - 1) / e->step * e->step;
    if (want > e->real_map)
        want = e->real_map;
    if (want <= e->allocated)
        return STORE_OK;

    /* Not posix_fallocate(): on filesystems without support (copy-on-write ones)
     * it writes to every block, and the blocks would move later all the same. */
    do
        rc = fallocate(fd, 0, (off_t)e->allocated,
                       (off_t)(want - e->allocated));
    while (rc != 0 && errno == EINTR);
    if (rc != 0 && (errno == EOPNOTSUPP || errno == ENOSYS))
        rc = make_file_as_long_as(fd, want);
    if (rc != 0)
        return store_from_mdb(errno);
    e->allocated = want;
    return STORE_OK;
}

/* A page that was allocated and freed in one transaction is counted in the meta
 * page and never written. So the file may end before its last page, and would look
 * like a truncated one. */
static void keep_length(struct store_env *e)
{
    const uint64_t end = store_end(e);
    int fd;

    if (end <= e->allocated)
        return;
    mdb_env_get_fd(e->env, &fd);
    (void)make_file_as_long_as(fd, end); /* the next commit tries again */
}

/* LMDB writes and flushes the pages; then one O_DSYNC write puts the meta page that
 * makes them count on disk. Until that write the pages belong to nobody, and the
 * commit has not happened. When that write fails, the new meta page may be on disk,
 * or in the page cache, where LMDB has tried to undo it; from then on its
 * environment refuses to write, which is the only sign LMDB gives. */
enum store_err store_commit(struct store_env *e, MDB_txn *txn)
{
    MDB_txn *probe;

    const int rc = mdb_txn_commit(txn);
    e->commit_rc = rc;
    if (rc == 0) {
        keep_length(e);
        return STORE_OK;
    }
    if (mdb_txn_begin(e->env, NULL, 0, &probe) != 0)
        return STORE_UNCERTAIN;
    mdb_txn_abort(probe);
    return store_from_mdb(rc);
}
