#include "base/mount.h"

#include "base/topic.h"
#include "base/topic_level.h"

/* ---- a key's mount ------------------------------------------------------- */

bool mount_valid(struct slice mount)
{
    return mount.len == 0 ||
           (mount.len <= MOUNT_MAX && thing_valid(mount) &&
            name_publishable(mount) && variables_are_levels(mount));
}

/* A name as it can stand for %u or %c: one level. */
static bool is_level_of_thing(struct slice name)
{
    return name.data != NULL && thing_valid(name) && name_publishable(name) &&
           memchr(name.data, '/', name.len) == NULL;
}

static bool put_mount_level(struct buffer *b, struct slice level,
                            struct slice user, struct slice client)
{
    const bool is_user = slice_eq(level, slice_str(LEVEL_USER));

    if (is_user || slice_eq(level, slice_str(LEVEL_CLIENT))) {
        level = is_user ? user : client;
        if (!is_level_of_thing(level))
            return false;
    }
    buffer_put_slice(b, level);
    buffer_put_char(b, '/');
    return true;
}

static bool put_prefix(struct buffer *b, struct slice tenant,
                       struct slice mount, struct slice user,
                       struct slice client)
{
    buffer_put_slice(b, tenant);
    buffer_put_char(b, '/');
    for (size_t at = 0; at < mount.len;) {
        const struct slice level = topic_level_at(mount, at);
        if (!put_mount_level(b, level, user, client))
            return false;
        at += level.len + 1;
    }
    return true;
}

/* A thing below the prefix needs a name of one byte at least. */
static bool leaves_room(size_t tenant_len, size_t prefix_len)
{
    return prefix_len - tenant_len - 1 < THING_MAX;
}

bool mount_prefix(struct slice tenant, struct slice mount, struct slice user,
                  struct slice client, struct buffer *out)
{
    const size_t before = out->len;

    if (put_prefix(out, tenant, mount, user, client) && buffer_ok(out) &&
        leaves_room(tenant.len, out->len - before))
        return true;
    out->len = before;
    return false;
}

/* ---- what comes in ------------------------------------------------------- */

static bool starts_with_dollar(struct slice topic)
{
    return topic.len > 0 && *(const char *)topic.data == '$';
}

/* `head`, then the prefix, then `rest`, if that is valid. */
static bool put_checked(struct buffer *out, struct slice head,
                        struct slice prefix, struct slice rest,
                        bool (*valid)(struct slice name))
{
    const size_t before = out->len;

    if (rest.len == 0)
        return false;
    buffer_put_slice(out, head);
    if (!starts_with_dollar(rest))
        buffer_put_slice(out, prefix);
    buffer_put_slice(out, rest);
    if (buffer_ok(out) &&
        valid(slice_of(out->data + before, out->len - before)))
        return true;
    out->len = before;
    return false;
}

bool mount_add_to_topic(struct slice prefix, struct slice topic,
                        struct buffer *out)
{
    return put_checked(out, slice_of(NULL, 0), prefix, topic, topic_valid);
}

bool mount_add_to_filter(struct slice prefix, struct slice filter,
                         struct buffer *out)
{
    struct slice group, inner;

    if (!filter_is_shared(filter))
        return put_checked(out, slice_of(NULL, 0), prefix, filter,
                           filter_valid);
    if (!filter_share(filter, &group, &inner))
        return false;
    return put_checked(out, slice_of(filter.data, filter.len - inner.len),
                       prefix, inner, filter_valid);
}

/* ---- what goes out ------------------------------------------------------- */

bool mount_take_off(struct slice prefix, struct slice topic,
                    struct slice *ret_topic)
{
    if (starts_with_dollar(topic)) {
        *ret_topic = topic;
        return true;
    }
    if (topic.len <= prefix.len ||
        memcmp(topic.data, prefix.data, prefix.len) != 0)
        return false;
    *ret_topic = slice_of((const char *)topic.data + prefix.len,
                          topic.len - prefix.len);
    return true;
}
