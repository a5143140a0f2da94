#include "bridge/doors/thingschat/msgpack_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define BYTES(literal) slice_of(literal, sizeof(literal) - 1)

static void maps_become_objects(void **state)
{
    static const struct {
        struct slice in;
        const char *json;
    } good[] = {
        {{"\x80", 1}, "{}"},
        {{"\x81\xa1"
          "a\x01",
          4},
         "{\"a\":1}"},
        {{"\x82\xa1"
          "a\xff\xa1"
          "a\xc0",
          7},
         "{\"a\":-1,\"a\":null}"},
        {{"\x81\xa0\x93\xc2\xc3\xa1\"", 7}, "{\"\":[false,true,\"\\\"\"]}"},
        {{"\x81\xa1"
          "b\xc4\x02hi",
          7},
         "{\"b\":{\"$binary\":\"aGk=\"}}"},
        {{"\x81\xa1"
          "f\xcb\x3f\xf8\0\0\0\0\0\0",
          12},
         "{\"f\":1.5}"},
        {{"\x81\xa1i\x93\xd0\x80\xd1\xff\x00\xd3\x80\0\0\0\0\0\0\0", 18},
         "{\"i\":[-128,-256,-9223372036854775808]}"},
        {{"\x81\xa1m\x82\xa1"
          "a\x91\x80\xa1"
          "b\x90",
          11},
         "{\"m\":{\"a\":[{}],\"b\":[]}}"},
        {{"\x81\xd9\x01k\xca\x3f\x00\0\0", 9}, "{\"k\":0.5}"},
        {{"\x81\xa1u\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 12},
         "{\"u\":18446744073709551615}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct buffer out = BUFFER_INIT;
        const char *error = "";
        if (!msgpack_to_json(good[i].in, &out, &error))
            fail_msg("%zu: %s", i, error);
        assert_true(slice_eq(buffer_slice(&out), slice_str(good[i].json)));
        buffer_release(&out);
    }
}

static void what_json_cannot_say_is_refused(void **state)
{
    static const struct slice bad[] = {
        {"", 0},
        {"\x81", 1},
        {"\x81\xa1"
         "a",
         3},
        {"\x01", 1},         /* no map */
        {"\x80\x80", 2},     /* more behind it */
        {"\x81\x01\x01", 3}, /* key no string */
        {"\x81\xa1"
         "e\xd4\x01\x00",
         6},                                       /* ext */
        {"\x81\xa1n\xcb\x7f\xf8\0\0\0\0\0\0", 12}, /* NaN */
        {"\x81\xa1s\xa1\xff", 5},                  /* not UTF-8 */
        {"\xdf\xff\xff\xff\xff", 5},               /* says it is huge */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct buffer out = BUFFER_INIT;
        const char *error = NULL;
        if (msgpack_to_json(bad[i], &out, &error))
            fail_msg("%zu passed", i);
        assert_non_null(error);
        buffer_release(&out);
    }
}

static void deep_nesting_ends(void **state)
{
    char in[2000];
    struct buffer out = BUFFER_INIT;
    const char *error = NULL;

    (void)state;
    memset(in, 0x91, sizeof(in));
    memcpy(in,
           "\x81\xa1"
           "a",
           3);
    in[sizeof(in) - 1] = 0;
    assert_false(msgpack_to_json(BYTES(in), &out, &error));
    buffer_release(&out);
}

static void json_becomes_msgpack(void **state)
{
    static const struct {
        const char *json;
        struct slice packed;
    } good[] = {
        {"{}", {"\xdf\0\0\0\0", 5}},
        {" [ 1 , -1 ] ", {"\xdd\0\0\0\2\x01\xff", 7}},
        {"{\"a\":{\"b\":[]},\"c\":\"x\"}",
         {"\xdf\0\0\0\2\xa1"
          "a\xdf\0\0\0\1\xa1"
          "b\xdd\0\0\0\0\xa1"
          "c\xa1x",
          23}},
        {"[true,false,null,1.5]",
         {"\xdd\0\0\0\4\xc3\xc2\xc0\xcb\x3f\xf8\0\0\0\0\0\0", 17}},
        {"\"\\u00e4\\ud83d\\ude00\\ud800\\n\"",
         {"\xaa\xc3\xa4\xf0\x9f\x98\x80\xef\xbf\xbd\n", 11}},
        {"18446744073709551615", {"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 9}},
        {"1e400",
         {"\xa5"
          "1e400",
          6}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct buffer out = BUFFER_INIT;
        json_to_msgpack(slice_str(good[i].json), &out);
        assert_true(buffer_ok(&out));
        if (!slice_eq(buffer_slice(&out), good[i].packed))
            fail_msg("%s", good[i].json);
        buffer_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_become_objects),
        cmocka_unit_test(what_json_cannot_say_is_refused),
        cmocka_unit_test(deep_nesting_ends),
        cmocka_unit_test(json_becomes_msgpack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
