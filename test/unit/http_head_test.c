/* What is a request, what is half of one, and what is none (RFC 9112). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/http_head.h"

static struct http_head head;
static struct http_refusal refusal;
static size_t length;

static enum http_head_state parse(const char *text)
{
    refusal = (struct http_refusal){0};
    return http_head_parse(slice_str(text), &head, &length, &refusal);
}

static void is_whole(const char *text)
{
    const enum http_head_state state = parse(text);

    if (state != HTTP_HEAD_WHOLE)
        fail_msg("%s: %u %s", text, refusal.status,
                 refusal.text != NULL ? refusal.text : "partial");
}

static void is_refused(const char *text, unsigned status)
{
    const enum http_head_state state = parse(text);

    if (state != HTTP_HEAD_REFUSED || refusal.status != status)
        fail_msg("%s: state %d, %u instead of %u", text, (int)state,
                 refusal.status, status);
    assert_non_null(refusal.text);
}

static void assert_slice(struct slice s, const char *want)
{
    if (!slice_eq(s, slice_str(want)))
        fail_msg("%.*s instead of %s", (int)s.len, (const char *)s.data, want);
}

static void a_request_is_taken_apart(void **state)
{
    (void)state;
    is_whole("POST /a/chat/b?c=d HTTP/1.1\r\nHost: x:80\r\nA:  b c \t\r\n"
             "Content-Length: 7 \r\n\r\n{\"n\":1}");
    assert_slice(head.method, "POST");
    assert_slice(head.target, "/a/chat/b?c=d");
    assert_int_equal(head.field_count, 3);
    assert_slice(head.fields[1].name, "A");
    assert_slice(head.fields[1].value, "b c");
    assert_int_equal(head.length, 7);
    assert_false(head.is_chunked);
    assert_true(head.keeps_alive);
    assert_int_equal(length, strlen("POST /a/chat/b?c=d HTTP/1.1\r\n"
                                    "Host: x:80\r\nA:  b c \t\r\n"
                                    "Content-Length: 7 \r\n\r\n"));
}

static void every_beginning_of_a_request_is_partial(void **state)
{
    static const char text[] =
        "\r\nGET /a HTTP/1.1\r\nHost: x\r\nA: b\r\n\r\n";
    (void)state;

    for (size_t n = 0; n < sizeof(text) - 1; n++)
        if (http_head_parse(slice_of(text, n), &head, &length, &refusal) !=
            HTTP_HEAD_PARTIAL)
            fail_msg("%zu bytes are no beginning", n);
    is_whole(text);
}

static void lines_may_end_in_lf_alone(void **state)
{
    (void)state;
    is_whole("GET / HTTP/1.1\nHost: x\n\n");
    assert_slice(head.fields[0].value, "x");
}

static void connections_are_kept_as_the_client_says(void **state)
{
    (void)state;
    is_whole(
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, Close\r\n\r\n");
    assert_false(head.keeps_alive);
    is_whole("GET / HTTP/1.0\r\n\r\n");
    assert_false(head.keeps_alive);
    is_whole("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_true(head.keeps_alive);
    is_whole("GET / HTTP/1.0\r\nConnection: keep-alive\r\n"
             "Connection: close\r\n\r\n");
    assert_false(head.keeps_alive);
}

static void an_absolute_target_is_its_path_and_its_host_wins(void **state)
{
    (void)state;
    is_whole("GET http://a.b:80/c?d HTTP/1.1\r\nHost: other\r\n\r\n");
    assert_slice(head.target, "/c?d");
    assert_slice(head.fields[0].value, "a.b:80");
    is_whole("GET HTTPS://a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_slice(head.target, "");
    is_whole("GET http://a?b HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_slice(head.target, "?b");
    is_whole("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    is_refused("GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    is_refused("GET a/b HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    is_refused("GET http:///a HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    is_refused("GET http://u@h/a HTTP/1.1\r\nHost: a\r\n\r\n", 400);
}

static void lines_that_others_could_read_differently_are_refused(void **state)
{
    static const char *const bad[] = {
        "Transfer-Encoding : chunked", /* RFC 9112 §5.1 */
        "Host : x",
        "A\t: b",
        " A: b", /* goes on with the line before, §5.2 */
        "A: b\r\n c",
        ": b",
        "A",
        "A(b): c",
        "A: b\rc",
        "A: b\001",
        "Content-Length: 1\r\nContent-Length: 1",
        "Content-Length: 1, 1",
        "Content-Length: +1",
        "Content-Length: -1",
        "Content-Length: 0x1",
        "Content-Length: 1 1",
        "Content-Length:",
        "Content-Length: 1\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding:",
        "Host: y",
        "Host: a b",
        "Host: a/b",
    };
    char text[200];
    (void)state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(text, sizeof(text),
                 "POST / HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", bad[i]);
        is_refused(text, 400);
    }
    is_refused("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, "
               "chunked\r\n\r\n",
               501);
    is_refused("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
               "identity\r\n\r\n",
               501);
    is_refused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
    is_refused("GET / HTTP/1.1\r\n\r\n", 400);
    assert_int_equal(http_head_parse(slice_of("GET / HTTP/1.1\r\nHost: a\0b"
                                              "\r\n\r\n",
                                              29),
                                     &head, &length, &refusal),
                     HTTP_HEAD_REFUSED);
}

