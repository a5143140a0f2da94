#include "bridge/doors/thingschat/key_request.h"

#include <stdio.h>

#include "base/json_walk.h"

static bool fail(struct key_request *k, const char *error)
{
    if (k->error[0] == '\0')
        snprintf(k->error, sizeof(k->error), "%s", error);
    return false;
}

/* k->text has room for the whole body, so it never moves while slices point to it. */
static bool read_text(struct key_request *k, const char *name,
                      struct slice value, struct slice *ret)
{
    const size_t start = k->text.len;

    if (json_put_unescaped(&k->text, value)) {
        *ret = slice_of(k->text.data + start, k->text.len - start);
        return true;
    }
    if (k->error[0] == '\0')
        snprintf(k->error, sizeof(k->error), "%s: a string expected", name);
    return false;
}

static bool read_kind(struct key_request *k, struct slice value)
{
    struct slice word;

    if (!read_text(k, "kind", value, &word))
        return false;
    return (secret_kind_of_word(word, &k->kind) && k->kind != SECRET_TICKET) ||
           fail(k, "kind: server, live, test, device or agent");
}

static bool read_expires_in(struct key_request *k, struct slice value)
{
    k->expires = true;
    return (json_read_u64(value, &k->expires_in_s) && k->expires_in_s > 0 &&
            k->expires_in_s <= KEY_EXPIRES_IN_MAX) ||
           fail(k, "expires_in: a whole number of seconds, at least 1");
}

/* What a key may have besides rights. The order is that of the bits in k->seen. */
static const char *const names[] = {"expires_in", "label", "kind",
                                    "user",       "mount", "plan"};
#define NAME_COUNT (sizeof(names) / sizeof(names[0]))
#define TICKET_NAME_COUNT 1

static bool read_value(struct key_request *k, size_t which, struct slice value)
{
    switch (which) {
    case 0: return read_expires_in(k, value);
    case 1: return read_text(k, "label", value, &k->label);
    case 2: return read_kind(k, value);
    case 3: return read_text(k, "user", value, &k->user);
    case 4: k->mounted = true; return read_text(k, "mount", value, &k->mount);
    default: return read_text(k, "plan", value, &k->plan);
    }
}

static bool read_right(struct key_request *k, struct slice name,
                       struct slice value, bool ticket)
{
    const enum right_error error = rights_add_member(&k->rights, name, value);

    if (error == RIGHT_OK) {
        k->lists_rights = k->lists_rights || *(const char *)value.data == '[';
        return true;
    }
    if (error != RIGHT_UNKNOWN)
        return fail(k, right_error_text(error));
    return fail(k, ticket ? "a ticket has publish, subscribe, manage, admin "
                            "and expires_in only"
                          : "a key has publish, subscribe, manage, admin, "
                            "label, kind, user, mount, plan and expires_in "
                            "only");
}

static bool read_member(struct key_request *k, struct slice name,
                        struct slice value, bool ticket)
{
    const size_t count = ticket ? TICKET_NAME_COUNT : NAME_COUNT;

    for (size_t i = 0; i < count; i++) {
        if (!json_string_is(name, names[i]))
            continue;
        if ((k->seen & 1U << i) != 0)
            return fail(k, "each member may be there only once");
        k->seen |= 1U << i;
        /* null means the same as leaving it out */
        return slice_eq(value, slice_str("null")) || read_value(k, i, value);
    }
    return read_right(k, name, value, ticket);
}

bool key_request_read(struct key_request *k, struct slice body, bool ticket)
{
    struct slice name, value;
    size_t at = 0;

    *k = (struct key_request){
        .kind = ticket ? SECRET_TICKET : SECRET_SERVER,
    };
    rights_draft_clear(&k->rights);
    if (!buffer_reserve(&k->text, body.len + 1))
        return fail(k, "out of memory");
    const struct slice object = json_trim(body);
    while (json_next_member(object, &at, &name, &value))
        if (!read_member(k, name, value, ticket))
            return false;
    /* Leaving them out means all; whoever computed an empty list did not mean that. */
    if (k->lists_rights && k->rights.count == 0)
        return fail(k, "publish, subscribe, manage: all of them are empty; "
                       "name a filter, or leave them out for everything");
    return true;
}

void key_request_release(struct key_request *k)
{
    buffer_release(&k->text);
}
