#include "broker/deliver/change_event.h"

#include "base/topic.h"
#include "base/vocabulary.h"
#include "store/message_json.h"

bool change_event_topic(const struct message *m, struct buffer *b)
{
    struct slice token, thing;

    if (!topic_split(m->topic, &token, &thing))
        return false;
    buffer_put_str(b, EVENTS_PREFIX);
    buffer_put_slice(b, token);
    buffer_put_char(b, '/');
    buffer_put_str(b, message_change_word(m->kind));
    buffer_put_char(b, '/');
    buffer_put_slice(b, thing);
    return buffer_ok(b);
}

/* `like` with the JSON as its payload. */
static struct message *with_json(const struct message *m, struct message like)
{
    struct buffer json = BUFFER_INIT;
    struct json_writer w = json_writer_of(&json);
    struct message *made = NULL;
    struct slice token, thing;

    if (topic_split(m->topic, &token, &thing))
        message_put_change(&w, m, token, thing);
    like.payload = buffer_slice(&json);
    like.payload_class = PAYLOAD_JSON;
    if (buffer_ok(&json))
        made = message_copy(&like);
    buffer_release(&json);
    return made;
}

struct message *change_event_new(const struct message *m, struct slice topic)
{
    return with_json(
        m, (struct message){.kind = MESSAGE_EVENT, .qos = 1, .topic = topic});
}

struct message *change_event_stored(const struct message *m)
{
    return with_json(m, (struct message){.kind = m->kind,
                                         .topic = m->topic,
                                         .id = m->id,
                                         .seq = m->seq,
                                         .at_us = m->at_us});
}
