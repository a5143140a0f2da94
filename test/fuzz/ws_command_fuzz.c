/* What a client sends to GET /{token}/ws: the first byte chooses between a message
 * of commands, and frames in which it may come, cut into pieces. */
#include <stdlib.h>

#include "base/json.h"
#include "base/json_walk.h"
#include "bridge/doors/thingschat/ws_command.h"
#include "bridge/stream/format/deflate.h"
#include "bridge/stream/format/websocket_input.h"
#include "test/fuzz/fuzz.h"

#define MESSAGE_MAX 4096

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

static void try_command(struct slice command)
{
    struct ws_command c;

    ws_command_read(&c, command);
    must(is_inside(c.ref, command) && is_inside(c.payload, command));
    for (size_t i = 0; i < c.thing_count; i++)
        must(is_inside(c.things[i], buffer_slice(&c.text)));
    /* What is handed on was checked as JSON, and so is every part of it. */
    if (c.error == NULL && c.kind == WS_PUBLISH)
        must(json_check(c.payload.data, c.payload.len, NULL, NULL));
    if (c.ref.len > 0)
        must(json_check(c.ref.data, c.ref.len, NULL, NULL));
    ws_command_release(&c);
}

static void try_message(struct slice message)
{
    struct slice command;
    size_t at = 0;

    if (!json_check(message.data, message.len, NULL, NULL))
        return;
    while (ws_next_command(message, &at, &command)) {
        must(is_inside(command, message));
        must(json_check(command.data, command.len, NULL, NULL));
        try_command(command);
    }
}

/* Walking what is no JSON must stay inside it. */
static void try_walk(struct slice text)
{
    struct slice name, value;
    size_t at = 0;

    while (json_next_member(text, &at, &name, &value))
        must(is_inside(name, text) && is_inside(value, text));
    at = 0;
    while (json_next_element(text, &at, &value))
        must(is_inside(value, text));
}

static void try_frames(struct slice in, size_t step, bool deflate)
{
    struct websocket_input *input = websocket_input_new(MESSAGE_MAX, deflate);
    struct buffer reply = BUFFER_INIT;
    struct slice message;
    enum stream_input_event event = STREAM_INPUT_MORE;
    enum stream_end why;

    for (size_t at = 0; at < in.len && event != STREAM_INPUT_END; at += step) {
        const size_t n = in.len - at < step ? in.len - at : step;
        websocket_input_feed(input, slice_of((const char *)in.data + at, n));
        do {
            event = websocket_input_next(input, &message, &reply, &why);
            if (event == STREAM_INPUT_MESSAGE) {
                must(message.len <= MESSAGE_MAX);
                try_message(message);
            }
        } while (event == STREAM_INPUT_MESSAGE || event == STREAM_INPUT_REPLY);
        /* two buffers, each up to twice as large as what it holds */
        must(websocket_input_held(input) <= 5 * MESSAGE_MAX);
    }
    buffer_release(&reply);
    websocket_input_free(input);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const struct slice in = slice_of(data + 1, size - 1);
    switch (data[0] % 4) {
    case 0:
        try_message(in);
        try_walk(in);
        break;
    case 1: deflate_offered(in); break;
    default: try_frames(in, 1 + data[0] / 4, data[0] % 4 == 3); break;
    }
    return 0;
}
