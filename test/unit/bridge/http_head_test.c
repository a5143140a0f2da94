/* What a request may look like beyond what the library asks of it (RFC 9112). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/http/http_head.h"

static struct http_head head;
static struct http_refusal refusal;

/* `fields`: lines that end in LF, name and value apart by the first colon. */
static bool read_head(const char *method, const char *target, bool is_1_0,
                      const char *fields)
{
    refusal = (struct http_refusal){0};
    if (!http_head_begin(&head, slice_str(method), slice_str(target), is_1_0,
                         &refusal))
        return false;
    while (*fields != '\0') {
        const char *end = strchr(fields, '\n');
        const char *colon = strchr(fields, ':');
        if (!http_head_add(&head, slice_of(fields, (size_t)(colon - fields)),
                           slice_of(colon + 1, (size_t)(end - colon - 1)),
                           &refusal))
            return false;
        fields = end + 1;
    }
    return http_head_end(&head, &refusal);
}

static void is_taken(const char *method, const char *target, bool is_1_0,
                     const char *fields)
{
    if (!read_head(method, target, is_1_0, fields))
        fail_msg("%s %s, %s: %u %s", method, target, fields, refusal.status,
                 refusal.text);
}

static void is_refused(const char *method, const char *target, bool is_1_0,
                       const char *fields, unsigned status)
{
    if (read_head(method, target, is_1_0, fields) || refusal.status != status)
        fail_msg("%s %s, %s: %u instead of %u", method, target, fields,
                 refusal.status, status);
    assert_non_null(refusal.text);
}

static void assert_slice(struct slice s, const char *want)
{
    if (!slice_eq(s, slice_str(want)))
        fail_msg("%.*s instead of %s", (int)s.len, (const char *)s.data, want);
}

static void blanks_around_values_are_cut_off(void **state)
{
    (void)state;
    is_taken("POST", "/a/chat/b?c=d", false,
             "Host: x:80\nA:  b c \t\nContent-Length: 7 \n");
    assert_slice(head.method, "POST");
    assert_slice(head.target, "/a/chat/b?c=d");
    assert_int_equal(head.field_count, 3);
    assert_slice(head.fields[1].name, "A");
    assert_slice(head.fields[1].value, "b c");
    assert_int_equal(head.length, 7);
    assert_false(head.is_chunked);
    is_taken("POST", "/", false, "Host: x\nTransfer-Encoding: Chunked\t\n");
    assert_true(head.is_chunked);
    assert_int_equal(head.length, 0);
}

static void connections_are_kept_as_the_client_says(void **state)
{
    (void)state;
    is_taken("GET", "/", false, "Host: x\n");
    assert_true(http_head_keeps_alive(&head));
    is_taken("GET", "/", false, "Host: x\nConnection: Upgrade, Close\n");
    assert_false(http_head_keeps_alive(&head));
    is_taken("GET", "/", true, "");
    assert_false(http_head_keeps_alive(&head));
    is_taken("GET", "/", true, "Connection: keep-alive\n");
    assert_true(http_head_keeps_alive(&head));
    is_taken("GET", "/", true, "Connection: keep-alive\nConnection: close\n");
    assert_false(http_head_keeps_alive(&head));
}

static void an_absolute_target_is_its_path_and_its_host_wins(void **state)
{
    (void)state;
    is_taken("GET", "http://a.b:80/c?d", false, "Host: other\n");
    assert_slice(head.target, "/c?d");
    assert_slice(head.fields[0].value, "a.b:80");
    is_taken("GET", "HTTPS://a", false, "Host: a\n");
    assert_slice(head.target, "");
    is_taken("GET", "http://a?b", false, "Host: a\n");
    assert_slice(head.target, "?b");
    is_taken("OPTIONS", "*", false, "Host: a\n");
    is_refused("GET", "*", false, "Host: a\n", 400);
    is_refused("GET", "a/b", false, "Host: a\n", 400);
    is_refused("GET", "http:///a", false, "Host: a\n", 400);
    is_refused("GET", "http://u@h/a", false, "Host: a\n", 400);
}

static void lines_that_others_could_read_differently_are_refused(void **state)
{
    static const char *const bad[] = {
        "Transfer-Encoding : chunked\n", /* RFC 9112 §5.1 */
        "Host : x\n",
        "A\t: b\n",
        " A: b\n",
        ": b\n",
        "A(b): c\n",
        "A: b\rc\n",
        "A: b\001\n",
        "Content-Length: 1\nContent-Length: 1\n",
        "Content-Length: 1, 1\n",
        "Content-Length: +1\n",
        "Content-Length: -1\n",
        "Content-Length: 0x1\n",
        "Content-Length: 1 1\n",
        "Content-Length:\n",
        "Content-Length: 1\nTransfer-Encoding: chunked\n",
        "Transfer-Encoding: chunked, chunked\n",
        "Transfer-Encoding: chunked\nTransfer-Encoding: chunked\n",
        "Transfer-Encoding:\n",
        "Host: y\n",
        "Host: a b\n",
        "Host: a/b\n",
    };
    char text[200];
    (void)state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(text, sizeof(text), "Host: x\n%s", bad[i]);
        is_refused("POST", "/", false, text, 400);
    }
    is_refused("POST", "/", false,
               "Host: x\nTransfer-Encoding: gzip, chunked\n", 501);
    is_refused("POST", "/", false, "Host: x\nTransfer-Encoding: identity\n",
               501);
    is_refused("POST", "/", true, "Transfer-Encoding: chunked\n", 400);
    is_refused("GET", "/", false, "", 400);
}

