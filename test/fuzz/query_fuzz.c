/* What stands in a URL or comes compressed: queries, times, Accept headers, gzip,
 * and the way of any text into CSV and back. */
#include <stdlib.h>

#include "bridge/doors/thingschat/csv.h"
#include "bridge/doors/thingschat/time_text.h"
#include "bridge/http/accept.h"
#include "bridge/http/gzip.h"
#include "bridge/http/query.h"
#include "test/fuzz/fuzz.h"

#define KNOWN "limit since until things last_event_id|lastEventId"
#define INFLATED_MAX 5000

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void try_query(struct slice in)
{
    static const char *const known[] = {KNOWN, "", NULL};
    struct buffer out = BUFFER_INIT;

    for (size_t i = 0; i < 3; i++) {
        const bool ok = query_check(in, known[i], &out);
        must(buffer_ok(&out) && ok == (out.len == 0));
        must(out.len < 300);
        must(known[i] != NULL || ok);
        buffer_clear(&out);
    }
    buffer_release(&out);
}

static void try_time(struct slice in)
{
    char text[64];
    int64_t us = 0;

    if (in.len >= sizeof(text))
        return;
    if (in.len > 0)
        memcpy(text, in.data, in.len);
    text[in.len] = '\0';
    /* the years 1969 (week 1 of 1970, zones) to 10000, or 15 digits of ms */
    if (time_parse(text, &us) == TIME_OK)
        must(us > INT64_C(-432000000000) && us < INT64_C(1000000000000000000));
}

/* As a reader of RFC 4180 has it, then without the ' of ours. */
static void try_csv(struct slice in)
{
    struct buffer field = BUFFER_INIT, read = BUFFER_INIT;

    csv_put_field(&field, in);
    must(field.len >= 2 && field.data[0] == '"' &&
         field.data[field.len - 1] == '"');
    for (size_t i = 1; i + 1 < field.len; i++) {
        if (field.data[i] == '"')
            must(field.data[++i] == '"' && i + 1 < field.len);
        buffer_put_char(&read, field.data[i]);
    }
    struct slice cell = buffer_slice(&read);
    if (cell.len > 0)
        must(memchr("=+@\t\r\n", *(const char *)cell.data, 6) == NULL);
    if (cell.len > 0 && *(const char *)cell.data == '\'')
        cell = slice_of((const char *)cell.data + 1, cell.len - 1);
    must(slice_eq(cell, in));
    buffer_release(&field);
    buffer_release(&read);
}

static void try_gzip(struct slice in)
{
    struct buffer out = BUFFER_INIT;

    gunzip(in, INFLATED_MAX, &out);
    must(out.len <= INFLATED_MAX);
    buffer_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = {"application/json", "text/csv"};
    const struct slice in = slice_of(data, size);

    try_query(in);
    try_time(in);
    try_csv(in);
    try_gzip(in);
    must(accept_best(in, types, 2) < 2);
    accept_allows(in, "text/event-stream");
    return 0;
}
