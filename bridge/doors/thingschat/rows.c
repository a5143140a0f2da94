#include "bridge/doors/thingschat/rows.h"

#include <stdlib.h>

#include "base/iso_time.h"
#include "bridge/doors/thingschat/csv.h"
#include "bridge/doors/thingschat/msgpack_json.h"
#include "store/message_json.h"

#define PAGE_RECORDS 256
#define PAGE_BYTES (64U * 1024)

static struct slice thing_of(const struct rows *r)
{
    return slice_of(r->topic + r->token_len + 1,
                    r->topic_len - r->token_len - 1);
}

/* White space before a value has no meaning in JSON, but a leading tab has one in a
 * spreadsheet. */
static struct slice without_leading_space(struct slice json)
{
    const char *p = json.data;
    size_t n = 0;

    while (n < json.len && strchr(" \t\r\n", p[n]) != NULL && p[n] != '\0')
        n++;
    return slice_of(p + n, json.len - n);
}

static void put_csv_row(const struct rows *r, struct buffer *out,
                        const struct message *m, struct buffer *scratch)
{
    payload_put_json(scratch, m->payload, (enum payload_class)m->payload_class,
                     PAYLOAD_AS_SENT);
    buffer_put_u64(out, m->id);
    buffer_put_char(out, ',');
    csv_put_field(out, thing_of(r));
    buffer_put_char(out, ',');
    buffer_put_time(out, m->at_us, 3);
    buffer_put_char(out, ',');
    csv_put_field(out, without_leading_space(buffer_slice(scratch)));
    buffer_put_str(out, "\r\n");
}

static void put_row(struct rows *r, struct buffer *out,
                    const struct message *m, struct buffer *scratch)
{
    struct json_writer w;

    buffer_clear(scratch);
    switch (r->format) {
    case ROWS_CSV: put_csv_row(r, out, m, scratch); break;
    case ROWS_NDJSON:
        w = json_writer_of(out);
        message_put_history(&w, m, thing_of(r), PAYLOAD_ONE_LINE);
        buffer_put_char(out, '\n');
        break;
    case ROWS_JSON:
        r->array.out = out;
        message_put_history(&r->array, m, thing_of(r), PAYLOAD_AS_SENT);
        break;
    case ROWS_MSGPACK:
        w = json_writer_of(scratch);
        message_put_history(&w, m, thing_of(r), PAYLOAD_AS_SENT);
        if (buffer_ok(scratch))
            json_to_msgpack(buffer_slice(scratch), out);
        break;
    }
    if (!buffer_ok(scratch))
        out->failed = true;
}

/* Counts the rows to send, and fixes the range to them: messages stored later would
 * otherwise push the last rows out of the count. */
static enum store_err count_rows(struct rows *r, struct store_reader *reader)
{
    struct history walk = r->history;
    struct record record;
    uint64_t count = 0;
    enum store_err err = store_reader_begin(reader);

    if (err != STORE_OK)
        return err;
    while (count < r->left) {
        err = store_history_next(reader, &walk, &record);
        if (err != STORE_OK)
            break;
        if (count == 0 || r->history.ascending)
            r->history.before = record.m.id + 1;
        count++;
    }
    store_reader_end(reader);
    r->left = count;
    return err == STORE_NOTFOUND ? STORE_OK : err;
}

static enum store_err put_start(struct rows *r, struct store_reader *reader,
                                struct buffer *out)
{
    enum store_err err = STORE_OK;

    switch (r->format) {
    case ROWS_JSON:
        r->array = json_writer_of(out);
        json_array(&r->array);
        break;
    case ROWS_CSV: buffer_put_str(out, "id,thing,createdAt,chat\r\n"); break;
    case ROWS_MSGPACK:
        err = count_rows(r, reader);
        put_msgpack_array(out, (uint32_t)r->left);
        break;
    case ROWS_NDJSON: break;
    }
    r->begun = true;
    return err;
}

static void put_end(struct rows *r, struct buffer *out)
{
    if (r->format == ROWS_JSON) {
        r->array.out = out;
        json_array_end(&r->array);
    }
    for (; r->format == ROWS_MSGPACK && r->left > 0; r->left--)
        put_msgpack_nil(out);
}

static enum store_err put_page(struct rows *r, struct store_reader *reader,
                               struct buffer *out)
{
    struct buffer scratch = BUFFER_INIT;
    struct record record;
    enum store_err err = store_reader_begin(reader);
    const size_t from = out->len;

    if (err != STORE_OK)
        return err;
    for (int i = 0; i < PAGE_RECORDS && out->len - from < PAGE_BYTES; i++) {
        err = r->left == 0 ? STORE_NOTFOUND
                           : store_history_next(reader, &r->history, &record);
        if (err != STORE_OK)
            break;
        put_row(r, out, &record.m, &scratch);
        r->left--;
    }
    store_reader_end(reader);
    buffer_release(&scratch);
    return err;
}

static enum pages_next fill_rows(void *arg, struct buffer *out)
{
    struct rows *r = arg;
    struct store_reader *reader = store_reader_acquire(r->store);
    enum store_err err = STORE_OK;

    if (reader == NULL)
        return PAGES_FAILED;
    if (!r->begun)
        err = put_start(r, reader, out);
    if (err == STORE_OK)
        err = put_page(r, reader, out);
    store_reader_release(reader);
    if (err == STORE_OK)
        return PAGES_MORE;
    if (err != STORE_NOTFOUND)
        return PAGES_FAILED;
    put_end(r, out);
    return PAGES_END;
}

struct rows *rows_new(void)
{
    return calloc(1, sizeof(struct rows));
}

struct pages rows_pages(struct rows *r)
{
    r->history.topic = slice_of(r->topic, r->topic_len);
    return (struct pages){fill_rows, free, r};
}
