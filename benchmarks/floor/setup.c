#include "benchmarks/floor/setup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "benchmarks/measure/fatal.h"

static void usage(void)
{
    fprintf(stderr, "usage: %s --data DIR | --bare [--workers N]\n",
            program_invocation_short_name);
    exit(2);
}

static unsigned whole(const char *text)
{
    char *end;
    const long value = strtol(text, &end, 10);

    if (end == text || *end != '\0' || value < 1 || value > 256)
        usage();
    return (unsigned)value;
}

static void parse(struct setup *s, int argc, char **argv)
{
    bool bare = false;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--bare") == 0)
            bare = true;
        else if (strcmp(argv[i], "--data") == 0 && i + 1 < argc)
            s->dir = argv[++i];
        else if (strcmp(argv[i], "--workers") == 0 && i + 1 < argc)
            s->workers = whole(argv[++i]);
        else
            usage();
    }
    if (bare == (s->dir != NULL))
        usage();
}

unsigned setup_cores(void)
{
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);

    return cores > 0 ? (unsigned)cores : 1;
}

void setup_init(struct setup *s, unsigned workers, int argc, char **argv)
{
    struct rlimit files;
    sigset_t set;

    *s = (struct setup){.workers = workers};
    parse(s, argc, argv);

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    s->signals = signalfd(-1, &set, SFD_CLOEXEC);
    if (s->signals < 0)
        fatal("signalfd: %s", strerror(errno));
}

int setup_listen(uint16_t *ret_port)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    socklen_t len = sizeof(at);
    const int fd =
        socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 ||
        listen(fd, SOMAXCONN) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) != 0)
        fatal("cannot listen: %s", strerror(errno));
    *ret_port = ntohs(at.sin_port);
    return fd;
}
