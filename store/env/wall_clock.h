/* What the store thinks of the machine's wall clock, which may be wrong and be
 * set right at any time. One rule:
 *
 *  durations      are measured on the monotonic clock wherever a process lives
 *                 long enough; only what must survive a restart is a wall time.
 *  set back       (by more than CLOCK_TOLERANCE_US) is a step: every time stored
 *                 before it that lies later than the clock then showed counts as
 *                 the time of the step. Steps are kept in `meta`, so readers and
 *                 later runs correct times in the same way. Log entries are
 *                 corrected by their id, so that times never decrease along a
 *                 thing; rows without an id when they lie in the future.
 *  set ahead      (by more than store.clock_jump_max): numbers and times of new
 *                 messages follow at once, but nothing is destroyed by it (age of
 *                 messages, sessions, idempotency keys) before store.clock_grace
 *                 is over. Being set back meanwhile ends the matter.
 *
 * Writer's thread, but for the pure functions of struct clock_steps. */
#ifndef CONFAB_STORE_ENV_WALL_CLOCK_H
#define CONFAB_STORE_ENV_WALL_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* NTP moves clocks by less than a second as a rule; a thing's last time is kept
 * for so long instead, without a step. */
#define CLOCK_TOLERANCE_US INT64_C(10000000)
#define CLOCK_STEPS_MAX 16

/* `through`: last id given when the clock was found to show `at_us` only. */
struct clock_step {
    uint64_t through;
    int64_t at_us;
};

/* Oldest first; ids and times never decrease. Also the row in `meta`, in the
 * machine's byte order, as are the keys of `log`. */
struct clock_steps {
    unsigned count;
    struct clock_step step[CLOCK_STEPS_MAX];
};

/* What is behind is not corrected any more: the two oldest become one. */
void clock_steps_add(struct clock_steps *s, uint64_t through, int64_t at_us);
/* Time of log entry `id`. */
int64_t clock_steps_correct(const struct clock_steps *s, uint64_t id,
                            int64_t at_us);
/* A time of the past that has no id: later than now_us, it was stored before
 * the last step. */
int64_t clock_steps_past(const struct clock_steps *s, int64_t at_us,
                         int64_t now_us);

struct wall_clock {
    int64_t jump_max_us, grace_us; /* 0: every jump is believed */
    int64_t real_us, mono_us;      /* last look; real_us 0: none yet */
    int64_t latest_us;             /* latest time seen since the last step */
    /* While a jump is not believed: */
    bool distrusted;
    int64_t base_us, base_mono_us; /* the clock as it would be without it */
    int64_t believe_mono_us;       /* from then on it is */
    struct clock_steps steps;
    bool unsaved; /* steps are not in `meta` yet */
};

/* `last_us`: time of the last log entry, corrected; 0: none. */
void wall_clock_init(struct wall_clock *c, uint64_t jump_max_s,
                     uint64_t grace_s, const struct clock_steps *steps,
                     int64_t last_us, int64_t mono_us);
/* Before each transaction. `head`: last id given. Logs what it finds. */
void wall_clock_look(struct wall_clock *c, int64_t real_us, int64_t mono_us,
                     uint64_t head);
/* The time by which things may be destroyed; at most that of the last look. */
int64_t wall_clock_decay_us(const struct wall_clock *c);
/* How old by that time is what was stored at `when_us` and has no id? */
int64_t wall_clock_age_us(const struct wall_clock *c, int64_t when_us);

#endif
