/* A disk that fails when a test says so: LD_PRELOAD this into the server, with
 * DISK_FAULTS naming a file of sizeof(struct fault_control) zeros, which both sides
 * map or write. Only files whose name begins with data.mdb fail; all else, and
 * all of it while nothing is asked for, goes to the C library as it is. Both
 * names of each call are here, for programs built with 64-bit offsets. */
#undef _FILE_OFFSET_BITS /* it would make one of each two names */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum fault_kind {
    KIND_DATA,     /* writing pages */
    KIND_META,     /* the O_DSYNC write of a meta page */
    KIND_SYNC,     /* fdatasync(), fsync() */
    KIND_ALLOCATE, /* fallocate(), of lock.mdb, too */
    KIND_COUNT
};

/* test/fault/disk.js knows this layout: 32-bit numbers. */
struct injected_fault {
    atomic_int error; /* errno; 0: none */
    atomic_int times; /* so many calls fail; -1: all of them */
    atomic_int after; /* 1: the call is made, and fails all the same */
    atomic_int held;  /* 1: no call goes on until it is 0 again */
    atomic_int calls; /* made so far */
};
struct fault_control {
    struct injected_fault faults[KIND_COUNT];
    atomic_int cut_at; /* the power goes with this call of any kind, from 1 */
    atomic_int calls;
};

static struct fault_control *control;

#define REAL(name)                                                            \
    static __typeof__(&name) real;                                            \
    if (real == NULL)                                                         \
    real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

/* ---- what a power cut takes: whatever was not flushed ---------------------- */

#define WRITES_MAX 65536

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct written {
    dev_t device;
    ino_t inode;
    int fd; /* a duplicate */
    off_t offset;
    size_t len;
} writes[WRITES_MAX];
static size_t write_count;

static void remember(int fd, off_t offset, size_t len)
{
    struct stat st;

    if (atomic_load(&control->cut_at) == 0 || fstat(fd, &st) != 0)
        return;
    pthread_mutex_lock(&mutex);
    if (write_count == WRITES_MAX)
        abort();
    writes[write_count++] =
        (struct written){st.st_dev, st.st_ino, fcntl(fd, F_DUPFD_CLOEXEC, 500),
                         offset, len};
    pthread_mutex_unlock(&mutex);
}

static void flushed(int fd)
{
    struct stat st;
    size_t kept = 0;

    if (fstat(fd, &st) != 0)
        return;
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < write_count; i++) {
        if (writes[i].device == st.st_dev && writes[i].inode == st.st_ino)
            close(writes[i].fd);
        else
            writes[kept++] = writes[i];
    }
    write_count = kept;
    pthread_mutex_unlock(&mutex);
}

/* As a journalling file system may leave it: the sizes are there, what the pages
 * held is not. */
static void cut_power(void)
{
    static const char zeros[4096];

    for (size_t i = 0; i < write_count; i++) {
        size_t done = 0;
        while (done < writes[i].len) {
            const size_t left = writes[i].len - done;
            const ssize_t n =
                syscall(SYS_pwrite64, writes[i].fd, zeros,
                        left < sizeof(zeros) ? left : sizeof(zeros),
                        writes[i].offset + (off_t)done);
            if (n <= 0)
                break;
            done += (size_t)n;
        }
    }
    kill(getpid(), SIGKILL);
}

/* ---- which call fails ------------------------------------------------------ */

__attribute__((constructor)) static void map_control(void)
{
    const char *name = getenv("DISK_FAULTS");
    const int fd = name == NULL ? -1 : open(name, O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return;
    void *map = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE,
                     MAP_SHARED, fd, 0);
    if (map != MAP_FAILED)
        control = map;
    close(fd);
}

static bool is_file(int fd, const char *beginning)
{
    char link[64], path[4096];

    if (control == NULL)
        return false;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    const ssize_t n = readlink(link, path, sizeof(path) - 1);
    if (n <= 0)
        return false;
    path[n] = '\0';
    const char *slash = strrchr(path, '/');
    return slash != NULL &&
           strncmp(slash + 1, beginning, strlen(beginning)) == 0;
}

