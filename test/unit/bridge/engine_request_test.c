#include "bridge/socketio/engine_request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct engine_request request;

static enum engine_refusal read_it(enum http_method method, const char *query,
                                   bool upgrades)
{
    return engine_request_read(method, slice_str(query), upgrades, &request);
}

static void handshakes_and_later_requests_are_read(void **state)
{
    (void)state;
    assert_int_equal(read_it(HTTP_GET, "EIO=4&transport=polling&t=q7vd1kqq",
                             false),
                     ENGINE_NOT_REFUSED);
    assert_int_equal(request.transport, ENGINE_POLLING);
    assert_int_equal(request.sid.len, 0);
    assert_int_equal(read_it(HTTP_GET, "EIO=4&transport=websocket", true),
                     ENGINE_NOT_REFUSED);
    assert_int_equal(request.transport, ENGINE_WEBSOCKET);
    assert_int_equal(read_it(HTTP_POST, "EIO=4&transport=polling&t=1&sid=abc",
                             false),
                     ENGINE_NOT_REFUSED);
    assert_true(slice_eq(request.sid, slice_str("abc")));
    assert_int_equal(read_it(HTTP_GET, "transport=websocket&EIO=4&sid=abc",
                             true),
                     ENGINE_NOT_REFUSED);
}

static void each_mistake_has_its_code(void **state)
{
    (void)state;
    assert_int_equal(read_it(HTTP_GET, "", false), ENGINE_REFUSAL_TRANSPORT);
    assert_int_equal(read_it(HTTP_GET, "EIO=4", false),
                     ENGINE_REFUSAL_TRANSPORT);
    assert_int_equal(read_it(HTTP_GET, "EIO=4&transport=abc", false),
                     ENGINE_REFUSAL_TRANSPORT);
    assert_int_equal(read_it(HTTP_POST, "EIO=4&transport=polling", false),
                     ENGINE_REFUSAL_METHOD);
    assert_int_equal(read_it(HTTP_PUT, "EIO=4&transport=polling", false),
                     ENGINE_REFUSAL_METHOD);
    assert_int_equal(read_it(HTTP_PUT, "EIO=4&transport=polling&sid=a", false),
                     ENGINE_REFUSAL_REQUEST);
    assert_int_equal(read_it(HTTP_GET, "EIO=4&transport=websocket", false),
                     ENGINE_REFUSAL_REQUEST);
    assert_int_equal(read_it(HTTP_GET, "EIO=4&transport=polling", true),
                     ENGINE_REFUSAL_REQUEST);
    assert_int_equal(read_it(HTTP_GET, "transport=polling", false),
                     ENGINE_REFUSAL_VERSION);
    assert_int_equal(read_it(HTTP_GET, "EIO=3&transport=polling", false),
                     ENGINE_REFUSAL_VERSION);
    assert_int_equal(read_it(HTTP_GET, "EIO=abc&transport=websocket", true),
                     ENGINE_REFUSAL_VERSION);
}

static void the_texts_are_those_of_the_upstream(void **state)
{
    (void)state;
    assert_string_equal(engine_refusal_json(ENGINE_REFUSAL_TRANSPORT),
                        "{\"code\":0,\"message\":\"Transport unknown\"}");
    assert_string_equal(engine_refusal_json(ENGINE_REFUSAL_SID),
                        "{\"code\":1,\"message\":\"Session ID unknown\"}");
    assert_string_equal(engine_refusal_json(ENGINE_REFUSAL_METHOD),
                        "{\"code\":2,\"message\":\"Bad handshake method\"}");
    assert_string_equal(engine_refusal_json(ENGINE_REFUSAL_REQUEST),
                        "{\"code\":3,\"message\":\"Bad request\"}");
    assert_string_equal(
        engine_refusal_json(ENGINE_REFUSAL_VERSION),
        "{\"code\":5,\"message\":\"Unsupported protocol version\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handshakes_and_later_requests_are_read),
        cmocka_unit_test(each_mistake_has_its_code),
        cmocka_unit_test(the_texts_are_those_of_the_upstream),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
