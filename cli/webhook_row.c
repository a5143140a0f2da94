#include "cli/webhook_row.h"

#include <string.h>

#include "base/flat_json.h"
#include "base/iso_time.h"
#include "base/json_write.h"
#include "store/directory.h"
#include "store/read/catchup.h"

#define LOOKS 4096

/* ---- how far behind -------------------------------------------------------- */

/* Of a thing that the position names: its messages up to the position. */
static enum store_err count_of_thing(struct store_reader *r,
                                     const struct webhook_behind *b,
                                     uint64_t through, uint64_t *count)
{
    struct history h = {.topic = b->topic, .ascending = true, .after = b->id};
    struct record record;
    enum store_err err;

    while (*count < WEBHOOK_BEHIND_SHOWN &&
           (err = store_history_next(r, &h, &record)) == STORE_OK) {
        if (record.m.id > through)
            return STORE_OK;
        ++*count;
        h.after = record.m.id;
    }
    return STORE_OK;
}

static enum store_err count_after(struct store_reader *r,
                                  const struct webhook_row *row,
                                  uint64_t *count)
{
    struct buffer filter = BUFFER_INIT;
    struct record record;
    enum catchup_step step = CATCHUP_MORE;

    buffer_put_slice(&filter, row->tenant);
    buffer_put_str(&filter, "/#");
    const struct slice one = buffer_slice(&filter);
    struct catchup *c = catchup_new(&one, 1, row->id, false);
    while (c != NULL && *count < WEBHOOK_BEHIND_SHOWN &&
           (step == CATCHUP_MORE || step == CATCHUP_RECORD)) {
        step = catchup_next(c, r, store_head(r), LOOKS, &record);
        *count += step == CATCHUP_RECORD;
    }
    catchup_free(c);
    buffer_release(&filter);
    return c == NULL                ? STORE_NOMEM
           : step == CATCHUP_FAILED ? STORE_IO
                                    : STORE_OK;
}

static enum store_err count_behind(struct store_reader *r,
                                   const struct webhook_row *row,
                                   uint64_t *ret_count)
{
    enum store_err err = STORE_OK;

    *ret_count = 0;
    for (size_t i = 0; err == STORE_OK && i < row->behind_count; i++)
        err = count_of_thing(r, &row->behind[i], row->id, ret_count);
    return err == STORE_OK ? count_after(r, row, ret_count) : err;
}

/* ---- a webhook ------------------------------------------------------------- */

struct shown {
    const struct webhook_row *row;
    struct slice url; /* its query left out, which may be a secret */
    bool has_query;
    const char *state;
    uint64_t behind;
};

static const char *state_of(struct store_reader *r, struct slice tenant,
                            const struct tenant_settings *set)
{
    struct token_row row;

    if (store_token(r, tenant, &row) != STORE_OK)
        return "deleted"; /* its rows go in steps */
    if (row.revoked_us != 0)
        return "revoked";
    if (row.suspended_us != 0)
        return "suspended";
    return tenant_setting(set, "webhook.secret").len == 0 ? "no secret" : "on";
}

static enum store_err look(struct store_reader *r,
                           const struct webhook_row *row,
                           struct tenant_settings *set, struct shown *x)
{
    const enum store_err err = store_tenant_settings(r, row->tenant, set);

    if (err != STORE_OK && err != STORE_NOTFOUND)
        return err;
    *x = (struct shown){.row = row,
                        .url = tenant_setting(set, "webhook.url"),
                        .state = state_of(r, row->tenant, set)};
    const char *query =
        x->url.len > 0 ? memchr(x->url.data, '?', x->url.len) : NULL;
    if (query != NULL) {
        x->url.len = (size_t)(query - (const char *)x->url.data);
        x->has_query = true;
    }
    return count_behind(r, row, &x->behind);
}

/* Text of a receiver's or of a client's, as one field of a line. */
static void put_text(struct buffer *line, struct slice text)
{
    struct buffer json = BUFFER_INIT;

    buffer_put_json_string(&json, text);
    flat_json_show(line, buffer_slice(&json));
    buffer_release(&json);
}

static void put_time(struct buffer *line, int64_t at_us)
{
    if (at_us == 0)
        buffer_put_char(line, '-');
    else
        buffer_put_time(line, at_us, 3);
}

static void put_status(struct buffer *line, uint32_t status)
{
    if (status == 0)
        buffer_put_char(line, '-');
    else
        buffer_put_u64(line, status);
}

