#include "bridge/http/handshake.h"

bool handshake_lists(const struct call *c, const char *name, const char *word,
                     bool any_case)
{
    struct slice value;

    return http_header(c->q, name, &value) &&
           upgrade_lists(value, word, any_case);
}

static void upgrade_required(struct call *c, const char *why)
{
    http_add_header(c->q, "Upgrade", "websocket");
    http_add_header(c->q, "Sec-WebSocket-Version", UPGRADE_VERSION);
    answer_error(c, 426, "%s", why);
}

bool handshake_accept(struct call *c, const char *why_not,
                      char ret_accept[UPGRADE_ACCEPT_SIZE])
{
    struct slice key;

    if (http_method(c->q) != HTTP_GET ||
        !handshake_lists(c, "Upgrade", "websocket", true) ||
        !handshake_lists(c, "Connection", "Upgrade", true))
        upgrade_required(c, why_not);
    else if (!handshake_lists(c, "Sec-WebSocket-Version", UPGRADE_VERSION,
                              true))
        upgrade_required(c, "Sec-WebSocket-Version: must be 13");
    else if (!http_header(c->q, "Sec-WebSocket-Key", &key) ||
             !upgrade_key_valid(key))
        answer_error(c, 400, "Sec-WebSocket-Key: must be 16 bytes in base64");
    else if (!upgrade_accept(key, ret_accept))
        answer_error(c, 503, "out of memory: retry later");
    else
        return true;
    return false;
}

static void put_header(struct buffer *b, const char *name, const char *value)
{
    buffer_put_str(b, name);
    buffer_put_str(b, ": ");
    buffer_put_str(b, value);
    buffer_put_str(b, "\r\n");
}

void handshake_put_response(struct buffer *b, const struct call *c,
                            const char *accept, const char *protocol,
                            const char *extension, const char *more)
{
    const struct cors *cors = c->mount->door->cors;

    buffer_put_str(b, "HTTP/1.1 101 Switching Protocols\r\n"
                      "Upgrade: websocket\r\nConnection: Upgrade\r\n");
    put_header(b, "Sec-WebSocket-Accept", accept);
    if (protocol != NULL)
        put_header(b, "Sec-WebSocket-Protocol", protocol);
    if (extension != NULL)
        put_header(b, "Sec-WebSocket-Extensions", extension);
    if (cors != NULL)
        for (size_t i = 0; cors->headers[i] != NULL; i += 2)
            put_header(b, cors->headers[i], cors->headers[i + 1]);
    buffer_put_str(b, more);
    buffer_put_str(b, "\r\n");
}
