#include "bridge/doors/thingschat/ws_command.h"

#include <string.h>

#include "base/json_walk.h"
#include "base/topic.h"

#define THING_RULE                                                            \
    "thing: 1 to 256 bytes of UTF-8 without control characters, "             \
    "non-characters, + or #, without empty levels, not starting with $"
#define FILTER_RULE                                                           \
    "each filter is like kitchen, kitchen/+ or #, without control "           \
    "characters and non-characters, 256 bytes at most, not starting with $"

static char first_of(struct slice value)
{
    return value.len == 0 ? '\0' : *(const char *)value.data;
}

bool ws_next_command(struct slice message, size_t *at,
                     struct slice *ret_command)
{
    const struct slice whole = json_trim(message);

    if (first_of(whole) == '[')
        return json_next_element(whole, at, ret_command);
    if (*at > 0)
        return false;
    *at = 1;
    *ret_command = whole;
    return true;
}

/* ---- values ---------------------------------------------------------------- */

static bool fail(struct ws_command *c, const char *error)
{
    if (c->error == NULL)
        c->error = error;
    return false;
}

/* c->text has room for the whole command, so it never moves while slices point to it. */
static bool read_text(struct ws_command *c, struct slice value,
                      struct slice *ret, const char *error)
{
    const size_t start = c->text.len;

    if (!json_put_unescaped(&c->text, value))
        return fail(c, error);
    *ret = slice_of(c->text.data + start, c->text.len - start);
    return true;
}

static bool read_ref(struct ws_command *c, struct slice value)
{
    const char first = first_of(value);
    const bool is_number = first == '-' || (first >= '0' && first <= '9');

    if (value.len > WS_REF_MAX || (first != '"' && !is_number))
        return fail(c, "ref: a string or a number, 256 bytes at most");
    c->ref = value;
    return true;
}

static bool read_filter(struct ws_command *c, struct slice value)
{
    struct slice filter;

    if (c->thing_count == WS_THINGS_MAX)
        return fail(c, "at most 64 filters at a time");
    if (!read_text(c, value, &filter, FILTER_RULE))
        return false;
    if (!filter_valid(filter) || !name_publishable(filter) ||
        filter.len > THING_MAX || first_of(filter) == '$')
        return fail(c, FILTER_RULE);
    c->things[c->thing_count++] = filter;
    return true;
}

static bool read_filters(struct ws_command *c, enum ws_command_kind kind,
                         struct slice list)
{
    struct slice value;
    size_t at = 0;

    c->kind = kind;
    if (first_of(list) != '[')
        return fail(c, "follow and unfollow: an array of filters");
    while (json_next_element(list, &at, &value))
        if (!read_filter(c, value))
            return false;
    return c->thing_count > 0 ||
           fail(c, "follow and unfollow: at least one filter");
}

/* It may be a string, because EventSource hands out ids as strings. */
static bool read_cursor(struct ws_command *c, struct slice value)
{
    struct slice digits = value;

    if (json_string_is(value, "") || slice_eq(value, slice_str("null")))
        return true;
    if (first_of(value) == '"')
        digits = slice_of((const char *)value.data + 1, value.len - 2);
    if (!json_read_u64(digits, &c->cursor) || digits.len > 19)
        return fail(c, "last_event_id: must be the id of a message, a whole "
                       "number");
    c->has_cursor = true;
    return true;
}

static bool read_flag(struct ws_command *c, struct slice value, bool *ret)
{
    *ret = slice_eq(value, slice_str("true"));
    return *ret || slice_eq(value, slice_str("false")) ||
           fail(c, "retain: true or false");
}

/* ---- commands -------------------------------------------------------------- */

static bool read_publish_member(struct ws_command *c, struct slice name,
                                struct slice value)
{
    if (json_string_is(name, "thing"))
        return read_text(c, value, &c->thing, THING_RULE);
    if (json_string_is(name, "payload")) {
        c->payload = value;
        return true;
    }
    if (json_string_is(name, "ref"))
        return read_ref(c, value);
    if (json_string_is(name, "retain"))
        return read_flag(c, value, &c->retain);
    if (json_string_is(name, "idempotency_key"))
        return read_text(c, value, &c->idempotency,
                         "idempotency_key: a string");
    return fail(c, "publish may have thing, payload, ref, retain and "
                   "idempotency_key only");
}

static bool read_publish(struct ws_command *c, struct slice object)
{
    struct slice name, value;
    size_t at = 0;

    c->kind = WS_PUBLISH;
    if (first_of(object) != '{')
        return fail(c, "publish: an object with thing and payload");
    /* Read to the end even after an error, which is then sent with its ref. */
    while (json_next_member(object, &at, &name, &value))
        read_publish_member(c, name, value);
    if (c->error != NULL)
        return false;
    if (c->payload.len == 0)
        return fail(c, "publish: payload is missing");
    if (!thing_valid(c->thing) || !name_publishable(c->thing))
        return fail(c, THING_RULE);
    if (c->idempotency.len > 256)
        return fail(c, "idempotency_key: at most 256 bytes");
    return true;
}

/* Reads the member that says what the command is; there must be exactly one. */
static bool read_verb(struct ws_command *c, struct slice name,
                      struct slice value, bool *has_verb)
{
    const bool publishes = json_string_is(name, "publish");
    const bool follows = json_string_is(name, "follow");

    if (!publishes && !follows && !json_string_is(name, "unfollow"))
        return fail(c, "a command has follow, unfollow or publish, and may "
                       "have last_event_id and ref");
    if (*has_verb)
        return fail(
            c, "a command may have only one of follow, unfollow and publish");
    *has_verb = true;
    return publishes
               ? read_publish(c, value)
               : read_filters(c, follows ? WS_FOLLOW : WS_UNFOLLOW, value);
}

static void read_members(struct ws_command *c, struct slice command)
{
    struct slice name, value;
    bool has_verb = false;
    size_t at = 0;

    while (json_next_member(command, &at, &name, &value)) {
        if (json_string_is(name, "last_event_id"))
            read_cursor(c, value);
        else if (json_string_is(name, "ref"))
            read_ref(c, value);
        else
            read_verb(c, name, value, &has_verb);
    }
    if (!has_verb)
        fail(c, "a command needs one of follow, unfollow and publish");
    else if (c->has_cursor && c->kind != WS_FOLLOW)
        fail(c, "last_event_id can only be used with follow");
}

void ws_command_read(struct ws_command *c, struct slice command)
{
    *c = (struct ws_command){0};
    if (first_of(command) != '{')
        fail(c,
             "a message must be a command, which is an object, or an array of "
             "commands");
    else if (!buffer_reserve(&c->text, command.len))
        fail(c, "out of memory");
    else
        read_members(c, command);
}

void ws_command_release(struct ws_command *c)
{
    buffer_release(&c->text);
}
