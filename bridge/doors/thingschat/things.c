/* GET /{token}/things */
#include <stdlib.h>
#include <string.h>

#include "base/callers.h"
#include "base/json_write.h"
#include "bridge/doors/thingschat/paged.h"
#include "bridge/doors/thingschat/reading.h"
#include "bridge/doors/thingschat/thingschat.h"
#include "bridge/http/reads.h"

#define PAGE_ROWS 512

struct thing_list {
    struct array_pages pages;
    const struct caller *caller;
    bool detail;
    size_t prefix_len;
    size_t after_len; /* 0: from the start */
    char prefix[TOKEN_MAX + 1];
    char after[65536];
};

static void put_thing(struct thing_list *l, const struct thing_row *row,
                      struct slice thing)
{
    struct json_writer *w = &l->pages.array;

    if (!l->detail) {
        json_string(w, thing);
        return;
    }
    json_object(w);
    json_member_string(w, "thing", thing);
    json_member_u64(w, "count", row->count);
    json_member_u64(w, "lastId", row->last_id);
    json_member_u64(w, "lastSeq", row->last_seq);
    json_member_time(w, "lastAt", row->last_at_us);
    json_member_u64(w, "bytes", row->bytes);
    json_object_end(w);
}

/* What only MQTT can name (open mode) has no place here, and what the caller has
 * no right to read does not show. */
static bool is_listed(const struct thing_list *l, struct slice topic,
                      struct slice *ret_thing)
{
    struct slice token;

    return topic_split(topic, &token, ret_thing) &&
           caller_may(l->caller, CALLER_SUBSCRIBE, topic);
}

static enum store_err put_page(void *arg, struct store_reader *r)
{
    struct thing_list *l = arg;
    const struct slice prefix = slice_of(l->prefix, l->prefix_len);
    struct thing_row row;
    struct slice thing;
    enum store_err err = STORE_OK;

    for (int i = 0; i < PAGE_ROWS && err == STORE_OK; i++) {
        err = store_thing_next(r, prefix, slice_of(l->after, l->after_len),
                               &row);
        if (err != STORE_OK)
            break;
        memcpy(l->after, row.topic.data, row.topic.len);
        l->after_len = row.topic.len;
        if (is_listed(l, row.topic, &thing))
            put_thing(l, &row, thing);
    }
    return err;
}

static enum pages_next fill_things(void *arg, struct buffer *out)
{
    struct thing_list *l = arg;

    return array_pages_fill(&l->pages, out, put_page, l);
}

static void release(void *arg)
{
    struct thing_list *l = arg;

    caller_unref(l->caller);
    free(l);
}

enum http_next chat_things(struct call *c)
{
    struct reading g;
    bool detail = false;

    if (!reading_begin(c, &g, false))
        return HTTP_ANSWERED;
    const bool granted =
        query_flag(c, "detail", &detail) >= 0 && reading_charge(c, &g, 1);
    reading_end(&g);
    if (!granted)
        return HTTP_ANSWERED;
    struct thing_list *l = calloc(1, sizeof(*l));
    if (l != NULL)
        l->caller = caller_share(c->front->callers, &c->caller);
    if (l == NULL || l->caller == NULL) {
        free(l);
        return answer_error(c, 500, "out of memory");
    }
    l->pages.store = c->front->store;
    l->detail = detail;
    memcpy(l->prefix, c->arguments[0].data, c->arguments[0].len);
    l->prefix[c->arguments[0].len] = '/';
    l->prefix_len = c->arguments[0].len + 1;
    http_add_header(c->q, "Cache-Control", "no-store");
    return answer_pages(c, "application/json",
                        (struct pages){fill_things, release, l});
}
