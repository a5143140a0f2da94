/* The HTTP server's start and end, where the system refuses what it needs. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/config.h"
#include "base/net/connection_budget.h"
#include "bridge/http/http.h"

static size_t begin(void *arg, struct http_request *q)
{
    (void)arg, (void)q;
    return 0;
}

static enum http_next handle(void *arg, struct http_request *q)
{
    (void)arg;
    http_respond(q, 204, NULL, NULL);
    return HTTP_ANSWERED;
}

static struct http_server *bound(struct config *config)
{
    struct config_error error;

    memset(config, 0, sizeof(*config));
    config->http_idle_timeout = config->http_header_timeout = 10;
    config->http_body_timeout = config->http_write_timeout = 10;
    struct http_server *s = http_bind("http.listen", "127.0.0.1:0", 2, &error);
    if (s == NULL)
        fail_msg("%s", error.text);
    return s;
}

/* Threads that the system has no address space for. */
static void set_stack_size(size_t bytes)
{
    pthread_attr_t attr;

    pthread_attr_init(&attr);
    assert_int_equal(pthread_attr_setstacksize(&attr, bytes), 0);
    assert_int_equal(pthread_setattr_default_np(&attr), 0);
    pthread_attr_destroy(&attr);
}

static void no_descriptor_is_closed_twice_when_no_thread_starts(void **state)
{
    const struct http_handler handler = {.begin = begin, .handle = handle};
    struct connection_budget budget;
    struct config config;
    struct config_error error;
    struct http_server *s = bound(&config);
    (void)state;

    connection_budget_init(&budget, 0);
    /* more than there is, and not refused as an argument */
    set_stack_size((sizeof(size_t) > 4 ? SIZE_MAX / 4 : SIZE_MAX / 8 * 7) /
                   4096 * 4096);
    assert_false(http_start(s, &config, &handler, &budget, &error));
    set_stack_size(1024 * 1024);
    /* Others get the number of the socket that was closed. */
    int others[64];
    for (int i = 0; i < 64; i++)
        others[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    http_quiesce(s);
    for (int i = 0; i < 64; i++)
        assert_int_not_equal(fcntl(others[i], F_GETFD), -1);
    for (int i = 0; i < 64; i++)
        close(others[i]);
    http_stop(s);
    connection_budget_release(&budget);
}

static void a_server_that_was_never_started_ends(void **state)
{
    struct config config;
    (void)state;

    http_stop(bound(&config));
    http_stop(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_descriptor_is_closed_twice_when_no_thread_starts),
        cmocka_unit_test(a_server_that_was_never_started_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
