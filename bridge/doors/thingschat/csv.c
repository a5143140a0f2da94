#include "bridge/doors/thingschat/csv.h"

/* Numbers as in RFC 8259 §6: no formula looks like that, and -3.5 must stay one. */
static bool is_number(struct slice text)
{
    const char *p = text.data, *end = p + text.len;
    size_t digits = 0;

    if (p < end && *p == '-')
        p++;
    for (; p < end && *p >= '0' && *p <= '9'; p++)
        digits++;
    if (p < end && *p == '.')
        for (p++; p < end && *p >= '0' && *p <= '9'; p++)
            digits++;
    if (digits == 0)
        return false;
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        if (p == end)
            return false;
        while (p < end && *p >= '0' && *p <= '9')
            p++;
    }
    return p == end;
}

static bool begins_with(struct slice text, const char *bytes)
{
    const size_t len = strlen(bytes);

    return text.len >= len && memcmp(text.data, bytes, len) == 0;
}

static bool would_run(struct slice text)
{
    /* ＝ ＋ － ＠ (U+FF1D, U+FF0B, U+FF0D, U+FF20): East Asian spreadsheets
     * treat them like the narrow characters. */
    static const char *const starts[] = {"=",
                                         "+",
                                         "-",
                                         "@",
                                         "\t",
                                         "\r",
                                         "\n",
                                         "'",
                                         "\xef\xbc\x9d",
                                         "\xef\xbc\x8b",
                                         "\xef\xbc\x8d",
                                         "\xef\xbc\xa0"};

    /* some spreadsheets trim blanks first */
    while (text.len > 0 && *(const char *)text.data == ' ')
        text = slice_of((const char *)text.data + 1, text.len - 1);
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
        if (begins_with(text, starts[i]))
            return !is_number(text);
    return false;
}

void csv_put_field(struct buffer *b, struct slice text)
{
    const char *p = text.data, *end = p + text.len;

    buffer_put_char(b, '"');
    if (would_run(text))
        buffer_put_char(b, '\'');
    while (p < end) {
        const char *quote = memchr(p, '"', (size_t)(end - p));
        if (quote == NULL)
            break;
        buffer_put(b, p, (size_t)(quote + 1 - p));
        buffer_put_char(b, '"');
        p = quote + 1;
    }
    if (p < end)
        buffer_put(b, p, (size_t)(end - p));
    buffer_put_char(b, '"');
}
