/* What is stored of webhooks: how far each has come, and the messages that it gave up.
 * Its settings are the tenant's (base/tenant_setting.h); bridge/outgoing/webhooks.h
 * delivers.
 *
 * A row of `webhooks` is there from the moment `webhook.url` is set until it is unset, so
 * a webhook begins with the messages after that, whether or not the bridge is running.
 *
 * Slices of rows that were read point into the map, and are valid until
 * store_reader_end(). */
#ifndef CONFAB_STORE_WEBHOOK_H
#define CONFAB_STORE_WEBHOOK_H

#include "store/store.h"

#define WEBHOOK_BEHIND_MAX 32 /* things that a position names */
#define WEBHOOK_TEXT_MAX 256  /* bytes of why an attempt failed */
/* Dead messages kept for each webhook: of more the oldest are forgotten, and counted in
 * webhook_row.forgotten. */
#define WEBHOOK_DEAD_MAX 1000

/* Every message up to `id` is delivered or dead, but for those of the things in
 * `behind`, of which that is true up to their own ids only. */
struct webhook_row {
    struct slice tenant;
    uint64_t id;
    size_t behind_count;
    struct webhook_behind {
        struct slice topic; /* <tenant>/<thing> */
        uint64_t id;
    } behind[WEBHOOK_BEHIND_MAX];
    int64_t tried_us;   /* the last attempt that is known; 0: none was made */
    uint32_t status;    /* of its answer; 0: there was none */
    struct slice text;  /* why it failed; empty: it did not */
    uint64_t dead;      /* rows of `webhooks_dead` */
    uint64_t forgotten; /* dead messages that have no row any more */
};

struct webhook_dead_row {
    struct slice topic;
    uint64_t id;       /* of the message, which retention may have removed */
    int64_t at_us;     /* when it was given up */
    uint32_t attempts; /* that failed */
    uint32_t status;   /* of the last answer; 0: there was none */
    struct slice text; /* why the last attempt failed */
    bool again;        /* it is to be sent again (COMMAND_WEBHOOK_RETRY) */
};

/* NOTFOUND: the tenant has no webhook, or the bridge of an earlier version set it. */
enum store_err store_webhook(struct store_reader *r, struct slice tenant,
                             struct webhook_row *ret_row);
/* The next one whose tenant's name is greater than `after` (empty: the first). */
enum store_err store_webhook_next(struct store_reader *r, struct slice after,
                                  struct webhook_row *ret_row);
/* The tenant's next dead message whose id is greater than `after`. */
enum store_err store_webhook_dead_next(struct store_reader *r,
                                       struct slice tenant, uint64_t after,
                                       struct webhook_dead_row *ret_row);

#endif
