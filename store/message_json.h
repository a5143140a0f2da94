/* A stored message as JSON. All doors, streams and commands use these functions, so
 * that a member has the same name everywhere. Pure; any thread.
 *
 * The forms, with their members in the documented order:
 *   latest   {"thing":…,"token":…,"chat":…,"createdAt":…,"id":…}
 *   history  {"id":…,"thing":…,"chat":…,"createdAt":…}
 *   topic    {"id":…,"topic":…,"seq":…,"createdAt":…,"chat":…}
 *   event    {"event":…,"thing":…,"chat":…,"createdAt":…}
 *
 * Members that a message need not have come last: "sender", the user it was published
 * for; of one that was edited "editedAt" and "editedBy"; of one that was deleted
 * "deletedAt" and "deletedBy", and it has no "chat".
 *
 * A change (message_put_change) says what the message is now, and its own id:
 *   edit     latest, "editedAt":…,"editedBy":…,"changeId":…
 *   delete   latest without chat, "deletedAt":…,"deletedBy":…,"changeId":…
 *   purge    {"thing":…,"token":…,"before":id,"purgedAt":…,"purgedBy":…,"changeId":…}
 *
 * `chat` is the payload: JSON is copied byte for byte; text becomes a JSON string,
 * binary {"$binary":"<base64>"}, an empty payload "". */
#ifndef CONFAB_STORE_MESSAGE_JSON_H
#define CONFAB_STORE_MESSAGE_JSON_H

#include "base/json_write.h"
#include "store/message.h"

enum payload_style {
    PAYLOAD_AS_SENT, /* byte for byte; may contain line breaks */
    PAYLOAD_ONE_LINE /* CR and LF (only ever outside strings) become spaces */
};

/* Write one value each. They use only id, seq, at_us, topic, payload, payload_class,
 * sender and what is about changes of m, so m may be a struct in which the caller set
 * just those. */
void message_put_latest(struct json_writer *w, const struct message *m,
                        struct slice token, struct slice thing);
void message_put_history(struct json_writer *w, const struct message *m,
                         struct slice thing, enum payload_style style);
void message_put_topic(struct json_writer *w, const struct message *m,
                       enum payload_style style);

/* Of an event, which has no id. */
void message_put_event(struct json_writer *w, const struct message *m,
                       struct slice kind, struct slice thing);
/* An entry of kind EDIT, DELETE or PURGE, as a reader gets it, on one line. */
void message_put_change(struct json_writer *w, const struct message *m,
                        struct slice token, struct slice thing);
/* "edit", "delete" or "purge". */
const char *message_change_word(uint8_t kind);

/* The payload alone: to a JSON writer, and directly to a buffer. */
void payload_write_json(struct json_writer *w, struct slice payload,
                        enum payload_class cls, enum payload_style style);
void payload_put_json(struct buffer *b, struct slice payload,
                      enum payload_class cls, enum payload_style style);

#endif
