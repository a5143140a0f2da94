/* Rows of webhooks (store/webhook.h), and what they cost their tenant. Writer's thread
 * only. */
#ifndef CONFAB_STORE_WRITE_WEBHOOK_WRITE_H
#define CONFAB_STORE_WRITE_WEBHOOK_WRITE_H

#include "store/webhook.h"
#include "store/write/transaction.h"

/* A webhook's row, copied, so that writing does not move it. */
struct webhook_copy {
    struct webhook_row row;
    char tenant[TOKEN_MAX];
    char *bytes; /* what the row points into; NULL: nothing */
};
void webhook_copy_release(struct webhook_copy *w); /* zeroed: nothing */

/* NOTFOUND, or the caller releases it. */
enum store_err webhook_load(struct transaction *t, struct slice tenant,
                            struct webhook_copy *ret_copy);
enum store_err webhook_put(struct transaction *t, struct token *who,
                           const struct webhook_row *w);
/* One that begins with the next message. */
enum store_err webhook_begin(struct transaction *t, struct token *who,
                             struct slice tenant);
/* Its row, and at most WEBHOOK_DEAD_MAX of dead messages. */
enum store_err webhook_erase(struct transaction *t, struct token *who,
                             struct slice tenant);

/* Adds a dead message, or replaces what is known of it, but for the topic if the new
 * one is empty. Changes the numbers in *w, which
 * the caller puts; of more than WEBHOOK_DEAD_MAX the oldest go. */
enum store_err webhook_add_dead(struct transaction *t, struct token *who,
                                struct webhook_row *w,
                                const struct webhook_dead_row *d);
enum store_err webhook_remove_dead(struct transaction *t, struct token *who,
                                   struct webhook_row *w, uint64_t id);
/* Marks it as one that is to be sent again. NOTFOUND: it is not dead, or its row is
 * damaged. */
enum store_err webhook_mark_dead(struct transaction *t, struct token *who,
                                 struct slice tenant, uint64_t id);
/* The id of the tenant's first dead message that is greater than `after`. */
enum store_err webhook_next_dead(struct transaction *t, struct slice tenant,
                                 uint64_t after, uint64_t *ret_id);

#endif
