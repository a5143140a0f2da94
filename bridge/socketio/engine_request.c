#include "bridge/socketio/engine_request.h"

#include "bridge/http/url.h"

#define PROTOCOL "4"

static bool parameter_is(struct slice query, const char *name,
                         const char *value)
{
    struct slice text;

    return url_query(query, name, &text) && slice_eq(text, slice_str(value));
}

enum engine_refusal engine_request_read(enum http_method method,
                                        struct slice query, bool upgrades,
                                        struct engine_request *ret)
{
    const bool by_socket = parameter_is(query, "transport", "websocket");

    *ret = (struct engine_request){.transport = by_socket ? ENGINE_WEBSOCKET
                                                          : ENGINE_POLLING};
    if (!by_socket && !parameter_is(query, "transport", "polling"))
        return ENGINE_REFUSAL_TRANSPORT;
    if (by_socket != upgrades)
        return ENGINE_REFUSAL_REQUEST;
    if (url_query(query, "sid", &ret->sid) && ret->sid.len > 0)
        return method == HTTP_GET || (method == HTTP_POST && !by_socket)
                   ? ENGINE_NOT_REFUSED
                   : ENGINE_REFUSAL_REQUEST;
    if (method != HTTP_GET)
        return ENGINE_REFUSAL_METHOD;
    return parameter_is(query, "EIO", PROTOCOL) ? ENGINE_NOT_REFUSED
                                                : ENGINE_REFUSAL_VERSION;
}

const char *engine_refusal_json(enum engine_refusal refusal)
{
    static const char *const texts[] = {
#define X(NAME, number, message)                                              \
    [number] = "{\"code\":" #number ",\"message\":\"" message "\"}",
        ENGINE_REFUSALS(X)
#undef X
    };

    return texts[refusal];
}
