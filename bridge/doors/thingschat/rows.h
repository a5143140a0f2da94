/* The rows of a history in one of its formats, as any number of pages (paged.h). Each
 * page is read in a snapshot of its own. */
#ifndef CONFAB_BRIDGE_DOORS_THINGSCHAT_ROWS_H
#define CONFAB_BRIDGE_DOORS_THINGSCHAT_ROWS_H

#include "base/json_write.h"
#include "bridge/doors/thingschat/paged.h"
#include "store/store.h"

enum rows_format {
    ROWS_JSON,   /* an array */
    ROWS_NDJSON, /* one object per line */
    ROWS_CSV,    /* id,thing,createdAt,chat */
    ROWS_MSGPACK /* an array. Its length comes first, so the rows are counted
                    before the first is sent; for each that retention deletes
                    in between there is a nil at the end */
};

struct rows {
    struct store *store;
    enum rows_format format;
    struct history history; /* topic: `topic` */
    uint64_t left;          /* rows still to send */
    size_t token_len, topic_len;
    char topic[TOKEN_MAX + 1 + THING_MAX];
    /* private */
    bool begun;
    struct json_writer array; /* ROWS_JSON */
};

/* malloc()ed and zeroed; the caller sets the fields that are not private. */
struct rows *rows_new(void);
/* Takes `r`. */
struct pages rows_pages(struct rows *r);

#endif
