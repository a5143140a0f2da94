#include "bridge/http/gzip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <zlib.h>

#define MIB (1024U * 1024)

/* One member, appended. */
static void put_member(struct buffer *b, const char *data, size_t len,
                       int level)
{
    z_stream z = {0};
    unsigned char out[8192];
    int rc;

    assert_int_equal(deflateInit2(&z, level, Z_DEFLATED, 16 + MAX_WBITS, 8,
                                  Z_DEFAULT_STRATEGY),
                     Z_OK);
    z.next_in = (unsigned char *)(uintptr_t)data;
    z.avail_in = (uInt)len;
    do {
        z.next_out = out;
        z.avail_out = sizeof(out);
        rc = deflate(&z, Z_FINISH);
        buffer_put(b, out, sizeof(out) - z.avail_out);
    } while (rc == Z_OK);
    assert_int_equal(rc, Z_STREAM_END);
    deflateEnd(&z);
}

static void check(struct slice in, size_t most, enum gunzip_result want,
                  const char *text)
{
    struct buffer out = BUFFER_INIT;

    assert_int_equal(gunzip(in, most, &out), want);
    if (text != NULL)
        assert_true(slice_eq(buffer_slice(&out), slice_str(text)));
    assert_true(out.len <= most);
    buffer_release(&out);
}

static void one_member_and_several_give_their_bytes(void **state)
{
    struct buffer b = BUFFER_INIT;

    (void)state;
    put_member(&b, "{\"a\":1}", 7, 9);
    check(buffer_slice(&b), 7, GUNZIP_OK, "{\"a\":1}");
    buffer_clear(&b);
    put_member(&b, "{\"a\"", 4, 9);
    put_member(&b, "", 0, 9);
    put_member(&b, ":1}", 3, 0);
    check(buffer_slice(&b), 7, GUNZIP_OK, "{\"a\":1}");
    buffer_clear(&b);
    put_member(&b, "", 0, 9);
    check(buffer_slice(&b), 0, GUNZIP_OK, "");
    buffer_release(&b);
}

static void every_size_up_to_the_bound_passes_and_one_more_does_not(
    void **state)
{
    static const size_t sizes[] = {0,     1,     2,     100,   16383,
                                   16384, 16385, 32768, 100000};
    char *data = calloc(1, 100001);

    (void)state;
    for (size_t i = 0; i < 100001; i++)
        data[i] = (char)(i * 2654435761U >> 13);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        for (int level = 0; level <= 9; level += 3) {
            struct buffer b = BUFFER_INIT, out = BUFFER_INIT;
            put_member(&b, data, sizes[i], level);
            assert_true(b.len <= gzip_size_max(sizes[i]));
            assert_int_equal(gunzip(buffer_slice(&b), sizes[i], &out),
                             GUNZIP_OK);
            assert_true(
                slice_eq(buffer_slice(&out), slice_of(data, sizes[i])));
            if (sizes[i] > 0)
                check(buffer_slice(&b), sizes[i] - 1, GUNZIP_TOO_LONG, NULL);
            buffer_release(&b);
            buffer_release(&out);
        }
    free(data);
}

static void a_bomb_makes_no_more_than_the_bound(void **state)
{
    struct buffer b = BUFFER_INIT, out = BUFFER_INIT;
    char *zeros = calloc(1, 64U * MIB);

    (void)state;
    put_member(&b, zeros, 64U * MIB, 9);
    assert_true(b.len < MIB);
    assert_int_equal(gunzip(buffer_slice(&b), 10240, &out), GUNZIP_TOO_LONG);
    assert_true(out.len <= 10240 && out.cap < 64 * 1024);
    free(zeros);
    buffer_release(&b);
    buffer_release(&out);
}

/* Every cut and every flipped bit ends, and none passes for something else. */
static void damage_is_found(void **state)
{
    struct buffer b = BUFFER_INIT;
    static const char text[] = "{\"temperature\":22.5,\"humidity\":60}";

    (void)state;
    put_member(&b, text, sizeof(text) - 1, 9);
    for (size_t len = 0; len < b.len; len++)
        check(slice_of(b.data, len), 1000, GUNZIP_DAMAGED, NULL);
    for (size_t i = 10 * 8; i < b.len * 8; i++) { /* behind the header */
        struct buffer out = BUFFER_INIT;
        b.data[i / 8] ^= (char)(1 << i % 8);
        /* some bits mean nothing: those that fill the last byte */
        if (gunzip(buffer_slice(&b), 1000, &out) == GUNZIP_OK)
            assert_true(slice_eq(buffer_slice(&out), slice_str(text)));
        b.data[i / 8] ^= (char)(1 << i % 8);
        buffer_release(&out);
    }
    buffer_put_str(&b, "more");
    check(buffer_slice(&b), 1000, GUNZIP_DAMAGED, NULL);
    check(slice_str("{\"a\":1}"), 1000, GUNZIP_DAMAGED, NULL);
    /* zlib's own format is no gzip */
    check(slice_of("\x78\x9c\x03\0\0\0\0\x01", 8), 1000, GUNZIP_DAMAGED, NULL);
    buffer_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_member_and_several_give_their_bytes),
        cmocka_unit_test(
            every_size_up_to_the_bound_passes_and_one_more_does_not),
        cmocka_unit_test(a_bomb_makes_no_more_than_the_bound),
        cmocka_unit_test(damage_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
