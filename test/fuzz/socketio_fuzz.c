/* What a client of Engine.IO sends: the first byte chooses between the body of a polling
 * request and the data of a text message of its WebSocket. */
#include <stdlib.h>

#include "base/json.h"
#include "bridge/socketio/engine_packet.h"
#include "bridge/socketio/socket_packet.h"
#include "test/fuzz/fuzz.h"

static void must(bool condition)
{
    if (!condition)
        abort();
}

static bool is_inside(struct slice part, struct slice whole)
{
    return part.len == 0 ||
           ((const char *)part.data >= (const char *)whole.data &&
            (const char *)part.data + part.len <=
                (const char *)whole.data + whole.len);
}

/* A packet that was read says the same when it is written and read again. */
static void must_survive_writing(const struct socket_packet *p)
{
    struct buffer out = BUFFER_INIT;
    struct socket_packet again;

    socket_packet_put(&out, p);
    must(buffer_ok(&out));
    must(socket_packet_read(buffer_slice(&out), &again) == SOCKET_PACKET_OK);
    must(again.type == p->type && again.attachments == p->attachments &&
         again.has_ack_id == p->has_ack_id && again.ack_id == p->ack_id &&
         slice_eq(again.namespace_name, p->namespace_name) &&
         slice_eq(again.json, p->json));
    buffer_release(&out);
}

static void try_socket_packet(struct slice text)
{
    struct socket_packet p;
    uint64_t num;
    size_t at = 0;

    while (socket_next_placeholder(text, &at, &num)) /* JSON or not */
        must(at <= text.len);
    if (socket_packet_read(text, &p) != SOCKET_PACKET_OK)
        return;
    must(is_inside(p.json, text));
    must(p.namespace_name.len <= SOCKET_NAMESPACE_MAX);
    must(p.attachments <= SOCKET_ATTACHMENTS_MAX);
    must(p.ack_id <= SOCKET_ACK_MAX);
    must(p.json.len == 0 || json_check(p.json.data, p.json.len, NULL, NULL));
    must_survive_writing(&p);
}

static void try_payload(struct slice in)
{
    struct buffer room = BUFFER_INIT, out = BUFFER_INIT;
    struct engine_packet p;
    enum engine_payload_result result;
    size_t at = 0;

    while ((result = engine_payload_next(in, &at, &room, &p)) ==
           ENGINE_PAYLOAD_PACKET) {
        must(at <= in.len + 1);
        must(is_inside(p.data, p.is_binary ? buffer_slice(&room) : in));
        if (p.is_binary) {
            engine_payload_put(&out, 0, p.data, true);
        } else {
            struct buffer text = BUFFER_INIT;
            engine_packet_put(&text, p.type, p.data);
            engine_payload_put(&out, 0, buffer_slice(&text), false);
            buffer_release(&text);
        }
        if (p.type == ENGINE_MESSAGE && !p.is_binary)
            try_socket_packet(p.data);
    }
    /* Each value has one spelling. */
    must(result != ENGINE_PAYLOAD_END || slice_eq(buffer_slice(&out), in));
    buffer_release(&out);
    buffer_release(&room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const struct slice in = slice_of(data + 1, size - 1);
    if (data[0] % 2 == 0)
        try_payload(in);
    else
        try_socket_packet(in);
    return 0;
}
