/* A stored message as JSON: every door, stream and command spells it here, so
 * that a member is called the same everywhere. Pure; any thread.
 *
 * The forms, with their members in the documented order:
 *   latest   {"thing":…,"token":…,"chat":…,"createdAt":…,"id":…}
 *   history  {"id":…,"thing":…,"chat":…,"createdAt":…}
 *   topic    {"id":…,"topic":…,"seq":…,"createdAt":…,"chat":…}
 *
 * `chat` is the payload: JSON passes byte for byte; text becomes a JSON string,
 * binary {"$binary":"<base64>"}, an empty payload "". */
#ifndef CONFAB_STORE_MESSAGE_JSON_H
#define CONFAB_STORE_MESSAGE_JSON_H

#include "base/json_write.h"
#include "store/message.h"

enum payload_style {
    PAYLOAD_AS_SENT, /* byte for byte; may hold line ends */
    PAYLOAD_ONE_LINE /* CR and LF (only ever outside strings) become spaces */
};

/* One value each. Of m they look at id, seq, at_us, topic, payload and
 * payload_class only; m may be a struct that its caller filled with those. */
void message_put_latest(struct json_writer *w, const struct message *m,
                        struct slice token, struct slice thing);
void message_put_history(struct json_writer *w, const struct message *m,
                         struct slice thing, enum payload_style style);
void message_put_topic(struct json_writer *w, const struct message *m,
                       enum payload_style style);

/* The payload alone: with a writer, and into a buffer without one. */
void payload_write_json(struct json_writer *w, struct slice payload,
                        enum payload_class cls, enum payload_style style);
void payload_put_json(struct buffer *b, struct slice payload,
                      enum payload_class cls, enum payload_style style);

#endif
