/* WebSocket frames of a client: the first byte says how the rest is cut into
 * pieces. Beside crashes it looks for a broken promise: neither the payload nor
 * the verdict may depend on where the network cut. */
#include "test/fuzz/fuzz.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/net/websocket.h"

/* Not assert(): a promise counts in every build. */
static void must(bool kept)
{
    if (!kept)
        abort();
}

struct outcome {
    char *payload;
    size_t len;
    bool refused, closed;
};

/* Sends what waits, a byte at a time; no payload is offered. */
static void send_all(struct websocket *s)
{
    const uint8_t *head;
    size_t payload;

    while (websocket_next(s, 0, &head, &payload) > 0)
        must(websocket_sent(s, 1) == 0);
    must(!websocket_owes(s));
}

static struct outcome decode(const uint8_t *data, size_t size, size_t piece)
{
    struct websocket *s = websocket_new();
    struct outcome o = {.payload = malloc(size + 1)};
    char *in = malloc(piece);

    must(s != NULL && o.payload != NULL && in != NULL);
    while (size > 0 && !o.refused && !o.closed) {
        const size_t n = size < piece ? size : piece;
        memcpy(in, data, n);
        const ssize_t got = websocket_decode(s, in, n);
        must(got <= (ssize_t)n);
        o.refused = got < 0;
        o.closed = websocket_is_closed(s);
        must(o.refused == (websocket_error(s) != NULL));
        if (got > 0)
            memcpy(o.payload + o.len, in, (size_t)got);
        o.len += got > 0 ? (size_t)got : 0;
        send_all(s);
        must(websocket_has_closed(s) == (o.refused || o.closed));
        data += n;
        size -= n;
    }
    websocket_free(s);
    free(in);
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct outcome whole = decode(data + 1, size - 1, size - 1);
    struct outcome cut = decode(data + 1, size - 1, (size_t)data[0] + 1);

    must(whole.refused == cut.refused && whole.closed == cut.closed);
    if (!whole.refused) /* else what came before it is not handed out */
        must(whole.len == cut.len &&
             memcmp(whole.payload, cut.payload, cut.len) == 0);
    free(whole.payload);
    free(cut.payload);
    return 0;
}
