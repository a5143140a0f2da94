#include "store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/vocabulary.h"
#include "store/env/environment.h"

#define COPY_NAME "data.mdb"
#define COPY_MODE 0600
#define COPY_FOLDER_MODE 0700
#define STORE_FOLDER_MODE 0750
#define BLOCK (1U << 20)

/* ---- reporting progress -------------------------------------------------- */

struct watch {
    void (*progress)(void *arg, uint64_t done, uint64_t total);
    void *arg;
    int fd;
    uint64_t total;
    pthread_mutex_t mutex;
    pthread_cond_t over;
    bool is_over;
    pthread_t thread;
    bool has_thread;
};

static void *watch_main(void *arg)
{
    struct watch *w = arg;
    struct timespec until;
    struct stat st;

    clock_gettime(CLOCK_MONOTONIC, &until);
    pthread_mutex_lock(&w->mutex);
    while (!w->is_over) {
        until.tv_sec++;
        while (!w->is_over &&
               pthread_cond_timedwait(&w->over, &w->mutex, &until) == 0)
            ;
        if (!w->is_over && fstat(w->fd, &st) == 0)
            w->progress(w->arg, (uint64_t)st.st_size, w->total);
    }
    pthread_mutex_unlock(&w->mutex);
    return NULL;
}

static void watch_begin(struct watch *w)
{
    pthread_condattr_t attr;

    pthread_mutex_init(&w->mutex, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->over, &attr);
    pthread_condattr_destroy(&attr);
    w->has_thread = w->progress != NULL &&
                    pthread_create(&w->thread, NULL, watch_main, w) == 0;
}

static void watch_end(struct watch *w)
{
    pthread_mutex_lock(&w->mutex);
    w->is_over = true;
    pthread_cond_signal(&w->over);
    pthread_mutex_unlock(&w->mutex);
    if (w->has_thread)
        pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->over);
    pthread_mutex_destroy(&w->mutex);
}

/* ---- files --------------------------------------------------------------- */

static enum store_err from_errno(int *ret_detail)
{
    *ret_detail = errno;
    switch (errno) {
    case EEXIST: return STORE_EXISTS;
    case EIO: return STORE_IO;
    case ENOSPC:
    case EDQUOT: return STORE_DISK_FULL;
    default: return STORE_ACCESS;
    }
}

