/* The store's view of the machine's wall clock, which may be wrong and may be
 * corrected at any time. The rules:
 *
 *  durations      are measured on the monotonic clock while a process lives; only
 *                 what must survive a restart is a wall time.
 *  set back       by more than CLOCK_TOLERANCE_US: this is a step. Every time that
 *                 was stored before the step and is later than the clock showed
 *                 then counts as the time of the step. Steps are kept in `meta`, so
 *                 readers and later runs correct times in the same way. Times of
 *                 log entries are corrected by their ids, so that they never
 *                 decrease along a thing; times of rows without an id are corrected
 *                 when they lie in the future.
 *  set ahead      by more than store.clock_jump_max: ids and times of new messages
 *                 follow at once, but nothing is deleted because of it (messages,
 *                 sessions, idempotency keys by age) before store.clock_grace has
 *                 passed. Setting the clock back in the meantime cancels this.
 *
 * Writer's thread, but for the pure functions of struct clock_steps. */
#ifndef CONFAB_STORE_ENV_WALL_CLOCK_H
#define CONFAB_STORE_ENV_WALL_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* NTP usually moves clocks by less than a second. Up to this much no step is made:
 * new messages repeat the thing's last time instead. */
#define CLOCK_TOLERANCE_US INT64_C(10000000)
#define CLOCK_STEPS_MAX 16

/* `through`: last id given before the clock was found to show only `at_us`. */
struct clock_step {
    uint64_t through;
    int64_t at_us;
};

/* Oldest first; ids and times never decrease. Stored in `meta` as it is, in the
 * machine's byte order, like the keys of `log`. */
struct clock_steps {
    unsigned count;
    struct clock_step step[CLOCK_STEPS_MAX];
};

/* When all places are taken, the two oldest steps become one. */
void clock_steps_add(struct clock_steps *s, uint64_t through, int64_t at_us);
/* The corrected time of log entry `id`. */
int64_t clock_steps_correct(const struct clock_steps *s, uint64_t id,
                            int64_t at_us);
/* The corrected time of a past event that has no id: if it is later than now_us,
 * it was stored before the last step. */
int64_t clock_steps_past(const struct clock_steps *s, int64_t at_us,
                         int64_t now_us);

struct wall_clock {
    int64_t jump_max_us, grace_us; /* 0: every jump is believed */
    int64_t real_us, mono_us;      /* last look; real_us 0: none yet */
    int64_t latest_us;             /* latest time seen since the last step */
    /* While a jump is not trusted: */
    bool distrusted;
    int64_t base_us, base_mono_us; /* what the clock would show without it */
    int64_t believe_mono_us;       /* when it will be trusted */
    struct clock_steps steps;
    bool unsaved; /* steps are not in `meta` yet */
};

/* `last_us`: corrected time of the last log entry; 0: none. */
void wall_clock_init(struct wall_clock *c, uint64_t jump_max_s,
                     uint64_t grace_s, const struct clock_steps *steps,
                     int64_t last_us, int64_t mono_us);
/* Call before each transaction. `head`: last id given. Logs steps and jumps. */
void wall_clock_look(struct wall_clock *c, int64_t real_us, int64_t mono_us,
                     uint64_t head);
/* The time to delete by; never later than at the last look. */
int64_t wall_clock_decay_us(const struct wall_clock *c);
/* Age, by that time, of something without an id that was stored at `when_us`. */
int64_t wall_clock_age_us(const struct wall_clock *c, int64_t when_us);

#endif
