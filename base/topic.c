#include "base/topic.h"

#include <mosquitto.h>

#include "base/utf8.h"

#define SHARE_PREFIX "$share/"

bool token_valid(struct slice token)
{
    const unsigned char *p = token.data;

    if (token.len == 0 || token.len > TOKEN_MAX)
        return false;
    for (size_t i = 0; i < token.len; i++) {
        const unsigned char c = p[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
              (c >= '0' && c <= '9') || c == '_' || c == '-'))
            return false;
    }
    return true;
}

static bool has_control(struct slice s)
{
    const unsigned char *p = s.data;

    for (size_t i = 0; i < s.len; i++) {
        if (p[i] < 0x20 || p[i] == 0x7f)
            return true;
        /* U+0080-009F is C2 80 … C2 9F in UTF-8 */
        if (p[i] == 0xc2 && i + 1 < s.len && p[i + 1] <= 0x9f)
            return true;
    }
    return false;
}

static bool has_empty_level(struct slice s)
{
    const char *p = s.data;

    if (p[0] == '/' || p[s.len - 1] == '/')
        return true;
    for (size_t i = 1; i < s.len; i++)
        if (p[i] == '/' && p[i - 1] == '/')
            return true;
    return false;
}

static bool few_levels(struct slice s)
{
    const char *p = s.data;
    unsigned levels = 1;

    for (size_t i = 0; i < s.len; i++)
        if (p[i] == '/' && ++levels > TOPIC_LEVELS_MAX)
            return false;
    return true;
}

bool thing_valid(struct slice thing)
{
    return thing.len >= 1 && thing.len <= THING_MAX &&
           *(const char *)thing.data != '$' &&
           memchr(thing.data, '+', thing.len) == NULL &&
           memchr(thing.data, '#', thing.len) == NULL &&
           !has_empty_level(thing) && !has_control(thing) &&
           few_levels(thing) && utf8_valid(thing.data, thing.len);
}

bool topic_valid(struct slice topic)
{
    return topic.len >= 1 && topic.len <= 65535 &&
           mosquitto_pub_topic_check2(topic.data, topic.len) ==
               MOSQ_ERR_SUCCESS &&
           memchr(topic.data, 0, topic.len) == NULL && few_levels(topic) &&
           utf8_valid(topic.data, topic.len);
}

bool name_publishable(struct slice name)
{
    return !utf8_has_disallowed(name.data, name.len);
}

bool filter_valid(struct slice filter)
{
    return filter.len >= 1 && filter.len <= 65535 &&
           mosquitto_sub_topic_check2(filter.data, filter.len) ==
               MOSQ_ERR_SUCCESS &&
           memchr(filter.data, 0, filter.len) == NULL && few_levels(filter) &&
           utf8_valid(filter.data, filter.len);
}

bool filter_has_wildcard(struct slice filter)
{
    return memchr(filter.data, '+', filter.len) != NULL ||
           memchr(filter.data, '#', filter.len) != NULL;
}

bool filter_is_shared(struct slice filter)
{
    return filter.len >= strlen(SHARE_PREFIX) &&
           memcmp(filter.data, SHARE_PREFIX, strlen(SHARE_PREFIX)) == 0;
}

bool filter_share(struct slice filter, struct slice *ret_group,
                  struct slice *ret_filter)
{
    if (!filter_is_shared(filter))
        return false;
    const struct slice rest =
        slice_of((const char *)filter.data + strlen(SHARE_PREFIX),
                 filter.len - strlen(SHARE_PREFIX));
    const struct slice group = topic_first_level(rest);
    if (group.len == rest.len || !topic_valid(group))
        return false;
    const struct slice inner =
        slice_of((const char *)rest.data + group.len + 1,
                 rest.len - group.len - 1);
    if (!filter_valid(inner))
        return false;
    *ret_group = group;
    *ret_filter = inner;
    return true;
}

/* This does not use mosquitto_topic_matches_sub2(), which checks and copies on
 * every call, while this runs once per reader with patterns and message. Both
 * names are valid here, so comparing them level by level is enough (MQTT 5
 * §4.7.1); test/unit/base/topic_test.c compares it with the library's
 * answer. */
bool filter_matches(struct slice filter, struct slice topic)
{
    const char *f = filter.data, *f_end = f + filter.len;
    const char *t = topic.data, *t_end = t + topic.len;

    /* MQTT-4.7.2-1 */
    if (t < t_end && *t == '$' && f < f_end && (*f == '+' || *f == '#'))
        return false;
    for (;;) {
        if (f < f_end && *f == '#')
            return true;
        if (f < f_end && *f == '+') {
            f++;
            while (t < t_end && *t != '/')
                t++;
        } else {
            while (f < f_end && *f != '/' && t < t_end && *f == *t)
                f++, t++;
        }
        const bool f_level_over = f == f_end || *f == '/';
        const bool t_level_over = t == t_end || *t == '/';
        if (!f_level_over || !t_level_over)
            return false;
        if (f == f_end)
            return t == t_end;
        f++;            /* the slash */
        if (t == t_end) /* "a/#" matches "a": MQTT 5 §4.7.1.2 */
            return f + 1 == f_end && *f == '#';
        t++;
    }
}

bool topic_split(struct slice topic, struct slice *ret_token,
                 struct slice *ret_thing)
{
    const struct slice token = topic_first_level(topic);

    if (token.len == topic.len || !token_valid(token))
        return false;
    const struct slice thing =
        slice_of((const char *)topic.data + token.len + 1,
                 topic.len - token.len - 1);
    if (!thing_valid(thing))
        return false;
    *ret_token = token;
    *ret_thing = thing;
    return true;
}

struct slice topic_first_level(struct slice topic)
{
    const char *slash =
        topic.len == 0 ? NULL : memchr(topic.data, '/', topic.len);

    if (slash == NULL)
        return topic;
    return slice_of(topic.data, (size_t)(slash - (const char *)topic.data));
}
