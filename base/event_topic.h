/* Topics of events: `$events/<tenant>/<kind>/<thing>`. Events are sent to who listens
 * now, in order with messages, and are stored nowhere. Pure; any thread. */
#ifndef CONFAB_BASE_EVENT_TOPIC_H
#define CONFAB_BASE_EVENT_TOPIC_H

#include <stdbool.h>

#include "base/slice.h"

#define EVENT_KIND_MAX 32 /* bytes */
/* Payload of an event that a client publishes, also where its plan allows more. */
#define EVENT_PAYLOAD_MAX 65536

struct event_topic {
    struct slice tenant, kind;
    struct slice thing; /* empty in some of the server's own */
};

/* false: it is not of that form. Tenant and kind are not empty, and the tenant may be
 * one (token_valid()); nothing else is checked. Points into `topic`. */
bool event_topic_split(struct slice topic, struct event_topic *ret_event);

/* 1 to EVENT_KIND_MAX of [A-Za-z0-9_-]. */
bool event_kind_valid(struct slice kind);
/* Only the server may send it: it means something to those who hear it, or is the name
 * of an event of streams. */
bool event_kind_reserved(struct slice kind);
#define EVENT_KIND_TEXT "1 to 32 of A-Z a-z 0-9 _ -"
#define EVENT_RESERVED_TEXT                                                   \
    "events of that kind are sent by the server only: choose another name"

#endif
