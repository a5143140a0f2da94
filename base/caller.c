#include "base/caller.h"

#include "base/topic.h"
#include "base/vocabulary.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct right all_below[] = {{CALLER_PUBLISH, "#"},
                                         {CALLER_SUBSCRIBE, "#"},
                                         {CALLER_MANAGE, "#"}};
static const struct right everything[] = {{CALLER_ADMIN, "#"}};

struct caller caller_of_token(struct slice token, const struct plan *plan)
{
    return (struct caller){.tenant = token,
                           .plan = plan,
                           .rights = all_below,
                           .right_count = COUNT(all_below)};
}

struct caller caller_nameless(const struct plan *plan)
{
    return (struct caller){.plan = plan,
                           .rights = all_below,
                           .right_count = COUNT(all_below)};
}

struct caller caller_administrator(void)
{
    return (struct caller){.rights = everything,
                           .right_count = COUNT(everything)};
}

/* ---- filters ------------------------------------------------------------- */

/* false: no more. "a//b" has three levels, "" has one. */
static bool next_level(struct slice *rest, struct slice *ret)
{
    if (rest->data == NULL)
        return false;
    const char *slash =
        rest->len == 0 ? NULL : memchr(rest->data, '/', rest->len);
    if (slash == NULL) {
        *ret = *rest;
        *rest = (struct slice){0};
        return true;
    }
    *ret = slice_of(rest->data, (size_t)(slash - (const char *)rest->data));
    *rest = slice_of(slash + 1, rest->len - ret->len - 1);
    return true;
}

static bool level_is(struct slice level, const char *text)
{
    return slice_eq(level, slice_str(text));
}

/* A name that can be inserted as a single level of a topic. */
static bool is_one_level(struct slice name)
{
    const char *p = name.data;

    for (size_t i = 0; i < name.len; i++)
        if (p[i] == '/' || p[i] == '+' || p[i] == '#')
            return false;
    return name.len > 0;
}

/* Whether every name that `asked` can match at this level is also granted by
 * `right`. */
static bool level_covers(const struct caller *c, struct slice right,
                         struct slice asked)
{
    if (level_is(asked, "#"))
        return false;
    if (level_is(right, "+"))
        return true;
    if (level_is(right, "%u"))
        return is_one_level(c->user) && slice_eq(c->user, asked);
    if (level_is(right, "%c"))
        return is_one_level(c->client) && slice_eq(c->client, asked);
    return slice_eq(right, asked);
}

static bool filter_covers(const struct caller *c, const char *filter,
                          struct slice asked)
{
    struct slice right = slice_str(filter), level, other;

    for (;;) {
        const bool has_level = next_level(&right, &level);
        if (has_level && level_is(level, "#"))
            return true; /* `a/#` matches `a`, too */
        const bool has_other = next_level(&asked, &other);
        if (!has_level || !has_other)
            return !has_level && !has_other;
        if (!level_covers(c, level, other))
            return false;
    }
}

static bool has_right(const struct caller *c, enum caller_action action,
                      struct slice relative)
{
    for (size_t i = 0; i < c->right_count; i++)
        if ((c->rights[i].action == action ||
             c->rights[i].action == CALLER_ADMIN) &&
            filter_covers(c, c->rights[i].filter, relative))
            return true;
    return false;
}

/* ---- topics -------------------------------------------------------------- */

static bool is_server_administrator(const struct caller *c)
{
    return c->tenant.len == 0 && has_right(c, CALLER_ADMIN, slice_str("#"));
}

/* The levels after the first one; "" if there is only one. */
static struct slice behind_first_level(struct slice topic)
{
    const size_t len = topic_first_level(topic).len;

    return len == topic.len ? slice_str("")
                            : slice_of((const char *)topic.data + len + 1,
                                       topic.len - len - 1);
}

/* `<tenant>/…`. For callers without a tenant a right's filter is compared
 * with whole topics. */
static bool may_below_tenant(const struct caller *c, enum caller_action action,
                             struct slice topic)
{
    if (c->tenant.len == 0)
        return has_right(c, action, topic);
    return slice_eq(topic_first_level(topic), c->tenant) &&
           has_right(c, action, behind_first_level(topic));
}

/* `$events/<tenant>/<kind>/<thing>`, with the tenant named. */
static bool may_use_events(const struct caller *c, enum caller_action action,
                           struct slice topic)
{
    const struct slice below = behind_first_level(topic);
    const struct slice tenant = topic_first_level(below);
    const struct slice kind = behind_first_level(below);

    if (tenant.len == below.len || !token_valid(tenant) ||
        (c->tenant.len > 0 && !slice_eq(tenant, c->tenant)))
        return false;
    /* `#` instead of a kind means all kinds of all things. */
    return has_right(c, action,
                     level_is(kind, "#") ? kind : behind_first_level(kind));
}

bool caller_may(const struct caller *c, enum caller_action action,
                struct slice topic)
{
    struct slice group, filter;

    if (action == CALLER_SUBSCRIBE && filter_is_shared(topic)) {
        if (!filter_share(topic, &group, &filter))
            return false;
        topic = filter;
    }
    if (is_server_administrator(c))
        return true;
    if (topic.len == 0 || *(const char *)topic.data != '$')
        return may_below_tenant(c, action, topic);
    const struct slice first = topic_first_level(topic);
    if (level_is(first, "$events") &&
        (action == CALLER_SUBSCRIBE || action == CALLER_PUBLISH))
        return may_use_events(c, action, topic);
    if (action != CALLER_SUBSCRIBE)
        return false;
    return c->tenant.len == 0 && !level_is(first, "$confab") &&
           has_right(c, action, slice_str("#"));
}