static int open_folder(const char *dir, mode_t mode)
{
    if (mkdir(dir, mode) != 0 && errno != EEXIST)
        return -1;
    return open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Creates a file next to where `name` will be. -1: see errno; EEXIST: `name` exists. */
static int create_beside(int dir_fd, const char *part, const char *name,
                         mode_t mode)
{
    if (faccessat(dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EEXIST;
        return -1;
    }
    (void)unlinkat(dir_fd, part, 0); /* left by an attempt that was killed */
    return openat(dir_fd, part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
}

static bool publish_name(int dir_fd, const char *part, const char *name)
{
    /* Not renameat(), which would overwrite a file that appeared meanwhile. */
    if (linkat(dir_fd, part, dir_fd, name, 0) != 0)
        return false;
    (void)unlinkat(dir_fd, part, 0);
    return fsync(dir_fd) == 0;
}

/* ---- backup -------------------------------------------------------------- */

#define PART_NAME COPY_NAME ".part"

static enum store_err copy_out(struct store_env *e, int dir_fd,
                               struct watch *w, int *ret_detail)
{
    w->fd = create_beside(dir_fd, PART_NAME, COPY_NAME, COPY_MODE);
    if (w->fd < 0)
        return from_errno(ret_detail);
    watch_begin(w);
    const int rc = mdb_env_copyfd2(e->env, w->fd, MDB_CP_COMPACT);
    watch_end(w);
    enum store_err err = store_from_mdb(rc);
    *ret_detail = rc > 0 ? rc : 0;
    if (err == STORE_OK &&
        (fsync(w->fd) != 0 || !publish_name(dir_fd, PART_NAME, COPY_NAME)))
        err = from_errno(ret_detail);
    if (err != STORE_OK)
        (void)unlinkat(dir_fd, PART_NAME, 0);
    close(w->fd);
    return err;
}

enum store_err store_backup(struct store *st, const char *dir,
                            void (*progress)(void *arg, uint64_t done,
                                             uint64_t total),
                            void *arg, int *ret_detail)
{
    struct store_stats stats;
    struct watch w = {.progress = progress, .arg = arg};

    *ret_detail = 0;
    enum store_err err = store_stats(st, &stats);
    if (err != STORE_OK)
        return err;
    w.total = stats.map_used;
    const int dir_fd = open_folder(dir, COPY_FOLDER_MODE);
    if (dir_fd < 0)
        return from_errno(ret_detail);
    err = copy_out(store_env(st), dir_fd, &w, ret_detail);
    close(dir_fd);
    return err;
}

/* ---- restore ------------------------------------------------------------- */

#define RESTORED_NAME "data.mdb.restored"

static bool copy_bytes(int from, int to)
{
    char *block = malloc(BLOCK);
    ssize_t n = -1;

    while (block != NULL && (n = read(from, block, BLOCK)) > 0)
        for (ssize_t at = 0, m; at < n; at += m) {
            m = write(to, block + at, (size_t)(n - at));
            if (m < 0) {
                free(block);
                return false;
            }
        }
    free(block);
    return n == 0 && fsync(to) == 0;
}

static enum store_err copy_in(struct store_env *e, int from_fd,
                              struct watch *w, const struct store_opts *opts,
                              int *ret_detail)
{
    w->fd =
        create_beside(e->dir_fd, RESTORED_NAME, COPY_NAME, STORE_FILE_MODE);
    if (w->fd < 0)
        return from_errno(ret_detail);
    watch_begin(w);
    const bool copied = copy_bytes(from_fd, w->fd);
    enum store_err err = copied ? STORE_OK : from_errno(ret_detail);
    watch_end(w);
    close(w->fd);
    if (err == STORE_OK)
        err = environment_renew(e, RESTORED_NAME, opts, ret_detail);
    /* The lock file of the store that was here before. */
    if (err == STORE_OK && unlinkat(e->dir_fd, "lock.mdb", 0) != 0 &&
        errno != ENOENT)
        err = from_errno(ret_detail);
    if (err == STORE_OK && !publish_name(e->dir_fd, RESTORED_NAME, COPY_NAME))
        err = from_errno(ret_detail);
    if (err != STORE_OK)
        (void)unlinkat(e->dir_fd, RESTORED_NAME, 0);
    else
        environment_give_to_owner(e);
    return err;
}

static enum store_err lock_and_copy(struct store_env *e, int from_fd,
                                    struct watch *w,
                                    const struct store_opts *opts,
                                    int *ret_detail)
{
    enum store_err err;

    e->lock_fd = openat(e->dir_fd, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC,
                        STORE_FILE_MODE);
    if (e->lock_fd < 0)
        return from_errno(ret_detail);
    if (flock(e->lock_fd, LOCK_EX | LOCK_NB) != 0)
        err = errno == EWOULDBLOCK ? STORE_LOCKED : from_errno(ret_detail);
    else
        err = copy_in(e, from_fd, w, opts, ret_detail);
    close(e->lock_fd);
    return err;
}

enum store_err store_restore(const char *from, const char *dir,
                             const struct store_opts *opts,
                             void (*progress)(void *arg, uint64_t done,
                                              uint64_t total),
                             void *arg, int *ret_detail)
{
    struct watch w = {.progress = progress, .arg = arg};
    struct store_env e = {.lock_fd = -1};
    char path[4096];
    struct stat st;
    enum store_err err = STORE_NOMEM;

    *ret_detail = 0;
    snprintf(path, sizeof(path), "%s/" COPY_NAME, from);
    const int from_fd = open(path, O_RDONLY | O_CLOEXEC);
    if (from_fd < 0)
        return errno == ENOENT ? STORE_NOTFOUND : from_errno(ret_detail);
    if (fstat(from_fd, &st) == 0)
        w.total = (uint64_t)st.st_size;
    e.dir_fd = open_folder(dir, STORE_FOLDER_MODE);
    e.dir = strdup(dir);
    environment_set_sizes(&e, opts->map_size);
    if (e.dir_fd < 0)
        err = from_errno(ret_detail);
    else if (e.dir != NULL)
        err = lock_and_copy(&e, from_fd, &w, opts, ret_detail);
    free(e.dir);
    if (e.dir_fd >= 0)
        close(e.dir_fd);
    close(from_fd);
    return err;
}
