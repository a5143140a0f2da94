/* HTTP bodies: whatever bytes come, what msgpack_to_json() lets through is JSON,
 * and what json_check() lets through survives the way to msgpack and back. */
#include <stdlib.h>

#include "base/json.h"
#include "bridge/doors/thingschat/msgpack_json.h"
#include "test/fuzz/fuzz.h"

static void must(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer json = BUFFER_INIT, packed = BUFFER_INIT;
    const struct slice in = slice_of(data, size);
    const char *error = NULL;
    enum json_type type;

    if (msgpack_to_json(in, &json, &error)) {
        must(json_check(json.data, json.len, &type, NULL));
        must(type == JSON_OBJECT);
    } else {
        must(error != NULL);
    }
    buffer_clear(&json);
    if (json_check(data, size, &type, NULL)) {
        json_to_msgpack(in, &packed);
        must(buffer_ok(&packed));
        const bool back =
            msgpack_to_json(buffer_slice(&packed), &json, &error);
        must(back == (type == JSON_OBJECT));
        must(!back || json_check(json.data, json.len, NULL, NULL));
    }
    buffer_release(&json);
    buffer_release(&packed);
    return 0;
}
