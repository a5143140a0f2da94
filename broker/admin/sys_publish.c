/* From figures to subscribers: sys.h's other half. */
#include <string.h>

#include "base/topic.h"
#include "broker/admin/sys.h"
#include "broker/deliver/delivery.h"
#include "broker/worker.h"

#define LOAD_TOPICS(topic)                                                    \
    SYS_PREFIX topic "/1min", SYS_PREFIX topic "/5min",                       \
        SYS_PREFIX topic "/15min"

static const char *const topics[SYS_TOPIC_COUNT] = {
#define X(name, topic) SYS_PREFIX topic,
    SYS_PLAIN(X)
#undef X
#define X(name, topic, total) LOAD_TOPICS(topic),
        SYS_LOADS(X)
#undef X
};

/* NULL: out of memory. */
static struct message *message_of(const struct worker *w, unsigned topic)
{
    const struct message m = {
        .kind = MESSAGE_EVENT,
        .retain = true,
        .payload_class = PAYLOAD_TEXT,
        .topic = slice_str(topics[topic]),
        .payload = slice_str(w->sys.text[topic]),
    };

    return message_new(&m);
}

static void take_values(struct sys *s, struct sys_values *ret)
{
    pthread_mutex_lock(&s->mutex);
    *ret = s->values;
    pthread_mutex_unlock(&s->mutex);
}

static void look(struct worker *w)
{
    struct sys_values *seen = &w->sys, now;

    if (atomic_load(&w->hub->sys.sample) == seen->sample)
        return;
    take_values(&w->hub->sys, &now);
    seen->sample = now.sample;
    for (unsigned i = 0; i < SYS_TOPIC_COUNT; i++) {
        if (strcmp(seen->text[i], now.text[i]) == 0)
            continue;
        memcpy(seen->text[i], now.text[i], SYS_TEXT_SIZE);
        struct message *m = message_of(w, i);
        if (m == NULL) {
            counter_add(&w->counters.dropped.memory, 1);
            continue;
        }
        delivery_fan_out(w, m);
        message_unref(m);
    }
}

/* ---- subscriptions ------------------------------------------------------ */

bool sys_concerns(struct slice filter)
{
    struct slice group, inner = filter;

    if (filter_is_shared(filter) && !filter_share(filter, &group, &inner))
        return false;
    return slice_eq(topic_first_level(inner), slice_str(SYS_LEVEL));
}

/* The first one here: nobody has looked for some time. It is not in the index
 * yet, so what has changed since reaches it once, with all the rest. */
void sys_subscribing(struct worker *w)
{
    if (w->sys_subscriptions++ == 0)
        look(w);
    atomic_fetch_add(&w->hub->sys.subscriptions, 1);
}

void sys_unsubscribed(struct worker *w)
{
    w->sys_subscriptions--;
    atomic_fetch_sub(&w->hub->sys.subscriptions, 1);
}

void sys_turn(struct worker *w)
{
    if (atomic_load_explicit(&w->hub->sys.subscriptions,
                             memory_order_relaxed) > 0)
        look(w);
}

bool sys_give(struct connection *c, struct slice filter,
              const struct grant *grant, unsigned *at)
{
    struct worker *w = c->worker;

    for (; *at < SYS_TOPIC_COUNT && delivery_has_room(c); (*at)++) {
        if (w->sys.text[*at][0] == '\0' ||
            !filter_matches(filter, slice_str(topics[*at])))
            continue;
        struct message *m = message_of(w, *at);
        if (m == NULL)
            return false;
        const bool good = delivery_give(c, m, grant);
        message_unref(m);
        if (!good)
            return false;
    }
    return true;
}
