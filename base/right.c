#include "base/right.h"

#include <assert.h>
#include <stdlib.h>

#include "base/json_walk.h"
#include "base/topic.h"
#include "base/topic_level.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *const actions[] = {
    [CALLER_PUBLISH] = "publish",
    [CALLER_SUBSCRIBE] = "subscribe",
    [CALLER_MANAGE] = "manage",
    [CALLER_ADMIN] = "admin",
};

const char *right_action_word(enum caller_action action)
{
    assert(action < COUNT(actions));
    return actions[action];
}

const char *right_error_text(enum right_error error)
{
    switch (error) {
#define X(name, text)                                                         \
    case RIGHT_##name: return text;
        RIGHT_ERRORS(X)
#undef X
    }
    return "unknown";
}

/* ---- collecting ---------------------------------------------------------- */

void rights_draft_clear(struct rights_draft *d)
{
    d->count = d->text_len = 0;
    d->seen = 0;
}

/* Things have no empty level (thing_valid()), so such a filter would match none. */
static bool has_empty_level(struct slice filter)
{
    for (size_t at = 0; at <= filter.len;) {
        const struct slice level = topic_level_at(filter, at);
        if (level.len == 0)
            return true;
        at += level.len + 1;
    }
    return false;
}

static enum right_error check_filter(struct slice filter)
{
    if (!filter_valid(filter) || *(const char *)filter.data == '$' ||
        has_empty_level(filter) || !name_publishable(filter))
        return RIGHT_FILTER;
    return variables_are_levels(filter) ? RIGHT_OK : RIGHT_VARIABLE;
}

static bool draft_has(const struct rights_draft *d, enum caller_action action,
                      struct slice filter)
{
    for (size_t i = 0; i < d->count; i++)
        if (d->rights[i].action == action &&
            slice_eq(slice_str(d->text + d->rights[i].at), filter))
            return true;
    return false;
}

enum right_error rights_add(struct rights_draft *d, enum caller_action action,
                            struct slice filter)
{
    if (action >= COUNT(actions))
        return RIGHT_ACTION;
    if (action == CALLER_ADMIN && !slice_eq(filter, slice_str("#")))
        return RIGHT_ACTION;
    const enum right_error error = check_filter(filter);
    if (error != RIGHT_OK)
        return error;
    if (draft_has(d, action, filter))
        return RIGHT_OK;
    if (d->count == RIGHTS_MAX)
        return RIGHT_MANY;
    if (filter.len >= sizeof(d->text) - d->text_len)
        return RIGHT_LONG;
    d->rights[d->count].action = action;
    d->rights[d->count].at = (uint16_t)d->text_len;
    d->count++;
    memcpy(d->text + d->text_len, filter.data, filter.len);
    d->text[d->text_len + filter.len] = '\0';
    d->text_len += filter.len + 1;
    return RIGHT_OK;
}

static bool find_action(struct slice word, enum caller_action *ret_action)
{
    for (unsigned i = 0; i < COUNT(actions); i++)
        if (slice_eq(word, slice_str(actions[i]))) {
            *ret_action = (enum caller_action)i;
            return true;
        }
    return false;
}

enum right_error rights_add_text(struct rights_draft *d, struct slice text)
{
    const char *space =
        text.len == 0 ? NULL : memchr(text.data, ' ', text.len);
    const size_t word_len =
        space == NULL ? text.len : (size_t)(space - (const char *)text.data);
    enum caller_action action;

    if (!find_action(slice_of(text.data, word_len), &action) ||
        (action == CALLER_ADMIN) != (space == NULL))
        return RIGHT_ACTION;
    if (action == CALLER_ADMIN)
        return rights_add(d, action, slice_str("#"));
    return rights_add(d, action, slice_of(space + 1, text.len - word_len - 1));
}

/* ---- JSON ---------------------------------------------------------------- */

static enum right_error add_filter_string(struct rights_draft *d,
                                          enum caller_action action,
                                          struct slice string)
{
    struct buffer filter = {.limit = RIGHTS_TEXT_MAX};
    enum right_error error = RIGHT_JSON;

    if (json_put_unescaped(&filter, string))
        error = buffer_ok(&filter)
                    ? rights_add(d, action, buffer_slice(&filter))
                    : RIGHT_LONG;
    buffer_release(&filter);
    return error;
}

static bool is_array(struct slice value)
{
    return value.len > 0 && *(const char *)value.data == '[';
}

static enum right_error add_filter_array(struct rights_draft *d,
                                         enum caller_action action,
                                         struct slice value)
{
    struct slice element;

    if (!is_array(value))
        return RIGHT_JSON;
    for (size_t at = 0; json_next_element(value, &at, &element);) {
        const enum right_error error = add_filter_string(d, action, element);
        if (error != RIGHT_OK)
            return error;
    }
    return RIGHT_OK;
}