static bool is_synchronous(int fd)
{
    return (fcntl(fd, F_GETFL) & O_DSYNC) != 0;
}

static enum fault_kind kind_of_write(int fd)
{
    return is_synchronous(fd) ? KIND_META : KIND_DATA;
}

/* Counts the call and waits; the errno it is to fail with, or 0. */
static int begin(enum fault_kind kind, bool *ret_make_it)
{
    struct injected_fault *f = &control->faults[kind];
    const struct timespec moment = {.tv_nsec = 5000000};

    *ret_make_it = true;
    atomic_fetch_add(&f->calls, 1);
    if (atomic_fetch_add(&control->calls, 1) + 1 ==
        atomic_load(&control->cut_at))
        cut_power();
    while (atomic_load(&f->held) != 0)
        nanosleep(&moment, NULL);
    const int times = atomic_load(&f->times), error = atomic_load(&f->error);
    if (times == 0 || error == 0)
        return 0;
    if (times > 0)
        atomic_fetch_sub(&f->times, 1);
    *ret_make_it = atomic_load(&f->after) != 0;
    return error;
}

static size_t length_of(const struct iovec *iov, int count)
{
    size_t len = 0;

    for (int i = 0; i < count; i++)
        len += iov[i].iov_len;
    return len;
}

/* CALL is made unless the test wants it to fail instead. */
#define FAIL_OR(kind, CALL)                                                   \
    bool make_it;                                                             \
    const int error = begin(kind, &make_it);                                  \
    const __typeof__(CALL) result = make_it ? (CALL) : -1;                    \
    if (error != 0) {                                                         \
        errno = error;                                                        \
        return -1;                                                            \
    }

/* ---- the calls ------------------------------------------------------------- */

ssize_t pwrite(int fd, const void *data, size_t len, off_t offset)
{
    REAL(pwrite);
    if (!is_file(fd, "data.mdb"))
        return real(fd, data, len, offset);
    FAIL_OR(kind_of_write(fd), real(fd, data, len, offset));
    if (!is_synchronous(fd)) /* O_DSYNC flushes its own range, and no other */
        remember(fd, offset, len);
    return result;
}

ssize_t pwrite64(int fd, const void *data, size_t len, off_t offset)
{
    return pwrite(fd, data, len, offset);
}

ssize_t writev(int fd, const struct iovec *iov, int count)
{
    REAL(writev);
    if (!is_file(fd, "data.mdb"))
        return real(fd, iov, count);
    const off_t offset = lseek(fd, 0, SEEK_CUR);
    FAIL_OR(kind_of_write(fd), real(fd, iov, count));
    remember(fd, offset, length_of(iov, count));
    return result;
}

ssize_t pwritev(int fd, const struct iovec *iov, int count, off_t offset)
{
    REAL(pwritev);
    if (!is_file(fd, "data.mdb"))
        return real(fd, iov, count, offset);
    FAIL_OR(kind_of_write(fd), real(fd, iov, count, offset));
    remember(fd, offset, length_of(iov, count));
    return result;
}

ssize_t pwritev64(int fd, const struct iovec *iov, int count, off_t offset)
{
    return pwritev(fd, iov, count, offset);
}

int fdatasync(int fd)
{
    REAL(fdatasync);
    if (!is_file(fd, "data.mdb"))
        return real(fd);
    FAIL_OR(KIND_SYNC, real(fd));
    flushed(fd);
    return result;
}

int fsync(int fd)
{
    REAL(fsync);
    if (!is_file(fd, "data.mdb"))
        return real(fd);
    FAIL_OR(KIND_SYNC, real(fd));
    flushed(fd);
    return result;
}

int fallocate(int fd, int mode, off_t offset, off_t len)
{
    REAL(fallocate);
    if (!is_file(fd, "data.mdb") && !is_file(fd, "lock.mdb"))
        return real(fd, mode, offset, len);
    FAIL_OR(KIND_ALLOCATE, real(fd, mode, offset, len));
    return result;
}

int fallocate64(int fd, int mode, off_t offset, off_t len)
{
    return fallocate(fd, mode, offset, len);
}
