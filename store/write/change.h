/* Edits and deletions of messages, and the entries that tell readers of them
 * (store/format/schema.h, changes). Writer's thread only. */
#ifndef CONFAB_STORE_WRITE_CHANGE_H
#define CONFAB_STORE_WRITE_CHANGE_H

#include "store/write/transaction.h"

/* How long an entry of kind PURGE is kept at least. */
#define CHANGE_PURGE_KEPT_US (INT64_C(7) * 86400 * 1000000)

/* The message `id` of the thing, if it is visible; its slices are borrowed until the next
 * write, its time is as it was written. NOTFOUND: there is none. */
enum store_err change_find(struct transaction *t, const struct thing *thing,
                           uint64_t id, struct record *ret_record);

/* How many bytes more `after` is charged than `before`; negative: less. */
int64_t change_growth(const struct transaction *t,
                      const struct message *before,
                      const struct message *after);

/* Writes `after` over `before`, the same message as it was found, and makes the entry of
 * that kind, with the next id: sets change_id, and changed_us to the time of the command.
 * `after` must not point into rows. `who` pays (store/write/account.h). The retained
 * message that it is changes with it, and goes if the payload is empty. */
enum store_err change_put(struct transaction *t, struct thing *thing,
                          struct token *who, const struct message *before,
                          struct message *after, enum message_kind kind);

/* The message's own entry is about to be deleted: deletes that of its last change. */
enum store_err change_forget(struct transaction *t, struct thing *thing,
                             const struct message *m);

/* Makes an entry of kind PURGE, with m->topic, about and changed_by: sets its id and
 * times. Deletes some that the token does not need any more. */
enum store_err change_put_purge(struct transaction *t, struct token *who,
                                struct message *m);

/* Deletes up to *left of the token's entries of kind PURGE made before that time, the
 * oldest first, and subtracts their number. */
enum store_err change_forget_purges(struct transaction *t, struct token *who,
                                    struct slice token, int64_t before_us,
                                    unsigned *left);

#endif
