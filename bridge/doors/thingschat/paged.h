/* Answers of any length in little memory: short ones as one body with its length, long
 * ones as a stream that reads the store page by page and holds no snapshot while it
 * waits for the client. */
#ifndef CONFAB_BRIDGE_DOORS_THINGSCHAT_PAGED_H
#define CONFAB_BRIDGE_DOORS_THINGSCHAT_PAGED_H

#include "bridge/doors/front.h"

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

#endif
