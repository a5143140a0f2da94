#include "base/topic_level.h"

#include "base/topic.h"

struct slice topic_level_at(struct slice name, size_t at)
{
    return topic_first_level(
        slice_of((const char *)name.data + at, name.len - at));
}

static bool level_contains(struct slice level, const char *variable)
{
    return level.len > 0 &&
           memmem(level.data, level.len, variable, strlen(variable)) != NULL;
}

bool variables_are_levels(struct slice name)
{
    for (size_t at = 0; at < name.len;) {
        const struct slice level = topic_level_at(name, at);
        if (level.len != strlen(LEVEL_USER) &&
            (level_contains(level, LEVEL_USER) ||
             level_contains(level, LEVEL_CLIENT)))
            return false;
        at += level.len + 1;
    }
    return true;
}
