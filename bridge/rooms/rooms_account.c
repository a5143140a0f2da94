#include "bridge/rooms/rooms_account.h"

#include <string.h>

#include "base/json_write.h"

static bool is_of_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
}

size_t rooms_name_fold(struct slice given, char out[ROOMS_NAME_MAX])
{
    const char *p = given.data;

    if (given.len < ROOMS_NAME_MIN || given.len > ROOMS_NAME_MAX)
        return 0;
    for (size_t i = 0; i < given.len; i++) {
        out[i] = p[i] >= 'A' && p[i] <= 'Z' ? (char)(p[i] - 'A' + 'a') : p[i];
        if (!is_of_name(out[i]))
            return 0;
    }
    return given.len;
}

bool rooms_name_is_reserved(struct slice name)
{
    static const char *const reserved[] = {
        "root", "superuser", "admin", "administrator", "owner",
    };

    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
        if (slice_eq(name, slice_str(reserved[i])))
            return true;
    return false;
}

void rooms_account_put(struct buffer *b, struct slice name, struct slice uid,
                       bool is_root)
{
    struct json_writer w = json_writer_of(b);
    struct buffer shown = BUFFER_INIT;

    buffer_put_slice(&shown, name);
    buffer_put(&shown, " (", 2);
    buffer_put_slice(&shown, uid);
    buffer_put_char(&shown, ')');
    json_object(&w);
    json_member_string(&w, "displayName", buffer_slice(&shown));
    if (is_root)
        json_member_bool(&w, "root", true);
    json_object_end(&w);
    buffer_release(&shown);
}
