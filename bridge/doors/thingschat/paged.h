/* Answers of any length in little memory: short ones as one body with its length, long
 * ones as a stream that reads the store page by page and holds no snapshot while it
 * waits for the client. */
#ifndef CONFAB_BRIDGE_DOORS_THINGSCHAT_PAGED_H
#define CONFAB_BRIDGE_DOORS_THINGSCHAT_PAGED_H

#include "base/json_write.h"
#include "bridge/doors/front.h"
#include "store/store.h"

struct pages {
    /* Appends the next page, in a snapshot of its own. PAGES_MORE: call again. */
    enum pages_next {
        PAGES_MORE,
        PAGES_END,
        PAGES_FAILED
    } (*fill)(void *arg, struct buffer *out);
    void (*release)(void *arg);
    void *arg;
};

/* Takes `p`: calls its release() in any case. */
enum http_next answer_pages(struct call *c, const char *content_type,
                            struct pages p);

/* Pages that together are one JSON array. */
struct array_pages {
    struct store *store;
    struct json_writer array; /* where the elements go */
    bool begun;
};
/* For `fill`: a page of what `put` adds to a->array, reading one snapshot. It returns
 * NOTFOUND at the end, OK where there may be more. */
enum pages_next array_pages_fill(struct array_pages *a, struct buffer *out,
                                 enum store_err (*put)(void *arg,
                                                       struct store_reader *r),
                                 void *arg);

#endif
