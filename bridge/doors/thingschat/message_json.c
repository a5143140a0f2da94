#include "bridge/doors/thingschat/message_json.h"

static void put_chat(struct buffer *b, const struct message *m,
                     enum payload_style style)
{
    buffer_put_str(b, ",\"chat\":");
    payload_put_json(b, m->payload, (enum payload_class)m->payload_class,
                     style);
}

static void put_created_at(struct buffer *b, const struct message *m)
{
    buffer_put_str(b, ",\"createdAt\":\"");
    buffer_put_time(b, m->at_us, 3);
    buffer_put_char(b, '"');
}

void put_latest(struct buffer *b, struct slice token, struct slice thing,
                const struct message *m)
{
    buffer_put_str(b, "{\"thing\":");
    buffer_put_json_string(b, thing);
    buffer_put_str(b, ",\"token\":");
    buffer_put_json_string(b, token);
    put_chat(b, m, PAYLOAD_AS_SENT);
    put_created_at(b, m);
    buffer_put_str(b, ",\"id\":");
    buffer_put_u64(b, m->id);
    buffer_put_char(b, '}');
}

void put_history_item(struct buffer *b, struct slice thing,
                      const struct message *m, enum payload_style style)
{
    buffer_put_str(b, "{\"id\":");
    buffer_put_u64(b, m->id);
    buffer_put_str(b, ",\"thing\":");
    buffer_put_json_string(b, thing);
    put_chat(b, m, style);
    put_created_at(b, m);
    buffer_put_char(b, '}');
}
