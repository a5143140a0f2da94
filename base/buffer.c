#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/utf8.h"

#define FIRST_CAPACITY 256
#define SECOND_TEXT 20 /* characters up to the fraction of a second */

void buffer_release(struct buffer *b)
{
    free(b->data);
    *b = (struct buffer){.limit = b->limit};
}

void buffer_clear(struct buffer *b)
{
    b->len = 0;
    b->failed = false;
}

bool buffer_reserve(struct buffer *b, size_t more)
{
    if (b->failed)
        return false;
    if (more <= b->cap - b->len)
        return true;
    if (more > SIZE_MAX / 4 - b->len ||
        (b->limit != 0 && b->len + more > b->limit)) {
        b->failed = true;
        return false;
    }
    size_t cap = b->cap == 0 ? FIRST_CAPACITY : b->cap;
    while (cap < b->len + more)
        cap *= 2;
    if (b->limit != 0 && cap > b->limit)
        cap = b->limit;
    char *data = realloc(b->data, cap);
    if (data == NULL) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->cap = cap;
    return true;
}

void buffer_put_slice(struct buffer *b, struct slice s)
{
    buffer_put(b, s.data, s.len);
}

void buffer_put_str(struct buffer *b, const char *s)
{
    buffer_put(b, s, strlen(s));
}

void buffer_put_char(struct buffer *b, char c)
{
    buffer_put(b, &c, 1);
}

void buffer_put_u64(struct buffer *b, uint64_t v)
{
    char digits[20]; /* 2^64 has 20 */
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v != 0);
    buffer_put(b, digits + at, sizeof(digits) - at);
}

