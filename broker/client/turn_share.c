#include "broker/client/turn_share.h"

#include "base/clock.h"
#include "broker/client/shard.h"

#define UNMEASURED_MAX 512 /* bytes */
#define LOOK_EVERY 16      /* packets */
#define READ_PER_US 8192 /* bytes that are read and copied in a microsecond */

void turns_init(struct turns *t)
{
    TAILQ_INIT(&t->waiting);
    TAILQ_INIT(&t->owed);
    for (int i = 0; i < TURN_KINDS; i++)
        turn_share_init(&t->own[i]);
    t->own[TURN_ADMIN].is_unbounded = true;
    t->each_us = TURN_SHARE_MAX_US;
    t->number = 1;
}

static struct turn_share *share_of(const struct connection *c)
{
    struct turns *t = &c->worker->turns;

    if (c->peer_is_admin)
        return &t->own[TURN_ADMIN];
    if (c->holder != NULL)
        return held_turn_share(c->holder);
    return &t->own[c->is_client ? TURN_NAMELESS : TURN_STRANGERS];
}

static int64_t left_us(const struct turns *t, const struct turn_share *s)
{
    if (s->is_unbounded)
        return INT64_MAX;
    return t->each_us - (s->turn == t->number ? s->spent_us : 0);
}

bool turn_share_is_left(const struct connection *c)
{
    return left_us(&c->worker->turns, share_of(c)) > 0;
}

/* ---- measuring ------------------------------------------------------------ */

struct turn_meter turn_meter_begin(const struct connection *c, size_t len)
{
    const bool measured = len > UNMEASURED_MAX && !c->peer_is_admin;

    return (struct turn_meter){.began_us = measured ? clock_mono_us() : 0,
                               .len = len};
}

bool turn_meter_goes_on(struct turn_meter *m, const struct connection *c,
                        bool is_costly)
{
    m->packets++;
    if (m->began_us == 0 || (m->packets % LOOK_EVERY != 0 && !is_costly))
        return true;
    return clock_mono_us() - m->began_us <
           left_us(&c->worker->turns, share_of(c));
}

void turn_meter_end(const struct turn_meter *m, struct connection *c)
{
    const struct turns *t = &c->worker->turns;
    struct turn_share *s = share_of(c);

    if (s->turn != t->number) {
        s->turn = t->number;
        s->spent_us = 0;
    }
    s->spent_us += m->began_us == 0 ? m->packets
                                    : clock_mono_us() - m->began_us +
                                          (int64_t)(m->len / READ_PER_US);
}

/* ---- waiting to be read from ---------------------------------------------- */

void turn_share_wait(struct connection *c)
{
    struct turn_share *s = share_of(c);

    if (c->awaits_turn)
        return;
    c->awaits_turn = true;
    if (TAILQ_EMPTY(&s->waiting))
        TAILQ_INSERT_TAIL(&c->worker->turns.waiting, s, wait);
    TAILQ_INSERT_TAIL(&s->waiting, c, wait);
}

void turn_share_forget(struct connection *c)
{
    struct turn_share *s = share_of(c);

    if (!c->awaits_turn)
        return;
    c->awaits_turn = false;
    TAILQ_REMOVE(&s->waiting, c, wait);
    if (TAILQ_EMPTY(&s->waiting))
        TAILQ_REMOVE(&c->worker->turns.waiting, s, wait);
}

static int64_t length_of_shares(const struct turns *t)
{
    const struct turn_share *s;
    int64_t count = 0;

    TAILQ_FOREACH (s, &t->waiting, wait)
        count++;
    if (count * TURN_SHARE_MAX_US <= TURN_SHARES_US)
        return TURN_SHARE_MAX_US;
    return count * TURN_SHARE_MIN_US >= TURN_SHARES_US
               ? TURN_SHARE_MIN_US
               : TURN_SHARES_US / count;
}

void turns_begin(struct worker *w, void (*take_turn)(struct connection *c))
{
    struct turns *t = &w->turns;
    struct turn_share *s;

    t->number++;
    t->each_us = length_of_shares(t);
    while ((s = TAILQ_FIRST(&t->waiting)) != NULL && s->passed != t->number) {
        struct connection *c = TAILQ_FIRST(&s->waiting);
        TAILQ_REMOVE(&t->waiting, s, wait);
        TAILQ_INSERT_TAIL(&t->waiting, s, wait);
        if (left_us(t, s) <= 0) {
            s->passed = t->number;
            continue;
        }
        turn_share_forget(c);
        take_turn(c); /* may use up the share */
    }
}

/* ---- backlog
 * -------------------------------------------------------------- */

void turn_backlog_add(struct connection *c)
{
    struct turn_share *s = share_of(c);

    if (TAILQ_EMPTY(&s->owed))
        TAILQ_INSERT_TAIL(&c->worker->turns.owed, s, in_owed);
    TAILQ_INSERT_TAIL(&s->owed, c, owed);
}

/* Its share goes behind the others. */
void turn_backlog_remove(struct connection *c)
{
    struct turns *t = &c->worker->turns;
    struct turn_share *s = share_of(c);

    TAILQ_REMOVE(&s->owed, c, owed);
    TAILQ_REMOVE(&t->owed, s, in_owed);
    if (!TAILQ_EMPTY(&s->owed))
        TAILQ_INSERT_TAIL(&t->owed, s, in_owed);
}

struct connection *turn_backlog_next(const struct worker *w)
{
    const struct turn_share *s = TAILQ_FIRST(&w->turns.owed);

    return s == NULL ? NULL : TAILQ_FIRST(&s->owed);
}