static void put_line(struct buffer *line, const struct shown *x)
{
    buffer_put_slice(line, x->row->tenant);
    buffer_printf(line, "\t%s\t", x->state);
    buffer_put_slice(line, x->url);
    buffer_put_str(line, x->has_query ? "?..." : "");
    buffer_put_char(line, '\t');
    buffer_put_u64(line, x->row->id);
    buffer_put_char(line, '\t');
    buffer_put_u64(line, x->behind);
    buffer_put_str(line, x->behind < WEBHOOK_BEHIND_SHOWN ? "\t" : "+\t");
    put_time(line, x->row->tried_us);
    buffer_put_char(line, '\t');
    put_status(line, x->row->status);
    buffer_put_char(line, '\t');
    buffer_put_u64(line, x->row->dead);
    buffer_put_char(line, '\t');
    buffer_put_u64(line, x->row->forgotten);
    buffer_put_char(line, '\t');
    put_text(line, x->row->text);
    buffer_put_char(line, '\n');
}

static void write_time(struct json_writer *w, int64_t at_us)
{
    if (at_us == 0)
        json_null(w);
    else
        json_time(w, at_us);
}

static void write_status(struct json_writer *w, uint32_t status)
{
    if (status == 0)
        json_null(w);
    else
        json_u64(w, status);
}

static void write_row(struct buffer *line, const struct shown *x)
{
    struct json_writer w = json_writer_of(line);
    struct buffer url = BUFFER_INIT;

    buffer_put_slice(&url, x->url);
    buffer_put_str(&url, x->has_query ? "?..." : "");
    json_object(&w);
    json_member_string(&w, "tenant", x->row->tenant);
    json_member_text(&w, "state", x->state);
    json_member_string(&w, "url", buffer_slice(&url));
    json_member_u64(&w, "position", x->row->id);
    json_member_u64(&w, "behind", x->behind);
    json_name(&w, "tried");
    write_time(&w, x->row->tried_us);
    json_name(&w, "status");
    write_status(&w, x->row->status);
    json_member_u64(&w, "dead", x->row->dead);
    json_member_u64(&w, "forgotten", x->row->forgotten);
    json_member_string(&w, "error", x->row->text);
    json_object_end(&w);
    buffer_put_char(line, '\n');
    buffer_release(&url);
}

enum store_err webhook_put_row(struct buffer *line, struct store_reader *r,
                               const struct webhook_row *row, bool as_json)
{
    struct tenant_settings set = {.count = 0};
    struct shown x;

    const enum store_err err = look(r, row, &set, &x);
    if (err != STORE_OK)
        return err;
    if (as_json)
        write_row(line, &x);
    else
        put_line(line, &x);
    return STORE_OK;
}

/* ---- a dead message -------------------------------------------------------- */

static struct slice thing_of(struct slice tenant, struct slice topic)
{
    const size_t skip = tenant.len + 1;

    return topic.len <= skip
               ? topic
               : slice_of((const char *)topic.data + skip, topic.len - skip);
}

static void write_dead(struct buffer *line, struct slice tenant,
                       const struct webhook_dead_row *d)
{
    struct json_writer w = json_writer_of(line);

    json_object(&w);
    json_member_string(&w, "tenant", tenant);
    json_member_u64(&w, "id", d->id);
    json_member_string(&w, "thing", thing_of(tenant, d->topic));
    json_member_time(&w, "at", d->at_us);
    json_member_u64(&w, "attempts", d->attempts);
    json_name(&w, "status");
    write_status(&w, d->status);
    json_member_bool(&w, "retry", d->again);
    json_member_string(&w, "error", d->text);
    json_object_end(&w);
    buffer_put_char(line, '\n');
}

void webhook_put_dead(struct buffer *line, struct slice tenant,
                      const struct webhook_dead_row *d, bool as_json)
{
    if (as_json) {
        write_dead(line, tenant, d);
        return;
    }
    buffer_put_slice(line, tenant);
    buffer_put_char(line, '\t');
    buffer_put_u64(line, d->id);
    buffer_put_char(line, '\t');
    put_text(line, thing_of(tenant, d->topic));
    buffer_put_char(line, '\t');
    put_time(line, d->at_us);
    buffer_printf(line, "\t%u\t", d->attempts);
    put_status(line, d->status);
    buffer_put_str(line, d->again ? "\tretry\t" : "\tdead\t");
    put_text(line, d->text);
    buffer_put_char(line, '\n');
}
