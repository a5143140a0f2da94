#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/address_list.h"
#include "base/net/handover.h"

static struct sockaddr_storage client;
static char dir[] = "/tmp/confab-handover-test-XXXXXX";
static char path[64];
static int listener;

static int open_socket(void **state)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    (void)state;

    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/s", dir);
    memcpy(at.sun_path, path, strlen(path));
    listener = socket(AF_UNIX, HANDOVER_SOCKET_TYPE, 0);
    if (bind(listener, (struct sockaddr *)&at, sizeof(at)) != 0)
        return -1;
    return listen(listener, 2);
}

static int close_socket(void **state)
{
    (void)state;
    close(listener);
    unlink(path);
    return rmdir(dir);
}

static void what_was_handed_over_arrives_though_the_sender_has_gone(
    void **state)
{
    int ends[2];
    char in[3];
    (void)state;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    const struct in6_addr address = {.s6_addr = {0x20, 0x01, [15] = 7}};
    address_to_sockaddr(&address, 4711, &client);
    assert_true(handover_send(path, ends[0], &client));
    close(ends[0]);
    const int connection = accept(listener, NULL, NULL);
    struct sockaddr_storage heard;
    const int fd = handover_receive(connection, &heard);
    assert_memory_equal(&heard, &client, sizeof(client));
    assert_true(fd >= 0);
    assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_int_equal(write(fd, "hi", 2), 2);
    assert_int_equal(read(ends[1], in, sizeof(in)), 2);
    close(fd);
    assert_int_equal(read(ends[1], in, sizeof(in)), 0); /* nobody has it */
    close(connection);
    close(ends[1]);
}

static void what_has_not_come_yet_may_still_come(void **state)
{
    int pair[2];
    (void)state;

    assert_int_equal(socketpair(AF_UNIX, HANDOVER_SOCKET_TYPE, 0, pair), 0);
    assert_int_equal(handover_receive(pair[1], &client), -1);
    assert_int_equal(errno, EAGAIN);
    close(pair[0]);
    assert_int_equal(handover_receive(pair[1], &client), -1); /* the end */
    assert_int_equal(errno, EPROTO);
    close(pair[1]);
}

static void anything_else_is_no_client(void **state)
{
    static const char *const records[] = {
        "", "x", "confab mqtt over websocket 3",
        "confab mqtt over websocket 2 and more"};
    int pair[2];
    (void)state;

    assert_int_equal(socketpair(AF_UNIX, HANDOVER_SOCKET_TYPE, 0, pair), 0);
    for (size_t i = 0; i < 4; i++) {
        assert_true(send(pair[0], records[i], strlen(records[i]) + 1, 0) > 0);
        assert_int_equal(handover_receive(pair[1], &client), -1);
        assert_int_equal(errno, EPROTO);
    }
    /* the right words, and no descriptor */
    static const char right[52] = "confab mqtt over websocket 2";
    assert_int_equal(send(pair[0], right, sizeof(right), 0), sizeof(right));
    assert_int_equal(handover_receive(pair[1], &client), -1);
    assert_int_equal(errno, EPROTO);
    close(pair[0]);
    close(pair[1]);
}

static void a_full_or_absent_broker_is_not_waited_for(void **state)
{
    int ends[2], sent = 0;
    char absent[80];
    (void)state;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    snprintf(absent, sizeof(absent), "%s.not", path);
    assert_false(handover_send(absent, ends[0], &client));
    assert_int_equal(errno, ENOENT);
    while (sent < 100 && handover_send(path, ends[0], &client))
        sent++;
    assert_true(sent > 0 && sent < 100);
    assert_int_equal(errno, EAGAIN);
    for (; sent > 0; sent--)
        close(accept(listener, NULL, NULL));
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            what_was_handed_over_arrives_though_the_sender_has_gone),
        cmocka_unit_test(what_has_not_come_yet_may_still_come),
        cmocka_unit_test(anything_else_is_no_client),
        cmocka_unit_test(a_full_or_absent_broker_is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, open_socket, close_socket);
}
