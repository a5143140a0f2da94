#include "base/msgpack/unpack.h"

#include <msgpack.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/msgpack/pack.h"

static void numbers_of_every_width_come_back(void **state)
{
    struct buffer b = BUFFER_INIT;
    msgpack_packer p = packer_of(&b);

    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        const uint64_t around[] = {(UINT64_C(1) << bit) - 1, UINT64_C(1)
                                                                 << bit};
        for (unsigned i = 0; i < 2; i++) {
            buffer_clear(&b);
            msgpack_pack_uint64(&p, around[i]);
            msgpack_pack_int64(&p, (int64_t)around[i]);
            msgpack_pack_int64(&p, (int64_t)(0 - around[i]));
            struct unpack u = unpack_of(b.data, b.len);
            assert_true(unpack_uint(&u) == around[i]);
            assert_true(unpack_int(&u) == (int64_t)around[i]);
            assert_true(unpack_int(&u) == (int64_t)(0 - around[i]));
            assert_false(u.failed);
            assert_ptr_equal(u.at, u.end);
        }
    }
    buffer_release(&b);
}

static void every_first_byte_is_the_type_it_is(void **state)
{
    unsigned char bytes[16] = {0};

    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        bytes[0] = (unsigned char)type;
        struct unpack as_array = unpack_of(bytes, sizeof(bytes));
        struct unpack as_uint = as_array, as_int = as_array,
                      as_bool = as_array, as_str = as_array, as_bin = as_array,
                      as_nil = as_array;
        unpack_array(&as_array);
        unpack_uint(&as_uint);
        unpack_int(&as_int);
        unpack_bool(&as_bool);
        unpack_str(&as_str);
        unpack_bin(&as_bin);
        const bool is_uint = type < 0x80 || (type >= 0xcc && type <= 0xcf);
        assert_int_equal(!as_uint.failed, is_uint);
        assert_int_equal(!as_int.failed, is_uint || type >= 0xe0 ||
                                             (type >= 0xd0 && type <= 0xd3));
        assert_int_equal(!as_array.failed, (type >= 0x90 && type <= 0x9f) ||
                                               type == 0xdc || type == 0xdd);
        assert_int_equal(!as_bool.failed, type == 0xc2 || type == 0xc3);
        assert_int_equal(unpack_nil(&as_nil), type == 0xc0);
        /* strings of up to 15 bytes fit into these 16 */
        assert_int_equal(!as_str.failed, (type >= 0xa0 && type <= 0xaf) ||
                                             (type >= 0xd9 && type <= 0xdb));
        assert_int_equal(!as_bin.failed, type >= 0xc4 && type <= 0xc6);
    }
}

static void a_failure_stays_and_gives_nothing(void **state)
{
    struct unpack u = unpack_of("\xc1\1\xa1x\x91\xc0", 6);

    (void)state;
    assert_int_equal(unpack_uint(&u), 0);
    assert_true(u.failed);
    assert_int_equal(unpack_uint(&u), 0);
    assert_int_equal(unpack_int(&u), 0);
    assert_null(unpack_str(&u).data);
    assert_null(unpack_bin(&u).data);
    assert_int_equal(unpack_array(&u), 0);
    assert_false(unpack_bool(&u));
    assert_false(unpack_nil(&u));
    assert_true(u.failed);
}

static void no_bytes_are_no_value(void **state)
{
    struct unpack u = unpack_of(NULL, 0);

    (void)state;
    assert_false(unpack_nil(&u));
    assert_false(u.failed);
    assert_int_equal(unpack_int(&u), 0);
    assert_true(u.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_of_every_width_come_back),
        cmocka_unit_test(every_first_byte_is_the_type_it_is),
        cmocka_unit_test(a_failure_stays_and_gives_nothing),
        cmocka_unit_test(no_bytes_are_no_value),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
