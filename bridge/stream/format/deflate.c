#include "bridge/stream/format/deflate.h"

#include <string.h>
#include <strings.h>
#include <zlib.h>

#define SHORT 128             /* bytes that are not worth a try */
#define LONG (256UL * 1024)   /* bytes that would take milliseconds */
#define INFLATE_STEP 16384    /* room made at a time */
#define RAW_WINDOW_BITS (-15) /* RFC 1951 without zlib's head and tail */

/* ---- the offer ------------------------------------------------------------ */

/* The text up to the next `delimiter`; *rest is what follows. */
static struct slice cut_at(struct slice *rest, char delimiter)
{
    const char *p = rest->data, *end = p + rest->len;
    const char *stop = rest->len == 0 ? NULL : memchr(p, delimiter, rest->len);
    const struct slice one =
        slice_trim(slice_of(p, (size_t)((stop == NULL ? end : stop) - p)));

    *rest = stop == NULL ? slice_of(end, 0)
                         : slice_of(stop + 1, (size_t)(end - stop - 1));
    return one;
}

static bool is_word(struct slice s, const char *word)
{
    return s.len == strlen(word) && strncasecmp(s.data, word, s.len) == 0;
}

static bool takes_window(struct slice value)
{
    struct slice s = value;

    if (s.len >= 2 && *(const char *)s.data == '"')
        s = slice_of((const char *)s.data + 1, s.len - 2);
    const char *p = s.data;
    return (s.len == 1 && (p[0] == '8' || p[0] == '9')) ||
           (s.len == 2 && p[0] == '1' && p[1] >= '0' && p[1] <= '5');
}

/* server_max_window_bits would have us compress for this client alone. */
static bool takes_parameter(struct slice parameter, unsigned *seen)
{
    static const char *const names[] = {"server_no_context_takeover",
                                        "client_no_context_takeover",
                                        "client_max_window_bits"};
    const bool has_value = parameter.len > 0 &&
                           memchr(parameter.data, '=', parameter.len) != NULL;
    struct slice value = parameter;
    const struct slice name = cut_at(&value, '=');

    for (unsigned i = 0; i < 3; i++) {
        if (!is_word(name, names[i]))
            continue;
        if ((*seen >> i & 1) != 0)
            return false;
        *seen |= 1U << i;
        value = cut_at(&value, '=');
        return !has_value || (i == 2 && takes_window(value));
    }
    return false;
}

static bool takes_offer(struct slice offer)
{
    unsigned seen = 0;

    if (!is_word(cut_at(&offer, ';'), "permessage-deflate"))
        return false;
    while (offer.len > 0)
        if (!takes_parameter(cut_at(&offer, ';'), &seen))
            return false;
    return true;
}

bool deflate_offered(struct slice extensions)
{
    while (extensions.len > 0)
        if (takes_offer(cut_at(&extensions, ',')))
            return true;
    return false;
}

/* ---- messages ------------------------------------------------------------- */

/* No more memory than the message needs: a window of its size. */
static int window_bits(size_t len)
{
    int bits = 9;

    while (bits < 15 && ((size_t)1 << bits) < len)
        bits++;
    return bits;
}

/* The message ends with an empty block, whose last four bytes are not sent (RFC
 * 7692 §7.2.1). 0: it did not work, or not get shorter. */
static size_t compress_to(char *out, size_t room, const char *in, size_t len)
{
    const int bits = window_bits(len);
    z_stream z = {0};

    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -bits, bits - 7,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return 0;
    z.next_in = (Bytef *)(uintptr_t)in;
    z.avail_in = (uInt)len;
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)room;
    const int rc = deflate(&z, Z_SYNC_FLUSH);
    const bool whole = rc == Z_OK && z.avail_in == 0 && z.avail_out > 0;
    const size_t n = room - z.avail_out;
    deflateEnd(&z);
    return whole && n > 4 ? n - 4 : 0;
}

bool deflate_message(struct buffer *b, size_t start)
{
    const size_t len = b->len - start;

    if (!buffer_ok(b) || len < SHORT || len > LONG || !buffer_reserve(b, len))
        return false;
    const size_t n = compress_to(b->data + b->len, len, b->data + start, len);
    if (n == 0)
        return false;
    memmove(b->data + start, b->data + b->len, n);
    b->len = start + n;
    return true;
}

/* false: there is no more to come, *ret_result says why. */
static bool inflate_step(z_stream *z, struct buffer *b, size_t most,
                         enum inflate_result *ret_result)
{
    const size_t left = most - b->len;
    const size_t room = left < INFLATE_STEP ? left + 1 : INFLATE_STEP;

    *ret_result = INFLATE_OK;
    if (!buffer_reserve(b, room))
        return false;
    z->next_out = (Bytef *)b->data + b->len;
    z->avail_out = (uInt)room;
    const int rc = inflate(z, Z_SYNC_FLUSH);
    b->len += room - z->avail_out;
    if (b->len > most)
        *ret_result = INFLATE_TOO_BIG;
    else if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
        *ret_result = INFLATE_BROKEN;
    else
        return rc == Z_OK && z->avail_out == 0; /* there may be more of it */
    return false;
}

enum inflate_result inflate_message(struct buffer *b, struct slice message,
                                    size_t most)
{
    static const char tail[] = {0, 0, '\xff',
                                '\xff'}; /* not sent, see above */
    const struct slice parts[] = {message, slice_of(tail, sizeof(tail))};
    enum inflate_result result = INFLATE_OK;
    z_stream z = {0};

    most += b->len;
    if (inflateInit2(&z, RAW_WINDOW_BITS) != Z_OK) {
        b->failed = true;
        return INFLATE_OK;
    }
    for (size_t i = 0; i < 2 && result == INFLATE_OK && buffer_ok(b); i++) {
        z.next_in = (Bytef *)(uintptr_t)parts[i].data;
        z.avail_in = (uInt)parts[i].len;
        while (inflate_step(&z, b, most, &result))
            ;
        /* Behind a final block nothing may be but the tail. */
        if (i == 0 && result == INFLATE_OK && buffer_ok(b) && z.avail_in > 0)
            result = INFLATE_BROKEN;
    }
    inflateEnd(&z);
    return result;
}
