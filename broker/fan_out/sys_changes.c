#include "broker/fan_out/sys_changes.h"

#include <string.h>

#include "broker/client/shard.h"
#include "broker/deliver/sys_values.h"
#include "broker/fan_out/fan_out_message.h"

static void read_board(struct sys_board *board, struct sys_values *ret)
{
    pthread_mutex_lock(&board->mutex);
    *ret = board->values;
    pthread_mutex_unlock(&board->mutex);
}

static void fan_out_changes(struct worker *w)
{
    struct sys_values *seen = w->sys, now;

    if (atomic_load(&w->hub->sys->sample) == seen->sample)
        return;
    read_board(w->hub->sys, &now);
    seen->sample = now.sample;
    for (unsigned i = 0; i < SYS_TOPIC_COUNT; i++) {
        if (strcmp(seen->text[i], now.text[i]) == 0)
            continue;
        memcpy(seen->text[i], now.text[i], SYS_TEXT_SIZE);
        struct message *m = sys_values_message(seen, i);
        if (m == NULL) {
            counter_add(&w->counters.dropped.memory, 1);
            continue;
        }
        fan_out_message(w, m);
        message_unref(m);
    }
}

/* The first subscription here, so the values may be old. It is not in the
 * index yet, so it gets what has changed since once, with all other values. */
void sys_changes_subscribing(struct worker *w)
{
    if (w->sys_subscriptions++ == 0)
        fan_out_changes(w);
    atomic_fetch_add(&w->hub->sys->subscriptions, 1);
}

void sys_changes_unsubscribed(struct worker *w)
{
    w->sys_subscriptions--;
    atomic_fetch_sub(&w->hub->sys->subscriptions, 1);
}

void sys_changes_turn(struct worker *w)
{
    if (atomic_load_explicit(&w->hub->sys->subscriptions,
                             memory_order_relaxed) > 0)
        fan_out_changes(w);
}