void buffer_put_i64(struct buffer *b, int64_t v)
{
    if (v < 0)
        buffer_put_char(b, '-');
    buffer_put_u64(b, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void buffer_printf(struct buffer *b, const char *fmt, ...)
{
    va_list args, again;

    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0) {
        b->failed = true;
    } else if (buffer_reserve(b, (size_t)n + 1)) {
        vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

static void put_json_escape(struct buffer *b, unsigned c)
{
    static const char hex[] = "0123456789abcdef";
    char text[6] = {'\\', 'u', 0, 0, 0, 0};

    switch (c) {
    case '"': buffer_put(b, "\\\"", 2); return;
    case '\\': buffer_put(b, "\\\\", 2); return;
    case '\b': buffer_put(b, "\\b", 2); return;
    case '\f': buffer_put(b, "\\f", 2); return;
    case '\n': buffer_put(b, "\\n", 2); return;
    case '\r': buffer_put(b, "\\r", 2); return;
    case '\t': buffer_put(b, "\\t", 2); return;
    default: break;
    }
    for (int i = 0; i < 4; i++)
        text[2 + i] = hex[(c >> (12 - 4 * i)) & 15];
    buffer_put(b, text, sizeof(text));
}

void buffer_put_json_string(struct buffer *b, struct slice s)
{
    const unsigned char *p = s.data;
    size_t from = 0; /* start of the run that passes as it is */
    size_t at = 0;

    buffer_put_char(b, '"');
    while (at < s.len) {
        const unsigned char c = p[at];
        if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
            at++;
            continue;
        }
        size_t n = c < 0x80 ? 1 : utf8_sequence(p + at, s.len - at);
        /* U+2028 and U+2029 end lines in JavaScript source. */
        const bool separator = n == 3 && c == 0xe2 && p[at + 1] == 0x80 &&
                               (p[at + 2] == 0xa8 || p[at + 2] == 0xa9);
        if (n > 1 && !separator) {
            at += n;
            continue;
        }
        buffer_put(b, p + from, at - from);
        if (n == 0) {
            buffer_put(b, "\xef\xbf\xbd", 3); /* U+FFFD */
            n = 1;
        } else {
            put_json_escape(b, separator ? 0x2000U + (p[at + 2] & 0x3fU) : c);
        }
        at += n;
        from = at;
    }
    if (at > from)
        buffer_put(b, p + from, at - from);
    buffer_put_char(b, '"');
}

void buffer_put_base64(struct buffer *b, struct slice s)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = s.data;

    if (!buffer_reserve(b, s.len / 3 * 4 + 4))
        return;
    for (size_t at = 0; at < s.len; at += 3) {
        const size_t n = s.len - at < 3 ? s.len - at : 3;
        const unsigned bits = (unsigned)p[at] << 16 |
                              (n > 1 ? (unsigned)p[at + 1] << 8 : 0) |
                              (n > 2 ? (unsigned)p[at + 2] : 0);
        const char four[4] = {digits[bits >> 18], digits[(bits >> 12) & 63],
                              n > 1 ? digits[(bits >> 6) & 63] : '=',
                              n > 2 ? digits[bits & 63] : '='};
        buffer_put(b, four, 4);
    }
}

/* Days since 1970-01-01 to a date of the Gregorian calendar, by the usual
 * arithmetic on eras of 400 years: gmtime_r costs ten times as much, and this
 * runs for many a message sent. */
static void civil_from_days(int64_t days, int64_t *ret_year,
                            unsigned *ret_month, unsigned *ret_day)
{
    days += 719468; /* 0000-03-01 */
    const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    const unsigned doe = (unsigned)(days - era * 146097);
    const unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    const unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    const unsigned mp = (5 * doy + 2) / 153;

    *ret_day = doy - (153 * mp + 2) / 5 + 1;
    *ret_month = mp < 10 ? mp + 3 : mp - 9;
    *ret_year = (int64_t)yoe + era * 400 + (*ret_month <= 2 ? 1 : 0);
}

static void put_two(char *out, unsigned v)
{
    out[0] = (char)('0' + v / 10 % 10);
    out[1] = (char)('0' + v % 10);
}

/* `2026-11-21T06:32:17.` of that second since 1970. */
static void write_second(int64_t second, char to[SECOND_TEXT])
{
    static const char form[] = "0000-00-00T00:00:00.";
    const int64_t day_s = 86400;
    int64_t days = second / day_s, rest = second % day_s, year;
    unsigned month, day;

    if (rest < 0) {
        rest += day_s;
        days--;
    }
    civil_from_days(days, &year, &month, &day);
    const unsigned seconds = (unsigned)rest;
    memcpy(to, form, SECOND_TEXT);
    put_two(to, (unsigned)(year / 100 % 100));
    put_two(to + 2, (unsigned)(year % 100));
    put_two(to + 5, month);
    put_two(to + 8, day);
    put_two(to + 11, seconds / 3600);
    put_two(to + 14, seconds / 60 % 60);
    put_two(to + 17, seconds % 60);
}

void buffer_put_time(struct buffer *b, int64_t at_us, int digits)
{
    /* Neighbours in a history often are of one second. */
    static _Thread_local struct {
        int64_t second;
        char text[SECOND_TEXT];
    } last;
    const int places = digits > 6 ? 6 : digits;
    int64_t second = at_us / 1000000, fraction = at_us % 1000000;
    char text[SECOND_TEXT + 7];

    if (fraction < 0) {
        fraction += 1000000;
        second--;
    }
    if (second != last.second || last.text[0] == '\0') {
        write_second(second, last.text);
        last.second = second;
    }
    memcpy(text, last.text, SECOND_TEXT);
    for (int i = places; i < 6; i++)
        fraction /= 10;
    for (int i = SECOND_TEXT + places - 1; i >= SECOND_TEXT; i--) {
        text[i] = (char)('0' + fraction % 10);
        fraction /= 10;
    }
    text[SECOND_TEXT + places] = 'Z';
    buffer_put(b, text, (size_t)(SECOND_TEXT + places + 1));
}

char *buffer_take(struct buffer *b, size_t *ret_len)
{
    char *data = b->data;

    *ret_len = b->len;
    b->data = NULL;
    b->len = b->cap = 0;
    return data;
}
