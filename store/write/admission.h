/* What the machine that accepts a command fixes before it is applied: the clock,
 * and how much there is room for. Together with the command it is an entry, and
 * applying an entry looks at the rows, and at nothing else: so it comes to the same
 * on every machine, on whatever day, and in whatever groups entries are committed.
 *
 * Limits that depend on rows (plans, operation ids, tokens) are applied; they have
 * no place here. */
#ifndef CONFAB_STORE_WRITE_ADMISSION_H
#define CONFAB_STORE_WRITE_ADMISSION_H

#include <stdint.h>

struct transaction;
struct command;

struct admission {
    int64_t now_us;   /* its time, µs since 1970 */
    int64_t decay_us; /* ≤ now_us: the time by which things are destroyed */
    uint64_t share_max; /* most bytes a token may hold in the store */
    uint64_t room;      /* most bytes that may be added; 0: none */
    uint64_t upkeep;    /* the same of what clients that are let in cannot help
                           to cause (store/env/room.h) */
    uint32_t deletions; /* log entries it may delete … */
    uint32_t rows;      /* … and rows of sessions */
    uint32_t
        paused; /* enum command_result: what is added is refused with it */
};

/* t->in for a command of the open transaction, but for what must be measured. */
void admission_begin(struct transaction *t);
/* In decide functions: measures room, or upkeep too, for `bytes` at least. */
void admission_measure_room(struct transaction *t, uint64_t bytes);
void admission_measure_upkeep(struct transaction *t, uint64_t bytes);
/* How much it may delete. */
void admission_measure_deletions(struct transaction *t);

/* How old what was stored at `when_us` and has no id is by the command's time. */
int64_t admission_age_us(const struct transaction *t, int64_t when_us);

#endif
