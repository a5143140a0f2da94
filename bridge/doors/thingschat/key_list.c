/* GET /{tenant}/keys */
#include <stdlib.h>
#include <string.h>

#include "bridge/doors/access.h"
#include "bridge/doors/thingschat/keys.h"
#include "bridge/doors/thingschat/paged.h"
#include "bridge/doors/thingschat/thingschat.h"

#define PAGE_ROWS 128

struct key_list {
    struct array_pages pages;
    size_t tenant_len, after_len;
    char tenant[TOKEN_MAX];
    unsigned char after[SECRET_HASH_BYTES];
};

/* false: out of memory, or the row is damaged. */
static bool put_key(struct key_list *l, const struct key_row *row)
{
    struct rights_draft draft;
    bool ok = true;

    rights_draft_clear(&draft);
    for (size_t i = 0; i < row->right_count && ok; i++)
        ok = rights_add_text(&draft, row->rights[i]) == RIGHT_OK;
    if (ok && row->right_count == 0)
        ok = rights_add(&draft, CALLER_PUBLISH, slice_str("#")) == RIGHT_OK &&
             rights_add(&draft, CALLER_SUBSCRIBE, slice_str("#")) == RIGHT_OK;
    struct rights *rights = ok ? rights_new(&draft) : NULL;
    if (rights == NULL)
        return false;
    json_object(&l->pages.array);
    key_put_members(&l->pages.array, row, rights->list, rights->count);
    json_object_end(&l->pages.array);
    free(rights);
    return true;
}

static enum store_err put_page(void *arg, struct store_reader *r)
{
    struct key_list *l = arg;
    struct key_row row;
    enum store_err err = STORE_OK;

    for (int i = 0; i < PAGE_ROWS && err == STORE_OK; i++) {
        err = store_key_next(r, slice_of(l->tenant, l->tenant_len),
                             slice_of(l->after, l->after_len), &row);
        if (err != STORE_OK)
            break;
        memcpy(l->after, row.hash.data, SECRET_HASH_BYTES);
        l->after_len = SECRET_HASH_BYTES;
        /* Tickets are many, and gone in a minute. */
        if (row.kind != SECRET_TICKET && !put_key(l, &row))
            err = STORE_CORRUPT;
    }
    return err;
}

static enum pages_next fill_keys(void *arg, struct buffer *out)
{
    struct key_list *l = arg;

    return array_pages_fill(&l->pages, out, put_page, l);
}

enum http_next keys_list(struct call *c)
{
    if (!keys_caller_granted(c))
        return HTTP_ANSWERED;
    struct key_list *l = calloc(1, sizeof(*l));
    if (l == NULL)
        return answer_error(c, 500, "out of memory");
    l->pages.store = c->front->store;
    l->tenant_len = c->caller.tenant.len;
    memcpy(l->tenant, c->caller.tenant.data, l->tenant_len);
    http_add_header(c->q, "Cache-Control", "no-store");
    return answer_pages(c, "application/json",
                        (struct pages){fill_keys, free, l});
}
