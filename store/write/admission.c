#include "store/write/admission.h"

#include "store/write/session_write.h"
#include "store/write/transaction.h"

static uint64_t share_of_store(const struct transaction *t)
{
    const uint64_t percent = config_newest(t->here.config)->limits_token_share;

    return percent < 100 ? t->e->soft_limit / 100 * percent : UINT64_MAX;
}

void admission_begin(struct transaction *t)
{
    const struct here *h = &t->here;

    t->in = (struct admission){
        .now_us = h->now_us,
        .decay_us = h->decay_us,
        .share_max = share_of_store(t),
        .paused = h->paused_until_mono_us > h->mono_us ? h->paused_result
                                                       : RESULT_OK,
    };
}

void admission_measure_room(struct transaction *t, uint64_t bytes)
{
    t->in.room = space_room(&t->here.space, bytes, t->here.mono_us);
}

void admission_measure_upkeep(struct transaction *t, uint64_t bytes)
{
    admission_measure_room(t, bytes);
    if (t->in.room < bytes)
        t->in.upkeep = space_upkeep(&t->here.space, bytes, t->here.mono_us);
}

void admission_measure_deletions(struct transaction *t)
{
    struct here *h = &t->here;

    t->in.deletions = space_deletions(&h->space, h->deletions, h->mono_us);
    t->in.rows = space_deletions(&h->space, SESSION_ROWS_DELETED, h->mono_us);
}

int64_t admission_age_us(const struct transaction *t, int64_t when_us)
{
    return t->in.decay_us - clock_steps_past(&t->steps, when_us, t->in.now_us);
}
