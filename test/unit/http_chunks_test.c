/* Bodies in chunks, whole and byte by byte (RFC 9112 §7.1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "bridge/http_chunks.h"

/* Fed `step` bytes at a time. */
static enum http_chunks_next read_all(const char *text, size_t step,
                                      struct buffer *body, size_t *ret_used)
{
    struct http_chunks c = {0};
    const size_t len = strlen(text);
    enum http_chunks_next next = HTTP_CHUNKS_MORE;

    for (size_t at = 0; at < len; at += step) {
        struct slice data,
            in = slice_of(text + at, len - at < step ? len - at : step);
        while ((next = http_chunks_next(&c, &in, &data)) == HTTP_CHUNKS_DATA)
            buffer_put_slice(body, data);
        *ret_used = (size_t)((const char *)in.data - text);
        if (next != HTTP_CHUNKS_MORE)
            break;
    }
    return next;
}

static void reads_as(const char *text, const char *want, const char *rest)
{
    for (size_t step = 1; step <= strlen(text); step++) {
        struct buffer body = BUFFER_INIT;
        size_t used = 0;
        assert_int_equal(read_all(text, step, &body, &used), HTTP_CHUNKS_END);
        assert_int_equal(body.len, strlen(want));
        assert_memory_equal(body.data, want, body.len);
        assert_string_equal(text + used, rest);
        buffer_release(&body);
    }
}

static void is_bad(const char *text)
{
    for (size_t step = 1; step <= strlen(text); step++) {
        struct buffer body = BUFFER_INIT;
        size_t used;
        if (read_all(text, step, &body, &used) != HTTP_CHUNKS_BAD)
            fail_msg("taken: %s", text);
        buffer_release(&body);
    }
}

static void chunks_are_put_together_and_what_follows_is_left(void **state)
{
    (void)state;
    reads_as("7\r\n{\"n\":1}\r\n0\r\n\r\nGET", "{\"n\":1}", "GET");
    reads_as("1\r\n{\r\n00A\r\n\"n\": 12345\r\n1\r\n}\r\n000\r\n\r\n",
             "{\"n\": 12345}", "");
}

static void extensions_and_trailers_are_thrown_away(void **state)
{
    (void)state;
    reads_as("2;a=\"b\"\r\n{}\r\n0 ; c\r\nA: b\r\nC: d\r\n\r\n.", "{}", ".");
    reads_as("2 \t\r\n{}\r\n0 \r\n\r\n.", "{}", ".");
}

static void what_others_could_read_differently_is_bad(void **state)
{
    (void)state;
    is_bad("2\n{}\r\n0\r\n\r\n");
    is_bad("2\r\n{}\n0\r\n\r\n");
    is_bad("2\r\n{}0\r\n\r\n");
    is_bad("\r\n{}");
    is_bad("g\r\n{}");
    is_bad("-2\r\n{}");
    is_bad("0x2\r\n{}");
    is_bad("2 2\r\n{}");
    is_bad("2 a\r\n{}");
    is_bad("2\t;a\nb\r\n{}");
    is_bad("2;a\nb\r\n{}");
    is_bad("2\r{}");
    is_bad("1000000000000000\r\n"); /* sixteen digits */
    is_bad("0\r\n\rX");
}

static void extensions_have_a_bound(void **state)
{
    char *text = malloc(HTTP_CHUNKS_EXTRA_MAX + 10);
    struct buffer body = BUFFER_INIT;
    size_t used;
    (void)state;

    memset(text, 'x', HTTP_CHUNKS_EXTRA_MAX + 8);
    memcpy(text, "2;", 2);
    text[HTTP_CHUNKS_EXTRA_MAX + 8] = '\0';
    assert_int_equal(read_all(text, 1000, &body, &used), HTTP_CHUNKS_BAD);
    buffer_release(&body);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_are_put_together_and_what_follows_is_left),
        cmocka_unit_test(extensions_and_trailers_are_thrown_away),
        cmocka_unit_test(what_others_could_read_differently_is_bad),
        cmocka_unit_test(extensions_have_a_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
