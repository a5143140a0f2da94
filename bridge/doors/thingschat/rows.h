/* The rows of a history in one of its formats, as pages of any number
 * (paged.h). Each page is read in a snapshot of its own. */
#ifndef CONFAB_BRIDGE_DOORS_THINGSCHAT_ROWS_H
#define CONFAB_BRIDGE_DOORS_THINGSCHAT_ROWS_H

#include "base/json_write.h"
#include "bridge/doors/thingschat/paged.h"
#include "store/store.h"

enum rows_format {
    ROWS_JSON,   /* an array */
    ROWS_NDJSON, /* an object a line */
    ROWS_CSV,    /* id,thing,createdAt,chat */
    ROWS_MSGPACK /* an array. Its length stands in front, so the rows are
                    counted before the first is sent; what retention deletes
                    in between is nil at the end */
};

struct rows {
    struct store *store;
    enum rows_format format;
    struct history history; /* topic: `topic` */
    uint64_t left;          /* rows still to give */
    size_t token_len, topic_len;
    char topic[TOKEN_MAX + 1 + THING_MAX];
    /* private */
    bool begun;
    struct json_writer array; /* ROWS_JSON */
};

/* malloc()ed, zeroed; the caller fills in what is not private. */
struct rows *rows_new(void);
/* Takes `r`. */
struct pages rows_pages(struct rows *r);

#endif
