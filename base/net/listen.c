#include "base/net/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error_text.h"

static bool split_address(const char *where, char *host, size_t size,
                          const char **ret_port)
{
    const char *colon = strrchr(where, ':');

    if (colon == NULL)
        return false;
    size_t len = (size_t)(colon - where);
    if (len >= 2 && where[0] == '[' && where[len - 1] == ']') {
        where++;
        len -= 2;
    }
    if (len == 0 || len >= size)
        return false;
    memcpy(host, where, len);
    host[len] = '\0';
    *ret_port = colon + 1;
    return true;
}

static void set_port(struct sockaddr *sa, uint16_t port)
{
    if (sa->sa_family == AF_INET)
        ((struct sockaddr_in *)sa)->sin_port = htons(port);
    else
        ((struct sockaddr_in6 *)sa)->sin6_port = htons(port);
}

static uint16_t bound_port(int fd)
{
    struct sockaddr_storage at;
    socklen_t len = sizeof(at);

    if (getsockname(fd, (struct sockaddr *)&at, &len) != 0)
        return 0;
    return ntohs(at.ss_family == AF_INET
                     ? ((struct sockaddr_in *)&at)->sin_port
                     : ((struct sockaddr_in6 *)&at)->sin6_port);
}

static int open_address(const struct addrinfo *a)
{
    const int on = 1;
    const int fd =
        socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
    const int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static bool is_repeated(const struct addrinfo *first, const struct addrinfo *a)
{
    for (const struct addrinfo *b = first; b != a; b = b->ai_next)
        if (b->ai_addrlen == a->ai_addrlen &&
            memcmp(b->ai_addr, a->ai_addr, a->ai_addrlen) == 0)
            return true;
    return false;
}

static void close_all(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
}

static bool listen_failed(struct config_error *ret_error, const char *what,
                          const char *value, const char *why)
{
    snprintf(ret_error->text, sizeof(ret_error->text), "%s %.200s: %s", what,
             value, why);
    return false;
}

bool listen_open(const char *key, const char *where, int *fds, size_t max,
                 size_t *ret_count, uint16_t *ret_port,
                 struct config_error *ret_error)
{
    const struct addrinfo hints = {
        .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
    };
    struct addrinfo *found = NULL;
    char host[256];
    const char *service;
    uint16_t port = 0;
    size_t count = 0;
    int why = 0;

    if (!split_address(where, host, sizeof(host), &service))
        return listen_failed(ret_error, key, where, "address:port expected");
    const int rc = getaddrinfo(host, service, &hints, &found);
    if (rc != 0)
        return listen_failed(ret_error, key, where, gai_strerror(rc));
    for (struct addrinfo *a = found; a != NULL && count < max;
         a = a->ai_next) {
        if ((a->ai_family != AF_INET && a->ai_family != AF_INET6) ||
            is_repeated(found, a))
            continue;
        if (port != 0)
            set_port(a->ai_addr, port);
        const int fd = open_address(a);
        if (fd >= 0) {
            fds[count++] = fd;
            port = bound_port(fd);
        } else {
            why = errno;
            if (why == EADDRINUSE || why == EACCES)
                break; /* one of them is meant: none of them will do */
        }
    }
    freeaddrinfo(found);
    /* A machine without IPv6 still serves "localhost". */
    if (count == 0 || why == EADDRINUSE || why == EACCES) {
        close_all(fds, count);
        return listen_failed(ret_error, key, where, error_text(why));
    }
    *ret_count = count;
    *ret_port = port;
    return true;
}