static void what_is_read_as_one_value_is_there_once(void **state)
{
    static const char *const singles[] = {"Content-Type", "Idempotency-Key",
                                          "Last-Event-ID", "Sec-WebSocket-Key",
                                          "sec-websocket-version"};
    char text[200];
    (void)state;

    for (size_t i = 0; i < sizeof(singles) / sizeof(singles[0]); i++) {
        const char *name = singles[i];
        snprintf(text, sizeof(text), "Host: x\n%s: 1\nA: 1\n", name);
        is_taken("POST", "/", false, text);
        snprintf(text, sizeof(text), "Host: x\n%s: 1\nA: 1\n%s: 2\n", name,
                 name);
        is_refused("POST", "/", false, text, 400);
        snprintf(text, sizeof(text), "Host: x\n%s: 1\n%s: 1\n", name, name);
        is_refused("POST", "/", false, text, 400);
    }
    is_taken("GET", "/", false, "Host: x\nAccept: a\nAccept: b\n");
}

static void a_huge_length_is_huge_and_no_other(void **state)
{
    (void)state;
    is_taken("POST", "/", false,
             "Host: x\nContent-Length: 1000000000000000000000000000000\n");
    assert_true(head.length > UINT32_MAX);
    is_taken("POST", "/", false,
             "Host: x\nContent-Length: 18446744073709551617\n"); /* 2^64 + 1 */
    assert_true(head.length > UINT32_MAX);
}

static void request_lines_are_checked(void **state)
{
    (void)state;
    is_refused("G T", "/", false, "Host: x\n", 400);
    is_refused("", "/", false, "Host: x\n", 400);
    is_refused("GET", "", false, "Host: x\n", 400);
    is_refused("GET", "/a b", false, "Host: x\n", 400);
    is_refused("GET", "/\001", false, "Host: x\n", 400);
    is_refused("GETGETGETGETGETGETGETGETGETGETGET", "/", false, "Host: x\n",
               400);
    is_taken("GET", "/\xc3\xbc", false, "Host: x\n");
}

static void what_cannot_become_a_request_is_seen_in_its_first_bytes(
    void **state)
{
    static const char *const good[] = {"", "G", "GET", "GET ",
                                       "GET / HTTP/1.1"};
    static const char *const bad[] = {
        "\026\003\001", "hello\r\n", "GET\t/",
        " GET /",       "{\"a\":1}", "GETGETGETGETGETGETGETGETGETGETGETG"};
    (void)state;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (!http_head_may_begin(slice_str(good[i])))
            fail_msg("%s is a beginning", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (http_head_may_begin(slice_str(bad[i])))
            fail_msg("%s is no beginning", bad[i]);
}

static void what_is_too_long_is_refused(void **state)
{
    static char target[HTTP_TARGET_MAX + 2] = "/";
    (void)state;

    memset(target + 1, 'x', HTTP_TARGET_MAX - 1);
    is_taken("GET", target, false, "Host: x\n");
    target[HTTP_TARGET_MAX] = 'x';
    is_refused("GET", target, false, "Host: x\n", 414);
}

static void too_many_lines_are_refused(void **state)
{
    char text[8192] = "Host: x\n";
    (void)state;

    for (unsigned i = 1; i < HTTP_FIELDS_MAX; i++)
        strcat(text, "A: b\n");
    is_taken("GET", "/", false, text);
    strcat(text, "A: b\n");
    is_refused("GET", "/", false, text, 431);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blanks_around_values_are_cut_off),
        cmocka_unit_test(connections_are_kept_as_the_client_says),
        cmocka_unit_test(an_absolute_target_is_its_path_and_its_host_wins),
        cmocka_unit_test(lines_that_others_could_read_differently_are_refused),
        cmocka_unit_test(what_is_read_as_one_value_is_there_once),
        cmocka_unit_test(a_huge_length_is_huge_and_no_other),
        cmocka_unit_test(request_lines_are_checked),
        cmocka_unit_test(
            what_cannot_become_a_request_is_seen_in_its_first_bytes),
        cmocka_unit_test(what_is_too_long_is_refused),
        cmocka_unit_test(too_many_lines_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
