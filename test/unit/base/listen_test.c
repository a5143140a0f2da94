#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/net/listen.h"

#define MOST 4

static int fds[MOST];
static size_t count;
static uint16_t port;
static struct config_error error;

static bool open_at(const char *where, size_t max)
{
    count = 0;
    port = 0;
    error.text[0] = '\0';
    return listen_open("mqtt.listen", where, fds, max, &count, &port, &error);
}

static void close_them(void)
{
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage at;
    socklen_t len = sizeof(at);

    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    return ntohs(at.ss_family == AF_INET
                     ? ((struct sockaddr_in *)&at)->sin_port
                     : ((struct sockaddr_in6 *)&at)->sin6_port);
}

static void all_addresses_of_a_name_have_one_port(void **state)
{
    int listens = 0;
    socklen_t len = sizeof(listens);
    (void)state;

    assert_true(open_at("localhost:0", MOST));
    assert_in_range(count, 1, MOST);
    assert_int_not_equal(port, 0);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(port_of(fds[i]), port);
        assert_int_equal(
            getsockopt(fds[i], SOL_SOCKET, SO_ACCEPTCONN, &listens, &len), 0);
        assert_true(listens);
        assert_true(fcntl(fds[i], F_GETFL) & O_NONBLOCK);
        assert_true(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
    }
    close_them();
    assert_true(open_at("localhost:0", 1));
    assert_int_equal(count, 1);
    close_them();
}

/* Not even where another address of the name is free. */
static void a_port_in_use_is_an_error_that_names_the_setting(void **state)
{
    char where[64];
    const int before = dup(0);
    (void)state;

    close(before);
    assert_true(open_at("127.0.0.1:0", MOST));
    const int first = fds[0];
    for (int i = 0; i < 2; i++) {
        snprintf(where, sizeof(where), "%s:%u",
                 i == 0 ? "127.0.0.1" : "localhost", port_of(first));
        assert_false(open_at(where, MOST));
        assert_memory_equal(error.text, "mqtt.listen ", 12);
        assert_non_null(strstr(error.text, where));
        assert_non_null(strstr(error.text, "in use"));
    }
    close(first);
    const int after = dup(0); /* nothing was left open */
    assert_int_equal(after, before);
    close(after);
}

static void an_address_needs_a_port(void **state)
{
    (void)state;
    assert_false(open_at("localhost", MOST));
    assert_string_equal(error.text,
                        "mqtt.listen localhost: address:port expected");
    assert_false(open_at(":0", MOST));
    assert_false(open_at("127.0.0.1:http", MOST)); /* numbers only */
    assert_false(open_at("192.0.2.1:0", MOST));    /* no address of ours */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_addresses_of_a_name_have_one_port),
        cmocka_unit_test(a_port_in_use_is_an_error_that_names_the_setting),
        cmocka_unit_test(an_address_needs_a_port),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
