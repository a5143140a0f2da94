#include "store/message_json.h"

#include <string.h>

/* ---- payloads ----------------------------------------------------------- */

static void put_on_one_line(struct buffer *b, struct slice json)
{
    static const char breaks[] = {'\r', '\n'};
    const size_t start = b->len;

    buffer_put_slice(b, json);
    if (!buffer_ok(b))
        return;
    /* Line breaks are rare, and memchr() looks at many bytes at once. */
    char *const end = b->data + b->len;
    for (size_t i = 0; i < sizeof(breaks); i++)
        for (char *at = b->data + start;
             (at = memchr(at, breaks[i], (size_t)(end - at))) != NULL;)
            *at++ = ' ';
}

void payload_write_json(struct json_writer *w, struct slice payload,
                        enum payload_class cls, enum payload_style style)
{
    if (cls == PAYLOAD_JSON && payload.len > 0) {
        json_raw_begin(w);
        if (style == PAYLOAD_ONE_LINE)
            put_on_one_line(w->out, payload);
        else
            buffer_put_slice(w->out, payload);
        json_raw_end(w);
    } else if (cls == PAYLOAD_BINARY && payload.len > 0) {
        json_object(w);
        json_name(w, "$binary");
        json_base64(w, payload);
        json_object_end(w);
    } else {
        json_string(w, payload);
    }
}

void payload_put_json(struct buffer *b, struct slice payload,
                      enum payload_class cls, enum payload_style style)
{
    struct json_writer w = json_writer_of(b);

    payload_write_json(&w, payload, cls, style);
}

/* ---- messages ----------------------------------------------------------- */

static void put_chat(struct json_writer *w, const struct message *m,
                     enum payload_style style)
{
    json_name(w, "chat");
    payload_write_json(w, m->payload, (enum payload_class)m->payload_class,
                       style);
}

void message_put_latest(struct json_writer *w, const struct message *m,
                        struct slice token, struct slice thing)
{
    json_object(w);
    json_member_string(w, "thing", thing);
    json_member_string(w, "token", token);
    put_chat(w, m, PAYLOAD_AS_SENT);
    json_member_time(w, "createdAt", m->at_us);
    json_member_u64(w, "id", m->id);
    json_object_end(w);
}

void message_put_history(struct json_writer *w, const struct message *m,
                         struct slice thing, enum payload_style style)
{
    json_object(w);
    json_member_u64(w, "id", m->id);
    json_member_string(w, "thing", thing);
    put_chat(w, m, style);
    json_member_time(w, "createdAt", m->at_us);
    json_object_end(w);
}

void message_put_topic(struct json_writer *w, const struct message *m,
                       enum payload_style style)
{
    json_object(w);
    json_member_u64(w, "id", m->id);
    json_member_string(w, "topic", m->topic);
    json_member_u64(w, "seq", m->seq);
    json_member_time(w, "createdAt", m->at_us);
    put_chat(w, m, style);
    json_object_end(w);
}

void message_put_event(struct json_writer *w, const struct message *m,
                       struct slice kind, struct slice thing)
{
    json_object(w);
    json_member_string(w, "event", kind);
    json_member_string(w, "thing", thing);
    put_chat(w, m, PAYLOAD_AS_SENT);
    json_member_time(w, "createdAt", m->at_us);
    json_object_end(w);
}
