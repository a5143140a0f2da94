/* Reading what a subscriber missed: every entry after a position that matches a set
 * of filters, in id order, in small steps. Slow readers, reconnecting EventSources,
 * stored sessions and groups use it.
 *
 * One exact topic walks its chunks. Any other set of filters either scans the log
 * from the position, or merges the histories of those matching things that have a
 * later last id, whichever is cheaper in this model (1 = reading one log entry in a
 * row):
 *   scan   head - position
 *   merge  2 per thing looked at + 8 per thing merged + 4 per message of those
 * Looking at things stops as soon as the merge has become more expensive than the
 * scan, so choosing never costs more than a scan. A merge holds at most
 * MERGE_SOURCES things, about 300 bytes each; further things wait for the next
 * round.
 *
 * The object keeps only numbers and names, so each step may run in another snapshot,
 * and what retention removes in between is skipped. Not thread safe. */
#ifndef CONFAB_STORE_READ_CATCHUP_H
#define CONFAB_STORE_READ_CATCHUP_H

#include "base/buffer.h"
#include "store/store.h"

struct catchup;

#define MERGE_SOURCES 1024

/* `filters`: valid MQTT filters, at least one, copied. `after`: position,
 * exclusive. Returns entries of kind MESSAGE only, but those that were deleted, unless
 * all_kinds: then it always scans, because the other kinds are in no chunk. NULL: out of
 * memory. */
struct catchup *catchup_new(const struct slice *filters, size_t count,
                            uint64_t after, bool all_kinds);
void catchup_free(struct catchup *c); /* NULL is fine */

/* From now on edits, deletions and purges come, too, in id order with the messages; of
 * each message the last change only (store/message.h). Where all filters are of one
 * token they are found by its index, else it scans. */
void catchup_with_changes(struct catchup *c);

enum catchup_step {
    CATCHUP_RECORD, /* *ret_record is the next one */
    CATCHUP_DONE,   /* nothing more up to `upto` in this snapshot */
    CATCHUP_MORE,   /* the step has looked at `budget` entries: call again */
    CATCHUP_FAILED  /* the store cannot be read; try again later */
};

/* Looks at no more than `budget` (> 0) entries for the next one with
 * position < id ≤ upto; an `upto` above the snapshot's head means the head. r
 * must have a snapshot. On RECORD the position becomes that record's id. The
 * position never decreases. */
enum catchup_step catchup_next(struct catchup *c, struct store_reader *r,
                               uint64_t upto, unsigned budget,
                               struct record *ret_record);

uint64_t catchup_position(const struct catchup *c);

/* Whether retention removed something that this reader would have been sent:
 * true iff a matching thing has trimmed_id > after. *ret_to: the greatest such
 * trimmed id. Costs one look-up per exact filter; a pattern walks the token's
 * things. */
bool catchup_gap(struct store_reader *r, const struct slice *filters,
                 size_t count, uint64_t after, uint64_t *ret_to);

/* The same in small steps, for patterns that match very many things. Each step may
 * run in another snapshot; each thing is judged by the snapshot in which it is
 * looked at. Begin with all fields zero. */
struct gap_walk {
    uint64_t trimmed_id;  /* the greatest so far; 0: none */
    size_t at_filter;     /* the filter whose things are being looked at */
    struct buffer resume; /* last topic looked at; empty: filter not begun */
};

/* Looks at no more than *budget things, and subtracts from it as many as it looked
 * at. true: those were the last. r must have a snapshot; pass the same filters to
 * every step. */
bool gap_walk_step(struct gap_walk *g, struct store_reader *r,
                   const struct slice *filters, size_t count,
                   unsigned *budget);
void gap_walk_release(struct gap_walk *g); /* leaves all fields zero */

#endif
