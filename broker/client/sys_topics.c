#include "broker/client/sys_topics.h"

#include "base/topic.h"

#define LOAD_TOPICS(topic)                                                    \
    SYS_PREFIX topic "/1min", SYS_PREFIX topic "/5min",                       \
        SYS_PREFIX topic "/15min"

static const char *const topics[SYS_TOPIC_COUNT] = {
#define X(name, topic) SYS_PREFIX topic,
    SYS_PLAIN(X)
#undef X
#define X(name, topic, total) LOAD_TOPICS(topic),
        SYS_LOADS(X)
#undef X
};

const char *sys_topic_name(unsigned topic)
{
    return topics[topic];
}

bool sys_topics_match(struct slice filter)
{
    struct slice group, inner = filter;

    if (filter_is_shared(filter) && !filter_share(filter, &group, &inner))
        return false;
    return slice_eq(topic_first_level(inner), slice_str(SYS_LEVEL));
}
