#include "store/env/wall_clock.h"

#include <limits.h>
#include <string.h>

#include "base/log.h"

#define SECOND_US INT64_C(1000000)

/* ---- steps back -------------------------------------------------------- */

void clock_steps_add(struct clock_steps *s, uint64_t through, int64_t at_us)
{
    if (s->count == CLOCK_STEPS_MAX) {
        memmove(s->step, s->step + 1, sizeof(s->step) - sizeof(s->step[0]));
        s->count--;
    }
    /* Earlier steps that showed a later time were wrong as well. */
    for (unsigned i = 0; i < s->count; i++)
        if (s->step[i].at_us > at_us)
            s->step[i].at_us = at_us;
    s->step[s->count++] = (struct clock_step){through, at_us};
}

int64_t clock_steps_correct(const struct clock_steps *s, uint64_t id,
                            int64_t at_us)
{
    for (unsigned i = 0; i < s->count; i++)
        if (id <= s->step[i].through) /* times of steps never decrease */
            return at_us > s->step[i].at_us ? s->step[i].at_us : at_us;
    return at_us;
}

int64_t clock_steps_past(const struct clock_steps *s, int64_t at_us,
                         int64_t now_us)
{
    if (at_us <= now_us)
        return at_us;
    return s->count == 0 || s->step[s->count - 1].at_us > now_us
               ? now_us
               : s->step[s->count - 1].at_us;
}

/* ---- looking ----------------------------------------------------------- */

static int64_t seconds_to_us(uint64_t s)
{
    return s > INT64_MAX / 2 / SECOND_US ? INT64_MAX / 2
                                         : (int64_t)s * SECOND_US;
}

void wall_clock_init(struct wall_clock *c, uint64_t jump_max_s,
                     uint64_t grace_s, const struct clock_steps *steps,
                     int64_t last_us, int64_t mono_us)
{
    *c = (struct wall_clock){
        .jump_max_us = seconds_to_us(jump_max_s),
        .grace_us = seconds_to_us(grace_s),
        .real_us = last_us,
        .mono_us = mono_us,
        .latest_us = last_us,
        .steps = *steps,
    };
}

static void look_for_step_back(struct wall_clock *c, int64_t real_us,
                               uint64_t head)
{
    if (real_us > c->latest_us)
        c->latest_us = real_us;
    if (real_us >= c->latest_us - CLOCK_TOLERANCE_US)
        return;
    log_warn("store",
             "the clock was set back by %lld s: times of messages that were "
             "stored meanwhile count as now",
             (long long)((c->latest_us - real_us) / SECOND_US));
    clock_steps_add(&c->steps, head, real_us);
    c->unsaved = true;
    c->latest_us = real_us;
}

static int64_t without_the_jump(const struct wall_clock *c, int64_t mono_us)
{
    return c->base_us + (mono_us - c->base_mono_us);
}

static void begin_distrust(struct wall_clock *c, int64_t ahead_us,
                           int64_t mono_us)
{
    c->distrusted = true;
    c->base_us = c->real_us;
    c->base_mono_us = c->mono_us;
    c->believe_mono_us = mono_us + c->grace_us;
    log_warn("store",
             "the clock is %lld s ahead of the last time seen: messages, "
             "sessions and idempotency keys are not deleted by it for %lld s "
             "(store.clock_grace). Set the clock right if it is wrong",
             (long long)(ahead_us / SECOND_US),
             (long long)(c->grace_us / SECOND_US));
}

static void look_for_jump_ahead(struct wall_clock *c, int64_t real_us,
                                int64_t mono_us)
{
    if (c->distrusted) {
        const int64_t ahead_us = real_us - without_the_jump(c, mono_us);
        if (ahead_us <= c->jump_max_us) {
            c->distrusted = false;
            log_info("store", "the clock is back where it was expected");
        } else if (mono_us >= c->believe_mono_us) {
            c->distrusted = false;
            log_warn("store",
                     "the clock has been ahead for store.clock_grace: "
                     "it is believed now");
        }
        return;
    }
    if (c->real_us == 0 || c->jump_max_us == 0 || c->grace_us == 0)
        return;
    const int64_t ahead_us = (real_us - c->real_us) - (mono_us - c->mono_us);
    if (ahead_us > c->jump_max_us)
        begin_distrust(c, ahead_us, mono_us);
}

void wall_clock_look(struct wall_clock *c, int64_t real_us, int64_t mono_us,
                     uint64_t head)
{
    look_for_step_back(c, real_us, head);
    look_for_jump_ahead(c, real_us, mono_us);
    c->real_us = real_us;
    c->mono_us = mono_us;
}

int64_t wall_clock_decay_us(const struct wall_clock *c)
{
    if (!c->distrusted)
        return c->real_us;
    const int64_t base_us = without_the_jump(c, c->mono_us);
    return base_us < c->real_us ? base_us : c->real_us;
}

int64_t wall_clock_age_us(const struct wall_clock *c, int64_t when_us)
{
    return wall_clock_decay_us(c) -
           clock_steps_past(&c->steps, when_us, c->real_us);
}
