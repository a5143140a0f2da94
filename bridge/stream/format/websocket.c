#include "bridge/stream/format/websocket.h"

#include <string.h>

#include "base/json_write.h"
#include "bridge/stream/format/deflate.h"
#include "bridge/stream/format/websocket_frame.h"
#include "bridge/stream/format/websocket_input.h"
#include "store/message_json.h"

/* ---- events --------------------------------------------------------------- */

static void put_text(struct buffer *b, void *state, struct slice json)
{
    (void)state;
    websocket_put_frame(b, WEBSOCKET_TEXT, json);
}

static void put_start(struct buffer *b, void *state,
                      const struct stream_greeting *g)
{
    const size_t start = b->len;
    struct json_writer w = json_writer_of(b);

    (void)state;
    json_object(&w);
    json_member_object(&w, "status");
    json_member_text(&w, "type", "connected");
    if (g->retry_ms != 0)
        json_member_u64(&w, "retry", g->retry_ms);
    json_object_end(&w);
    json_object_end(&w);
    websocket_wrap(b, start, WEBSOCKET_TEXT, false);
}

static void put_json(struct buffer *b, const struct stream_message *m)
{
    const struct message shown = {
        .id = m->id,
        .at_us = m->at_us,
        .payload = m->payload,
        .payload_class = (uint8_t)m->payload_class,
        .sender = m->sender,
        .changed_us = m->changed_us,
        .changed_by = m->changed_by,
    };
    struct json_writer w = json_writer_of(b);

    if (message_kind_is_change(m->kind)) { /* {"edit":{…}} */
        const char *word = message_change_word(m->kind);
        json_object(&w);
        json_name_literal(&w, word, strlen(word));
        json_raw_begin(&w);
        buffer_put_slice(b, m->payload);
        json_raw_end(&w);
        json_object_end(&w);
        return;
    }
    if (m->event.len > 0)
        message_put_event(&w, &shown, m->event, m->thing);
    else
        message_put_latest(&w, &shown, m->token, m->thing);
}

static void put_message(struct buffer *b, const struct stream_message *m)
{
    const size_t start = b->len;

    put_json(b, m);
    websocket_wrap(b, start, WEBSOCKET_TEXT, false);
}

static void put_gap(struct buffer *b, void *state, uint64_t from, uint64_t to,
                    uint64_t cursor_id)
{
    const size_t start = b->len;
    struct json_writer w = json_writer_of(b);

    (void)state;
    json_object(&w);
    json_member_object(&w, "gap");
    json_member_u64(&w, "from", from);
    json_member_u64(&w, "to", to);
    if (cursor_id != 0)
        json_member_u64(&w, "id", cursor_id);
    json_object_end(&w);
    json_object_end(&w);
    websocket_wrap(b, start, WEBSOCKET_TEXT, false);
}

static void put_ping(struct buffer *b, void *state)
{
    (void)state;
    websocket_put_frame(b, WEBSOCKET_PING, slice_of(NULL, 0));
}

static void put_expired(struct buffer *b, void *state)
{
    put_text(b, state,
             slice_str("{\"session\":{\"type\":\"expired\","
                       "\"reason\":\"idle\"}}"));
}

/* RFC 6455 §7.4.1 */
static const struct {
    uint16_t code; /* 0: no close frame, the client's was answered */
    const char *reason;
} ends[] = {
#define X(NAME, code, reason) [STREAM_END_##NAME] = {code, reason},
    STREAM_ENDS(X)
#undef X
};

static void put_bye(struct buffer *b, void *state, enum stream_end why)
{
    (void)state;
    if (ends[why].code != 0)
        websocket_put_close(b, ends[why].code, ends[why].reason);
}

/* ---- what clients send ---------------------------------------------------- */

static void *begin_plain(size_t message_max)
{
    return websocket_input_new(message_max, false);
}

static void *begin_deflate(size_t message_max)
{
    return websocket_input_new(message_max, true);
}

static void input_feed(void *in, struct slice bytes)
{
    websocket_input_feed(in, bytes);
}

static enum stream_input_event input_next(void *in, struct slice *ret_message,
                                          struct buffer *reply,
                                          enum stream_end *ret_why)
{
    return websocket_input_next(in, ret_message, reply, ret_why);
}

static bool input_is_idle(const void *in)
{
    return websocket_input_is_idle(in);
}

static size_t input_held(const void *in)
{
    return websocket_input_held(in);
}

static size_t input_wanted(const void *in)
{
    return websocket_input_wanted(in);
}

static void input_end(void *in)
{
    websocket_input_free(in);
}

static const struct stream_input plain_input = {
    begin_plain, input_feed,   input_next, input_is_idle,
    input_held,  input_wanted, input_end,  NULL,
};

static const struct stream_input deflate_input = {
    begin_deflate, input_feed,   input_next, input_is_idle,
    input_held,    input_wanted, input_end,  NULL,
};

/* ---- formats -------------------------------------------------------------- */

const struct stream_format websocket = {
    .number = STREAM_FORMAT_WEBSOCKET,
    .start = put_start,
    .message = put_message,
    .gap = put_gap,
    .ping = put_ping,
    .expired = put_expired,
    .bye = put_bye,
    .text = put_text,
    .received = &plain_input,
};

const struct stream_format websocket_events = {
    .number = STREAM_FORMAT_WEBSOCKET_EVENTS,
    .start = put_start,
    .message = put_message,
    .takes_events = true,
    .gap = put_gap,
    .ping = put_ping,
    .expired = put_expired,
    .bye = put_bye,
    .text = put_text,
    .received = &plain_input,
};

static void put_deflated(struct buffer *b, const struct stream_message *m)
{
    const size_t start = b->len;

    put_json(b, m);
    const bool is_compressed = deflate_message(b, start);
    websocket_wrap(b, start, WEBSOCKET_TEXT, is_compressed);
}

const struct stream_format websocket_deflate = {
    .number = STREAM_FORMAT_WEBSOCKET_DEFLATE,
    .start = put_start,
    .message = put_deflated,
    .gap = put_gap,
    .ping = put_ping,
    .expired = put_expired,
    .bye = put_bye,
    .text = put_text,
    .received = &deflate_input,
};

const struct stream_format websocket_deflate_events = {
    .number = STREAM_FORMAT_WEBSOCKET_DEFLATE_EVENTS,
    .start = put_start,
    .message = put_deflated,
    .takes_events = true,
    .gap = put_gap,
    .ping = put_ping,
    .expired = put_expired,
    .bye = put_bye,
    .text = put_text,
    .received = &deflate_input,
};
