#include "benchmarks/load/history_body.h"

#include <string.h>

#include "benchmarks/measure/fatal.h"

static void refuse(const char *what, const char *row, size_t len)
{
    fatal("history: %s: %.*s", what, (int)(len < 200 ? len : 200), row);
}

/* 0: the row begins with something else. */
static uint64_t id_of(const char *row, size_t len)
{
    static const char start[] = "{\"id\":";
    const size_t start_len = sizeof(start) - 1;
    uint64_t id = 0;

    if (len < start_len || memcmp(row, start, start_len) != 0)
        return 0;
    for (size_t i = start_len; i < len && row[i] >= '0' && row[i] <= '9'; i++)
        id = id * 10 + (uint64_t)(row[i] - '0');
    return id;
}

/* Returns the row's length. */
static size_t check_row(const struct payload_format *f, const char *row,
                        size_t len, uint32_t number, size_t *payload_at)
{
    const char *text = payload_find(f, row, len, payload_at);
    struct payload p;

    if (text == NULL || !payload_read(f, text, &p))
        refuse("no payload", row, len);
    if (p.source != 0 || p.number != number || p.sent_ns != 0)
        refuse("another message should stand here", row, len);
    const char *behind = text + f->size;
    const char *end = memchr(behind, '}', (size_t)(row + len - behind));

    if (end == NULL)
        refuse("a row without end", row, len);
    return (size_t)(end + 1 - row);
}

void history_body_check(const struct payload_format *f, const char *body,
                        size_t len, uint32_t newest, unsigned count,
                        size_t *payload_at)
{
    uint64_t last_id = UINT64_MAX;
    size_t at = 0;

    for (unsigned i = 0; i < count; i++) {
        if (at + 1 >= len || body[at] != (i == 0 ? '[' : ','))
            refuse("too few rows", body, len);
        at++;
        const uint64_t id = id_of(body + at, len - at);

        if (id == 0 || id >= last_id)
            refuse("ids must decrease", body + at, len - at);
        last_id = id;
        at += check_row(f, body + at, len - at, newest - i, payload_at);
    }
    if (at + 1 != len || body[at] != ']')
        refuse("something behind the last row", body + at, len - at);
}
