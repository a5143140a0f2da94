#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/io/transport.h"

#define TOTAL 1000000
#define RUN 3000

static struct transport t;
static int client;
static char pattern[TOTAL];

static void open_pair(void)
{
    const int small = 4096;
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds),
                     0);
    setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    t = transport_of(fds[0]);
    client = fds[1];
    for (size_t i = 0; i < TOTAL; i++)
        pattern[i] = (char)(i * 7 + i / 256);
}

static void close_pair(void)
{
    transport_close(&t);
    transport_close(&t); /* again */
    close(client);
}

/* The next runs of the pattern, as an out queue would offer them. */
static int offer(size_t at, struct iovec *runs)
{
    int n = 0;

    for (; at < TOTAL && n < TRANSPORT_RUNS_MAX; at += runs[n++].iov_len)
        runs[n] =
            (struct iovec){pattern + at, TOTAL - at < RUN ? TOTAL - at : RUN};
    return n;
}

/* Takes the payload out of unmasked frames. */
struct frames {
    uint8_t header[10];
    size_t have;
    uint64_t left;
    size_t payload, count;
};

static size_t header_size(const struct frames *f)
{
    if (f->have < 2)
        return 2;
    return f->header[1] == 127 ? 10 : f->header[1] == 126 ? 4 : 2;
}

static void take_header(struct frames *f, uint8_t byte)
{
    f->header[f->have++] = byte;
    if (f->have < header_size(f))
        return;
    assert_int_equal(f->header[0], 0x82);
    f->left = f->have == 2 ? f->header[1] : 0;
    for (size_t i = 2; i < f->have; i++)
        f->left = f->left << 8 | f->header[i];
    f->have = 0;
    f->count++;
}

static void take(struct frames *f, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (f->left == 0) {
            take_header(f, (uint8_t)bytes[i]);
            continue;
        }
        assert_true(bytes[i] == pattern[f->payload]);
        f->payload++;
        f->left--;
    }
}

static void a_full_socket_leaves_frames_whole(void **state)
{
    struct frames f = {.payload = 0};
    struct iovec runs[TRANSPORT_RUNS_MAX];
    size_t sent = 0, blocked = 0;
    char in[1777];
    (void)state;

    open_pair();
    assert_true(transport_start_websocket(&t));
    while (f.payload < TOTAL) {
        const int count = offer(sent, runs);
        const ssize_t n = count > 0 ? transport_write(&t, runs, count) : 0;
        if (n < 0)
            assert_int_equal(errno, EAGAIN);
        blocked += n < 0;
        sent += n > 0 ? (size_t)n : 0;
        const ssize_t got = recv(client, in, sizeof(in), 0);
        if (got > 0)
            take(&f, in, (size_t)got);
    }
    assert_int_equal(sent, TOTAL);
    assert_true(blocked > 0);
    assert_true(f.count >= 2 && f.count < 20);
    close_pair();
}

static void a_pong_that_does_not_fit_is_owed(void **state)
{
    static const uint8_t ping[] = {0x89, 0x80, 0, 0, 0, 0};
    char in[TRANSPORT_ROOM_MIN];
    struct iovec runs[TRANSPORT_RUNS_MAX];
    ssize_t n;
    (void)state;

    open_pair();
    assert_true(transport_start_websocket(&t));
    assert_int_equal(transport_awaits(&t), EPOLLIN);
    /* Fill the socket from outside, so that no frame of ours is open. */
    while (send(t.fd, pattern, 512, 0) > 0)
        continue;
    assert_int_equal(send(client, ping, sizeof(ping), 0), sizeof(ping));
    assert_int_equal(transport_read(&t, in, sizeof(in)), -1);
    assert_int_equal(errno, EAGAIN);
    assert_true(transport_owes(&t));
    assert_int_equal(transport_awaits(&t), EPOLLIN | EPOLLOUT);
    assert_false(transport_end(&t));

    while ((n = recv(client, in, sizeof(in), 0)) > 0)
        continue;
    assert_int_equal(transport_write(&t, runs, 0), 0);
    assert_false(transport_owes(&t));
    assert_true(transport_end(&t));
    assert_int_equal(recv(client, in, sizeof(in), 0), 6);
    assert_memory_equal(in, "\x8a\x00\x88\x02\x03\xe8", 6);
    assert_int_equal(recv(client, in, sizeof(in), 0), 0);
    close_pair();
}

static void a_closed_client_is_told_so_and_heard_no_more(void **state)
{
    static const uint8_t bye[] = {0x82, 0x81, 0, 0, 0, 0, 'x',
                                  0x88, 0x80, 0, 0, 0, 0};
    char in[TRANSPORT_ROOM_MIN];
    struct iovec run = {"late", 4};
    (void)state;

    open_pair();
    assert_true(transport_start_websocket(&t));
    assert_int_equal(send(client, bye, sizeof(bye), 0), sizeof(bye));
    assert_int_equal(transport_read(&t, in, sizeof(in)), 1);
    assert_int_equal(transport_read(&t, in, sizeof(in)), 0);
    assert_int_equal(transport_write(&t, &run, 1), -1);
    assert_int_equal(errno, EPIPE);
    assert_int_equal(recv(client, in, sizeof(in), 0), 4);
    assert_memory_equal(in, "\x88\x02\x03\xe8", 4);
    assert_int_equal(recv(client, in, sizeof(in), 0), 0); /* FIN */
    close_pair();
}

static void a_plain_one_is_the_socket(void **state)
{
    char in[TRANSPORT_ROOM_MIN];
    struct iovec runs[] = {{"ab", 2}, {"c", 1}};
    (void)state;

    open_pair();
    assert_int_equal(transport_write(&t, runs, 2), 3);
    assert_int_equal(recv(client, in, sizeof(in), 0), 3);
    assert_memory_equal(in, "abc", 3);
    assert_int_equal(send(client, "de", 2, 0), 2);
    assert_int_equal(transport_read(&t, in, sizeof(in)), 2);
    assert_true(transport_end(&t));
    assert_int_equal(recv(client, in, sizeof(in), 0), 0);
    close_pair();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_socket_leaves_frames_whole),
        cmocka_unit_test(a_pong_that_does_not_fit_is_owed),
        cmocka_unit_test(a_closed_client_is_told_so_and_heard_no_more),
        cmocka_unit_test(a_plain_one_is_the_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
