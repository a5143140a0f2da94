#include "broker/client/client_name.h"

#include <string.h>

#include "base/log.h"

#define SHOWN 4 /* of a token, at most */

/* How many bytes at the end of an id are the beginning of the token, if that
 * is more of it than logs show. */
static size_t begins_token(struct slice id, struct slice token)
{
    size_t len = token.len < id.len ? token.len : id.len;

    for (; len > SHOWN; len--)
        if (memcmp((const char *)id.data + id.len - len, token.data, len) == 0)
            return len;
    return 0;
}

void client_name_put(struct buffer *b, struct slice id, struct slice token)
{
    const struct log_token shown = log_token(token.data, token.len);
    const char *at = id.data, *found;
    const char *end = at + id.len;

    while (token.len > 0 && at < end &&
           (found = memmem(at, (size_t)(end - at), token.data, token.len)) !=
               NULL) {
        buffer_put(b, at, (size_t)(found - at));
        buffer_put_str(b, shown.text);
        at = found + token.len;
    }
    const size_t left = (size_t)(end - at);
    const size_t cut = begins_token(slice_of(at, left), token);
    buffer_put(b, at, left - cut);
    if (cut > 0)
        buffer_put_str(b, shown.text);
}
