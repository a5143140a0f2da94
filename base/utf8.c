#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

#define ONES UINT64_C(0x0101010101010101)
#define HIGH_BITS UINT64_C(0x8080808080808080)

static bool is_continuation(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

size_t utf8_sequence(const void *data, size_t len)
{
    const unsigned char *p = data;

    if (len == 0)
        return 0;
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2) /* a continuation byte, or an overlong form of ASCII */
        return 0;
    if (len < 2)
        return 0;
    if (p[0] < 0xe0)
        return is_continuation(p[1]) ? 2 : 0;

    /* The second byte carries what RFC 3629 §4 excludes: overlong forms,
     * surrogates, code points above U+10FFFF. */
    unsigned char low = 0x80, high = 0xbf;
    switch (p[0]) {
    case 0xe0: low = 0xa0; break;
    case 0xed: high = 0x9f; break;
    case 0xf0: low = 0x90; break;
    case 0xf4: high = 0x8f; break;
    }
    if (p[1] < low || p[1] > high || len < 3 || !is_continuation(p[2]))
        return 0;
    if (p[0] < 0xf0)
        return 3;
    return p[0] <= 0xf4 && len >= 4 && is_continuation(p[3]) ? 4 : 0;
}

/* The number of bytes at the start of p that are ASCII (and not NUL), checked
 * eight at a time; the caller checks the rest. */
static size_t plain_run(const unsigned char *p, size_t len, bool nul_allowed)
{
    size_t at = 0;

    for (; len - at >= 8; at += 8) {
        uint64_t word;
        memcpy(&word, p + at, sizeof(word));
        /* Subtracting one borrows into a byte's high bit only where the byte
         * was 0: exact, since no high bit is set when it decides. */
        const uint64_t stop = nul_allowed ? word : word | (word - ONES);
        if (stop & HIGH_BITS)
            break;
    }
    return at;
}

static inline bool utf8_is_valid(const unsigned char *p, size_t len,
                                 bool nul_allowed)
{
    size_t at = plain_run(p, len, nul_allowed);

    while (at < len) {
        if (p[at] < 0x80) {
            if (p[at] == 0 && !nul_allowed)
                return false;
            at++;
            continue;
        }
        const size_t n = utf8_sequence(p + at, len - at);
        if (n == 0)
            return false;
        at += n;
        /* Return to eight bytes at a time only when a run of ASCII begins
         * again. */
        if (at < len && p[at] < 0x80)
            at += plain_run(p + at, len - at, nul_allowed);
    }
    return true;
}

bool utf8_valid(const void *data, size_t len)
{
    return utf8_is_valid(data, len, true);
}

bool utf8_valid_without_nul(const void *data, size_t len)
{
    return utf8_is_valid(data, len, false);
}

bool utf8_disallowed(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) ||
           (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe;
}

/* Compares bytes without decoding: U+0080-009F are C2 80 … C2 9F, the
 * non-characters are EF B7 90 … EF B7 AF, EF BF BE, EF BF BF, and above the
 * first plane the characters that end in [89AB]F BF BE or BF. */
bool utf8_has_disallowed(const void *data, size_t len)
{
    const unsigned char *p = data;

    for (size_t i = 0; i < len; i++) {
        if (p[i] >= 0x20 && p[i] < 0x7f)
            continue;
        if (p[i] < 0x20 || p[i] == 0x7f)
            return true;
        if (p[i] == 0xc2 && i + 1 < len && p[i + 1] < 0xa0)
            return true;
        if (p[i] == 0xef && i + 2 < len &&
            ((p[i + 1] == 0xb7 && p[i + 2] >= 0x90 && p[i + 2] <= 0xaf) ||
             (p[i + 1] == 0xbf && p[i + 2] >= 0xbe)))
            return true;
        if (p[i] >= 0xf0 && i + 3 < len && (p[i + 1] & 0x0f) == 0x0f &&
            p[i + 2] == 0xbf && p[i + 3] >= 0xbe)
            return true;
    }
    return false;
}

static uint32_t decode(const unsigned char *p, size_t n)
{
    uint32_t c = n == 1 ? p[0] : p[0] & (0x7fU >> n);

    for (size_t i = 1; i < n; i++)
        c = c << 6 | (p[i] & 0x3f);
    return c;
}

static bool is_invisible(uint32_t c)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        {0x00ad, 0x00ad},   {0x034f, 0x034f},   {0x061c, 0x061c},
        {0x115f, 0x1160},   {0x17b4, 0x17b5},   {0x180b, 0x180f},
        {0x200b, 0x200f},   {0x2028, 0x202e},   {0x2060, 0x206f},
        {0x3164, 0x3164},   {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},
        {0xffa0, 0xffa0},   {0xfff0, 0xfffb},   {0x1bca0, 0x1bca3},
        {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
    };

    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    return false;
}

bool utf8_has_invisible(const void *data, size_t len)
{
    const unsigned char *p = data;

    for (size_t at = 0; at < len;) {
        const size_t n = utf8_sequence(p + at, len - at);
        if (n == 0)
            return false;
        if (n > 1 && is_invisible(decode(p + at, n)))
            return true;
        at += n;
    }
    return false;
}
