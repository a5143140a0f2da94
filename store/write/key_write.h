/* Rows of keys, together with their indexes, and what they cost their tenant.
 * Writer's thread only. */
#ifndef CONFAB_STORE_WRITE_KEY_WRITE_H
#define CONFAB_STORE_WRITE_KEY_WRITE_H

#include "store/directory.h"
#include "store/write/transaction.h"

/* An expired key is shown in listings for so long; a ticket is not. */
#define KEY_SHOWN_US (INT64_C(86400) * 1000000)

/* A key's row, copied, so that writing does not move it. */
struct key_copy {
    struct key_row row;
    unsigned char hash[SECRET_HASH_BYTES];
    unsigned char *bytes; /* what the row points into */
};
void key_copy_release(struct key_copy *k); /* zeroed: nothing */

/* In all: NOTFOUND: there is none. The caller releases the copy on STORE_OK. */
enum store_err key_by_hash(struct transaction *t, struct slice hash,
                           struct key_copy *ret_key);
/* `begin`: a hash or its beginning (KEY_ID_HASH_BYTES). */
enum store_err key_by_beginning(struct transaction *t, struct slice tenant,
                                struct slice begin, struct key_copy *ret_key);
/* The first by `keys_by_end`. */
enum store_err key_first_to_end(struct transaction *t, int64_t before_us,
                                struct key_copy *ret_key);

/* What the rows of this key take, in bytes. */
uint64_t key_cost(struct transaction *t, const struct key_row *k);
enum store_err key_put(struct transaction *t, struct token *who,
                       const struct key_row *k);
/* All rows of one that is there. */
enum store_err key_delete(struct transaction *t, struct token *who,
                          const struct key_row *k);
/* The tenant's first one, damaged or not. NOTFOUND: it has none. */
enum store_err key_delete_first(struct transaction *t, struct token *who,
                                struct slice tenant);

/* OK, BYTES, SHARE or FULL for `more` bytes of directory rows. */
enum command_result directory_verdict(struct transaction *t,
                                      const struct token *who, uint64_t more);

#endif
