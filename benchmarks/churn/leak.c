/* libbench_leak.so, preloaded into the server by `benchmarks/soak --fault
 * leak-…`: a server that leaks memory, a descriptor or a thread now and then,
 * to prove that the soak sees it. BENCH_LEAK says what. */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LEAK_EVERY = 20, LEAK_BYTES = 256 * 1024 };

int accept4(int fd, struct sockaddr *from, socklen_t *len, int flags);

static void *wait_for_ever(void *arg)
{
    for (;;)
        pause();
    return arg;
}

static void leak(const char *what)
{
    pthread_t thread;

    if (strcmp(what, "memory") == 0) {
        char *memory = malloc(LEAK_BYTES);

        if (memory != NULL)
            memset(memory, 1, LEAK_BYTES);
        /* The compiler must not find out that nobody wants it. */
        __asm__ volatile("" : : "r"(memory) : "memory");
    } else if (strcmp(what, "descriptor") == 0) {
        (void)!open("/dev/null", O_RDONLY | O_CLOEXEC);
    } else if (strcmp(what, "thread") == 0) {
        pthread_create(&thread, NULL, wait_for_ever, NULL);
    }
}

/* Every connection comes through here. */
int accept4(int fd, struct sockaddr *from, socklen_t *len, int flags)
{
    static atomic_uint calls;
    int (*real)(int, struct sockaddr *, socklen_t *, int);
    const char *what = getenv("BENCH_LEAK");

    *(void **)&real = dlsym(RTLD_NEXT, "accept4");
    if (what != NULL && atomic_fetch_add(&calls, 1) % LEAK_EVERY == 0)
        leak(what);
    return real(fd, from, len, flags);
}
