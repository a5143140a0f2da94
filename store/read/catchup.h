/* Reading what one missed: every entry after a position that matches a set of
 * filters, in id order, in small steps. Slow readers, reconnecting
 * EventSources and (later) offline sessions all use this.
 *
 * One exact topic walks its chunks. Anything else either scans the log from the
 * position or merges the histories of the matching things with a later last id,
 * whichever is cheaper by this model (1 = looking at one log entry in a row):
 *   scan   head - position
 *   merge  2 per thing looked at + 8 per thing merged + 4 per message of those
 * and since looking for things stops as soon as the merge has become the dearer
 * one, choosing never costs more than a scan. A merge holds at most
 * MERGE_SOURCES things, about 300 bytes each; what more there are wait for the
 * next round.
 *
 * The object keeps numbers and names only, so a step may run in any snapshot,
 * and what retention removes in between is passed over. Not thread safe. */
#ifndef CONFAB_STORE_READ_CATCHUP_H
#define CONFAB_STORE_READ_CATCHUP_H

#include "base/buffer.h"
#include "store/store.h"

struct catchup;

#define MERGE_SOURCES 1024

/* `filters`: valid MQTT filters, at least one, copied. `after`: position,
 * exclusive. Yields kind MESSAGE only, unless all_kinds, which always scans:
 * the other kinds are in no chunk. NULL: out of memory. */
struct catchup *catchup_new(const struct slice *filters, size_t count,
                            uint64_t after, bool all_kinds);
void catchup_free(struct catchup *c); /* NULL is fine */

enum catchup_step {
    CATCHUP_RECORD, /* *ret_record is the next one */
    CATCHUP_DONE,   /* nothing more up to `upto` in this snapshot */
    CATCHUP_MORE,   /* the step's budget of looked-at entries is used up */
    CATCHUP_FAILED  /* the store refused; try again later */
};

/* Looks at no more than `budget` (> 0) entries for the next one with
 * position < id ≤ upto; an `upto` above the snapshot's head means the head. r
 * must be inside begin/end. On RECORD the position becomes that record's id. It
 * never goes back. */
enum catchup_step catchup_next(struct catchup *c, struct store_reader *r,
                               uint64_t upto, unsigned budget,
                               struct record *ret_record);

uint64_t catchup_position(const struct catchup *c);

/* Whether retention removed something this reader would have been given:
 * true iff a matching thing has trimmed_id > after. *ret_to gets the greatest
 * such trimmed id. For exact filters one look-up each, for patterns a walk of
 * the token's things. */
bool catchup_gap(struct store_reader *r, const struct slice *filters,
                 size_t count, uint64_t after, uint64_t *ret_to);

/* The same in small steps, for patterns under which there may be very many
 * things. Each step may run in another snapshot: a thing is seen as it was when
 * its turn came. All zero: nothing was looked at yet. */
struct gap_walk {
    uint64_t trimmed_id; /* the greatest so far; 0: none */
    size_t at_filter;    /* whose things are being looked at */
    struct buffer
        resume; /* topic looked at last; empty: none of this filter */
};

/* Looks at no more than *budget things, and takes from it those it looked at.
 * true: that was the last of them. r must be inside begin/end; the filters are
 * the same with every step. */
bool gap_walk_step(struct gap_walk *g, struct store_reader *r,
                   const struct slice *filters, size_t count,
                   unsigned *budget);
void gap_walk_release(struct gap_walk *g); /* all zero again */

#endif
