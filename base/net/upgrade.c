#include "base/net/upgrade.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <sodium.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"

#define KEY_BYTES 16
#define KEY_LEN 24
#define SHA1_BYTES 20

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The element at *at, without blanks around it; *at moves past it. */
static struct slice next_of(const char **at, const char *end)
{
    const char *first = *at;
    const char *comma = memchr(first, ',', (size_t)(end - first));
    const char *last = comma == NULL ? end : comma;

    *at = comma == NULL ? end : comma + 1;
    while (first < last && is_blank(first[0]))
        first++;
    while (first < last && is_blank(last[-1]))
        last--;
    return slice_of(first, (size_t)(last - first));
}

bool upgrade_lists(struct slice list, const char *word, bool any_case)
{
    const size_t len = strlen(word);
    const char *at = list.data, *end = at + list.len;

    while (at < end) {
        const struct slice one = next_of(&at, end);
        if (one.len == len && (any_case ? strncasecmp(one.data, word, len) == 0
                                        : memcmp(one.data, word, len) == 0))
            return true;
    }
    return false;
}

bool upgrade_key_valid(struct slice key)
{
    unsigned char bytes[KEY_BYTES];
    size_t len;

    return key.len == KEY_LEN &&
           base64_decode(key, BASE64, bytes, sizeof(bytes), &len) &&
           len == KEY_BYTES;
}

/* RFC 6455 requires SHA-1; it protects no secret here. */
bool upgrade_accept(struct slice key, char ret_accept[UPGRADE_ACCEPT_SIZE])
{
    static const char magic[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char text[KEY_LEN + sizeof(magic) - 1];
    unsigned char hash[SHA1_BYTES];

    if (key.len != KEY_LEN)
        return false;
    memcpy(text, key.data, KEY_LEN);
    memcpy(text + KEY_LEN, magic, sizeof(magic) - 1);
    if (gnutls_hash_fast(GNUTLS_DIG_SHA1, text, sizeof(text), hash) != 0)
        return false;
    sodium_bin2base64(ret_accept, UPGRADE_ACCEPT_SIZE, hash, sizeof(hash),
                      sodium_base64_VARIANT_ORIGINAL);
    return true;
}
