/* An edit, a deletion or a purge, as clients are told of it: a JSON object
 * (store/message_json.h). Threads: any. */
#ifndef CONFAB_BROKER_DELIVER_CHANGE_EVENT_H
#define CONFAB_BROKER_DELIVER_CHANGE_EVENT_H

#include "base/buffer.h"
#include "store/message.h"

/* `$events/<token>/<kind>/<thing>`, appended to `b`. false: it is of no thing, and
 * nobody is told, or out of memory. */
bool change_event_topic(const struct message *m, struct buffer *b);
/* The event for that topic, which is not stored. NULL: out of memory. The caller owns
 * the one reference. */
struct message *change_event_new(const struct message *m, struct slice topic);
/* The same on the topic of the thing, with id and kind, for who asked for changes. */
struct message *change_event_stored(const struct message *m);

#endif
