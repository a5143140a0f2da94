#include "test/unit/broker/mqtt_peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "test/unit/broker/packet_notation.h"

#define PATIENCE_US INT64_C(30000000) /* a busy machine's */

struct peer peer_tcp(uint16_t port)
{
    const struct sockaddr_in at = {.sin_family = AF_INET,
                                   .sin_port = htons(port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct peer p = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};

    assert_int_equal(connect(p.fd, (const struct sockaddr *)&at, sizeof(at)),
                     0);
    return p;
}

struct peer peer_unix(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct peer p = {.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};

    snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
    assert_int_equal(connect(p.fd, (const struct sockaddr *)&at, sizeof(at)),
                     0);
    return p;
}

void peer_close(struct peer *p)
{
    close(p->fd);
    p->fd = -1;
}

void peer_reset(struct peer *p)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    peer_close(p);
}

static bool wait_readable(struct peer *p, int64_t for_us)
{
    const int64_t until = clock_mono_us() + for_us;
    struct pollfd poll_fd = {.fd = p->fd, .events = POLLIN};

    do {
        if (p->meanwhile != NULL)
            p->meanwhile(p->arg);
        if (poll(&poll_fd, 1, p->meanwhile != NULL ? 1 : 20) > 0)
            return true;
    } while (clock_mono_us() < until);
    return false;
}

void says_bytes(struct peer *p, const void *data, size_t len)
{
    const char *at = data;

    while (len > 0) {
        const ssize_t n = send(p->fd, at, len, MSG_NOSIGNAL);
        assert_true(n > 0);
        at += n;
        len -= (size_t)n;
    }
}

void says(struct peer *p, const char *notation)
{
    struct packet_bytes b = packet_write_down(notation);

    says_bytes(p, b.data, b.len);
    packet_bytes_release(&b);
}

bool hears_bytes(struct peer *p, void *data, size_t len)
{
    char *at = data;

    while (len > 0) {
        if (!wait_readable(p, PATIENCE_US))
            fail_msg("%s", "nothing came for 5 s");
        const ssize_t n = recv(p->fd, at, len, 0);
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static void print_bytes(const char *what, const uint8_t *p, size_t n)
{
    fprintf(stderr, "%s", what);
    for (size_t i = 0; i < n; i++)
        fprintf(stderr, " %02x", p[i]);
    fprintf(stderr, "\n");
}

void hears(struct peer *p, const char *notation)
{
    struct packet_bytes b = packet_write_down(notation);
    uint8_t *got = malloc(b.len + 1);

    if (!hears_bytes(p, got, b.len))
        fail_msg("the end came instead of %s", notation);
    if (memcmp(got, b.data, b.len) != 0) {
        print_bytes("expected", b.data, b.len);
        print_bytes("got     ", got, b.len);
        fail_msg("%s", notation);
    }
    free(got);
    packet_bytes_release(&b);
}

uint8_t hears_packet(struct peer *p, void *body, size_t size, size_t *ret_len)
{
    uint8_t first, byte;
    size_t len = 0;
    unsigned shift = 0;

    assert_true(hears_bytes(p, &first, 1));
    do {
        assert_true(hears_bytes(p, &byte, 1));
        len |= (size_t)(byte & 127) << shift;
        shift += 7;
    } while (byte & 128);
    *ret_len = len;
    const size_t kept = len < size ? len : size;
    assert_true(hears_bytes(p, body, kept));
    for (size_t left = len - kept; left > 0;) {
        char rest[4096];
        const size_t n = left < sizeof(rest) ? left : sizeof(rest);
        assert_true(hears_bytes(p, rest, n));
        left -= n;
    }
    return first;
}

void hears_end(struct peer *p)
{
    char byte;

    if (hears_bytes(p, &byte, 1))
        fail_msg("byte %02x instead of the end", (uint8_t)byte);
}

void hears_nothing(struct peer *p, int ms)
{
    char byte;

    if (!wait_readable(p, (int64_t)ms * 1000))
        return;
    const ssize_t n = recv(p->fd, &byte, 1, 0);
    fail_msg("%s", n > 0 ? "something came" : "the end came");
}
