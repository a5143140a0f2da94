/* What the machine that accepts a command fixes before the command is applied: the time,
 * and how much room there is. Command and admission together are an entry. Applying an
 * entry looks only at it and at the rows, so the result is the same on every machine, on
 * any day, and in whatever groups entries are committed.
 *
 * Limits that depend on rows (plans, operation ids, tokens) are checked when applying, not
 * here. */
#ifndef CONFAB_STORE_WRITE_ADMISSION_H
#define CONFAB_STORE_WRITE_ADMISSION_H

#include <stdint.h>

struct transaction;
struct command;

struct admission {
    int64_t now_us;     /* the command's time, µs since 1970 */
    int64_t decay_us;   /* ≤ now_us: the time to delete by */
    uint64_t share_max; /* most bytes that a token may hold in the store */
    uint64_t room;      /* most bytes that may be added; 0: none */
    uint64_t upkeep;    /* the same for what admitted clients cause without
                           asking (store/env/room.h) */
    uint32_t deletions; /* most log entries that it may delete … */
    uint32_t rows;      /* … and most rows of sessions */
    uint32_t paused; /* enum command_result: additions are refused with it */
};

/* Sets t->in for a command of the open transaction, except what must be measured. */
void admission_begin(struct transaction *t);
/* For decide functions: measure room, or upkeep as well, for at least `bytes`. */
void admission_measure_room(struct transaction *t, uint64_t bytes);
void admission_measure_upkeep(struct transaction *t, uint64_t bytes);
/* For decide functions: measures how much the command may delete. */
void admission_measure_deletions(struct transaction *t);

/* Age, by the command's time, of something without an id that was stored at `when_us`. */
int64_t admission_age_us(const struct transaction *t, int64_t when_us);

#endif
