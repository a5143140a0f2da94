/* Messages of several things in the order of their ids: a heap of history walks.
 * For each round, first offer all things, then run. */
#ifndef CONFAB_STORE_READ_MERGE_H
#define CONFAB_STORE_READ_MERGE_H

#include "store/store.h"

struct merge;

struct merge *merge_new(void);    /* NULL: out of memory */
void merge_free(struct merge *m); /* NULL is fine */

/* Begins a round without things, for messages with after < id ≤ upto. */
void merge_start(struct merge *m, uint64_t after, uint64_t upto);
/* Adds a thing, once per round. When there are more than MERGE_SOURCES, those whose
 * next message has the greatest id are left out, and the round ends before the first
 * of them. */
enum store_err merge_offer(struct merge *m, struct store_reader *r,
                           struct slice topic);
/* Ends the planning: all things have been offered. */
void merge_run(struct merge *m);

uint64_t merge_end(const struct merge *m); /* last id of the round */
bool merge_full(const struct merge *m);    /* some things were left out */

/* The next message with id ≤ upto. STORE_NOTFOUND: none (left in this round).
 * STORE_INVALID: the next one has been removed meanwhile; call again. */
enum store_err merge_next(struct merge *m, struct store_reader *r,
                          uint64_t upto, struct record *ret_record);

#endif
