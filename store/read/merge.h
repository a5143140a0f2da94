/* Messages of several things in the order of their ids: a heap of history
 * walks. A round is planned by offering things one by one and then run. */
#ifndef CONFAB_STORE_READ_MERGE_H
#define CONFAB_STORE_READ_MERGE_H

#include "store/store.h"

struct merge;

struct merge *merge_new(void);    /* NULL: out of memory */
void merge_free(struct merge *m); /* NULL is fine */

/* A new round: messages with after < id ≤ upto; no things yet. */
void merge_start(struct merge *m, uint64_t after, uint64_t upto);
/* Adds a thing, once. When there are more than MERGE_SOURCES, those that come
 * in latest are left out, and the round ends before the first of them. */
enum store_err merge_offer(struct merge *m, struct store_reader *r,
                           struct slice topic);
/* All things have been offered. */
void merge_run(struct merge *m);

uint64_t merge_end(const struct merge *m); /* id the round ends with */
bool merge_full(const struct merge *m);    /* some were left out */

/* The next message with id ≤ upto. STORE_NOTFOUND: none (left in this round);
 * STORE_INVALID: one was there but has been removed meanwhile, call again. */
enum store_err merge_next(struct merge *m, struct store_reader *r,
                          uint64_t upto, struct record *ret_record);

#endif
