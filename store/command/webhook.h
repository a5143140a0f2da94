/* What commands about webhooks take (store/command.h, store/webhook.h). Slices are
 * borrowed until done(). */
#ifndef CONFAB_STORE_COMMAND_WEBHOOK_H
#define CONFAB_STORE_COMMAND_WEBHOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* COMMAND_WEBHOOK_SAVE: what a webhook has done since the last time. All in one
 * transaction, so that no position passes a dead message that is not stored.
 * NOT_FOUND: the tenant has no webhook any more. FULL: try again later. */
struct webhook_save {
    struct slice tenant;
    /* Where it is, as in struct webhook_row; id 0: as before. */
    uint64_t id;
    struct slice *behind_topics;
    size_t behind_topic_count;
    uint64_t *behind_ids; /* as many */
    size_t behind_id_count;
    int64_t tried_us; /* 0: as before, with the next two */
    uint32_t status;
    struct slice text;
    /* A message that died, as in struct webhook_dead_row; 0: none. Without a topic:
     * again, and its topic is stored. */
    uint64_t dead_id;
    struct slice dead_topic, dead_text;
    int64_t dead_at_us;
    uint32_t dead_attempts, dead_status;
    uint64_t delivered_id; /* one that was dead and is not any more; 0: none */
    uint64_t forgotten;    /* so many died of which nothing else is known */
};

/* COMMAND_WEBHOOK_RETRY: dead messages that are to be sent again. Offers a `changed`
 * event. NOT_FOUND: none of them is dead. */
struct webhook_retry {
    struct slice tenant;
    uint64_t *ids;
    size_t id_count;
    bool all; /* whatever `ids` says */

    uint64_t marked; /* result: so many are */
};

#endif