static enum right_error add_admin_flag(struct rights_draft *d,
                                       struct slice value)
{
    if (slice_eq(value, slice_str("true")))
        return rights_add(d, CALLER_ADMIN, slice_str("#"));
    return slice_eq(value, slice_str("false")) ? RIGHT_OK : RIGHT_JSON;
}

enum right_error rights_add_member(struct rights_draft *d, struct slice name,
                                   struct slice value)
{
    for (unsigned i = 0; i < COUNT(actions); i++) {
        if (!json_string_is(name, actions[i]))
            continue;
        if ((d->seen & 1U << i) != 0)
            return RIGHT_JSON;
        d->seen |= 1U << i;
        return i == CALLER_ADMIN
                   ? add_admin_flag(d, value)
                   : add_filter_array(d, (enum caller_action)i, value);
    }
    return RIGHT_UNKNOWN;
}

enum right_error rights_add_json(struct rights_draft *d, struct slice json)
{
    const struct slice object = json_trim(json);
    struct slice name, value;

    if (object.len == 0 || *(const char *)object.data != '{')
        return RIGHT_JSON;
    for (size_t at = 0; json_next_member(object, &at, &name, &value);) {
        const enum right_error error = rights_add_member(d, name, value);
        if (error != RIGHT_OK)
            return error;
    }
    return RIGHT_OK;
}

static void write_filters(struct json_writer *w, enum caller_action action,
                          const struct right *rights, size_t count)
{
    json_array(w);
    for (size_t i = 0; i < count; i++)
        if (rights[i].action == action)
            json_text(w, rights[i].filter);
    json_array_end(w);
}

static bool has_admin(const struct right *rights, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (rights[i].action == CALLER_ADMIN)
            return true;
    return false;
}

void rights_write_json(struct json_writer *w, const struct right *rights,
                       size_t count)
{
    json_object(w);
    json_name(w, "publish");
    write_filters(w, CALLER_PUBLISH, rights, count);
    json_name(w, "subscribe");
    write_filters(w, CALLER_SUBSCRIBE, rights, count);
    json_name(w, "manage");
    write_filters(w, CALLER_MANAGE, rights, count);
    json_member_bool(w, "admin", has_admin(rights, count));
    json_object_end(w);
}

void right_put_text(struct buffer *b, const struct right *right)
{
    buffer_put_str(b, right_action_word(right->action));
    if (right->action == CALLER_ADMIN)
        return;
    buffer_put_char(b, ' ');
    buffer_put_str(b, right->filter);
}

/* ---- holding ------------------------------------------------------------- */

struct rights *rights_new(const struct rights_draft *d)
{
    struct rights *r =
        malloc(sizeof(*r) + d->count * sizeof(r->list[0]) + d->text_len);

    if (r == NULL)
        return NULL;
    char *text = (char *)&r->list[d->count];
    if (d->text_len > 0)
        memcpy(text, d->text, d->text_len);
    r->count = d->count;
    for (size_t i = 0; i < d->count; i++)
        r->list[i] = (struct right){.action = d->rights[i].action,
                                    .filter = text + d->rights[i].at};
    return r;
}

/* ---- giving -------------------------------------------------------------- */

/* What stands for "whatever client id it will have": no filter, user or client id
 * has a NUL. */
#define ANY_CLIENT "\0"

static bool is_one_level(struct slice name)
{
    return name.len > 0 && topic_valid(name) &&
           memchr(name.data, '/', name.len) == NULL;
}

/* What the level can come to be, as a level of a filter. */
static struct slice resolve_level(struct slice level, struct slice user)
{
    if (slice_eq(level, slice_str(LEVEL_USER)))
        return is_one_level(user) ? user : slice_str("+");
    if (slice_eq(level, slice_str(LEVEL_CLIENT)))
        return slice_of(ANY_CLIENT, 1);
    return level;
}

static void put_resolved(struct buffer *b, struct slice filter,
                         struct slice user)
{
    for (size_t at = 0; at <= filter.len;) {
        const struct slice level = topic_level_at(filter, at);
        if (at > 0)
            buffer_put_char(b, '/');
        buffer_put_slice(b, resolve_level(level, user));
        at += level.len + 1;
    }
}

static bool covers_one(const struct caller *giver, struct slice tenant,
                       struct slice user, const struct right *wanted)
{
    struct buffer topic = BUFFER_INIT;

    buffer_put_slice(&topic, tenant);
    buffer_put_char(&topic, '/');
    put_resolved(&topic, slice_str(wanted->filter), user);
    const bool covered = buffer_ok(&topic) && caller_may(giver, wanted->action,
                                                         buffer_slice(&topic));
    buffer_release(&topic);
    return covered;
}

bool rights_covered(const struct caller *giver, struct slice tenant,
                    struct slice user, const struct right *wanted,
                    size_t count)
{
    struct caller any_client = *giver;

    any_client.client = slice_of(ANY_CLIENT, 1);
    for (size_t i = 0; i < count; i++)
        if (!covers_one(&any_client, tenant, user, &wanted[i]))
            return false;
    return true;
}
