#include "base/event_topic.h"

#include <string.h>

#include "base/topic.h"
#include "base/vocabulary.h"

/* false: there is no further level. */
static bool split_level(struct slice *rest, struct slice *ret_level)
{
    *ret_level = topic_first_level(*rest);
    if (ret_level->len == rest->len)
        return false;
    *rest = slice_of((const char *)rest->data + ret_level->len + 1,
                     rest->len - ret_level->len - 1);
    return true;
}

bool event_topic_split(struct slice topic, struct event_topic *ret_event)
{
    const size_t prefix = sizeof(EVENTS_PREFIX) - 1;

    if (topic.len <= prefix || memcmp(topic.data, EVENTS_PREFIX, prefix) != 0)
        return false;
    struct slice rest =
        slice_of((const char *)topic.data + prefix, topic.len - prefix);
    if (!split_level(&rest, &ret_event->tenant) ||
        !split_level(&rest, &ret_event->kind))
        return false;
    ret_event->thing = rest;
    return token_valid(ret_event->tenant) && ret_event->kind.len > 0;
}

bool event_kind_valid(struct slice kind)
{
    return kind.len <= EVENT_KIND_MAX && token_valid(kind);
}

bool event_kind_reserved(struct slice kind)
{
    static const char *const reserved[] = {
        EVENT_REVOKED, EVENT_KEY_REVOKED, EVENT_CHANGED,
        /* what becomes of messages */
        "edit", "delete", "purge",
        /* events of streams, and of EventSource itself */
        "message", "status", "gap", "session", "open", "error"};

    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
        if (slice_eq(kind, slice_str(reserved[i])))
            return true;
    return false;
}
