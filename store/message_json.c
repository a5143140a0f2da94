#include "store/message_json.h"

#include <string.h>

#include "base/vocabulary.h"

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

/* A deleted message has none. */
static void put_chat(struct json_writer *w, const struct message *m,
                     enum payload_style style)
{
    if (m->deleted)
        return;
    json_name(w, "chat");
    payload_write_json(w, m->payload, (enum payload_class)m->payload_class,
                       style);
}

/* What most messages do not have. */
static void put_rest(struct json_writer *w, const struct message *m)
{
    const bool by = m->changed_by.len > 0;

    if (m->sender.len > 0)
        json_member_string(w, "sender", m->sender);
    if (m->changed_us == 0)
        return;
    if (m->deleted) {
        json_member_time(w, "deletedAt", m->changed_us);
        if (by)
            json_member_string(w, "deletedBy", m->changed_by);
        return;
    }
    json_member_time(w, "editedAt", m->changed_us);
    if (by)
        json_member_string(w, "editedBy", m->changed_by);
}

static void put_latest(struct json_writer *w, const struct message *m,
                       uint64_t id, struct slice token, struct slice thing,
                       enum payload_style style)
{
    json_member_string(w, "thing", thing);
    json_member_string(w, "token", token);
    put_chat(w, m, style);
    json_member_time(w, "createdAt", m->at_us);
    json_member_u64(w, "id", id);
    put_rest(w, m);
}

void message_put_latest(struct json_writer *w, const struct message *m,
                        struct slice token, struct slice thing)
{
    json_object(w);
    put_latest(w, m, m->id, token, thing, PAYLOAD_AS_SENT);
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
    put_rest(w, m);
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
    put_rest(w, m);
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

/* ---- changes ------------------------------------------------------------ */

static void put_purge(struct json_writer *w, const struct message *m,
                      struct slice token, struct slice thing)
{
    json_member_string(w, "thing", thing);
    json_member_string(w, "token", token);
    json_member_u64(w, "before", m->about);
    json_member_time(w, "purgedAt", m->changed_us);
    if (m->changed_by.len > 0)
        json_member_string(w, "purgedBy", m->changed_by);
}

void message_put_change(struct json_writer *w, const struct message *m,
                        struct slice token, struct slice thing)
{
    json_object(w);
    if (m->kind == MESSAGE_PURGE)
        put_purge(w, m, token, thing);
    else
        put_latest(w, m, m->about, token, thing, PAYLOAD_ONE_LINE);
    if (m->id != 0)
        json_member_u64(w, "changeId", m->id);
    json_object_end(w);
}

const char *message_change_word(uint8_t kind)
{
    return kind == MESSAGE_EDIT     ? EVENT_EDIT
           : kind == MESSAGE_DELETE ? EVENT_DELETE
                                    : EVENT_PURGE;
}