static void a_huge_length_is_huge_and_no_other(void **state)
{
    (void)state;
    is_whole("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: "
             "1000000000000000000000000000000\r\n\r\n");
    assert_true(head.length > UINT32_MAX);
    is_whole("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: "
             "18446744073709551617\r\n\r\n"); /* 2^64 + 1 */
    assert_true(head.length > UINT32_MAX);
}

static void request_lines_are_checked_as_they_come(void **state)
{
    (void)state;
    is_refused("\026\003\001", 400); /* TLS */
    is_refused("GET\t/ HTTP/1.1\r\n", 400);
    is_refused("GET  / HTTP/1.1\r\n", 400);
    is_refused("GET /\r\n", 400);
    is_refused("GET / HTTP/1.1 \r\n", 400);
    is_refused("GET / http/1.1\r\n", 400);
    is_refused("GET / HTTP/2.0\r\n", 505);
    is_refused("GET / HTTP/0.9\r\n", 505);
    is_refused("GET /\001 HTTP/1.1\r\n", 400);
}

static char *long_text(const char *before, size_t count, const char *after)
{
    static char text[64 * 1024];

    snprintf(text, sizeof(text), "%s%*s%s", before, (int)count, "", after);
    for (char *p = text + strlen(before); count > 0; count--)
        *p++ = 'x';
    return text;
}

static void what_is_too_long_is_said_before_all_of_it_came(void **state)
{
    (void)state;
    is_whole(long_text("GET /", HTTP_TARGET_MAX - 1,
                       " HTTP/1.1\r\nHost: x\r\n\r\n"));
    is_refused(long_text("GET /", HTTP_TARGET_MAX,
                         " HTTP/1.1\r\nHost: x\r\n\r\n"),
               414);
    is_refused(long_text("GET /", HTTP_TARGET_MAX, " HTTP/1.1\r\n"), 414);
    is_refused(long_text("GET /", HTTP_TARGET_MAX + 100, ""), 414);
    is_refused(long_text("GET /", 40000, ""), 414);
    is_refused(
        long_text("GET / HTTP/1.1\r\nHost: x\r\nCookie: ", HTTP_HEAD_MAX, ""),
        431);
    is_refused(long_text("GET / HTTP/1.1\r\nHost: x\r\nCookie: ",
                         HTTP_HEAD_MAX, "\r\n\r\n"),
               431);
    is_whole(long_text("GET / HTTP/1.1\r\nHost: x\r\nCookie: ",
                       HTTP_HEAD_MAX - 100, "\r\n\r\n"));
}

static void too_many_lines_are_refused(void **state)
{
    char text[8192] = "GET / HTTP/1.1\r\nHost: x\r\n";
    (void)state;

    for (unsigned i = 1; i < HTTP_FIELDS_MAX; i++)
        strcat(text, "A: b\r\n");
    strcat(text, "\r\n");
    is_whole(text);
    text[strlen(text) - 2] = '\0';
    strcat(text, "A: b\r\n\r\n");
    is_refused(text, 431);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_taken_apart),
        cmocka_unit_test(every_beginning_of_a_request_is_partial),
        cmocka_unit_test(lines_may_end_in_lf_alone),
        cmocka_unit_test(connections_are_kept_as_the_client_says),
        cmocka_unit_test(an_absolute_target_is_its_path_and_its_host_wins),
        cmocka_unit_test(lines_that_others_could_read_differently_are_refused),
        cmocka_unit_test(a_huge_length_is_huge_and_no_other),
        cmocka_unit_test(request_lines_are_checked_as_they_come),
        cmocka_unit_test(what_is_too_long_is_said_before_all_of_it_came),
        cmocka_unit_test(too_many_lines_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
