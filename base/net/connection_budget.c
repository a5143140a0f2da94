#include "base/net/connection_budget.h"

#include <stddef.h>

void connection_budget_init(struct connection_budget *b, uint64_t limit)
{
    atomic_init(&b->used, 0);
    atomic_init(&b->limit, limit);
    b->make_room = NULL;
    b->arg = NULL;
    b->make_mqtt_room = NULL;
    b->mqtt_arg = NULL;
    pthread_mutex_init(&b->mutex, NULL);
}

void connection_budget_set_limit(struct connection_budget *b, uint64_t limit)
{
    atomic_store(&b->limit, limit);
}

void connection_budget_release(struct connection_budget *b)
{
    pthread_mutex_destroy(&b->mutex);
}

void connection_budget_set_make_room(struct connection_budget *b,
                                     bool (*make_room)(void *arg), void *arg)
{
    pthread_mutex_lock(&b->mutex);
    b->make_room = make_room;
    b->arg = arg;
    pthread_mutex_unlock(&b->mutex);
}

void connection_budget_set_make_mqtt_room(struct connection_budget *b,
                                          bool (*make_room)(void *arg,
                                                            bool any),
                                          void *arg)
{
    pthread_mutex_lock(&b->mutex);
    b->make_mqtt_room = make_room;
    b->mqtt_arg = arg;
    pthread_mutex_unlock(&b->mutex);
}

static bool mqtt_makes_room(struct connection_budget *b, bool any)
{
    return b->make_mqtt_room != NULL && b->make_mqtt_room(b->mqtt_arg, any);
}

static bool http_makes_room(struct connection_budget *b)
{
    return b->make_room != NULL && b->make_room(b->arg);
}

static bool ask_for_room(struct connection_budget *b)
{
    pthread_mutex_lock(&b->mutex);
    const bool made = mqtt_makes_room(b, false) || http_makes_room(b) ||
                      mqtt_makes_room(b, true);
    pthread_mutex_unlock(&b->mutex);
    return made;
}

bool connection_budget_take(struct connection_budget *b)
{
    const uint64_t limit = atomic_load(&b->limit);

    if (atomic_fetch_add(&b->used, 1) < limit || limit == 0)
        return true;
    atomic_fetch_sub(&b->used, 1);
    return ask_for_room(b);
}

void connection_budget_add(struct connection_budget *b)
{
    atomic_fetch_add(&b->used, 1);
}

void connection_budget_give(struct connection_budget *b)
{
    atomic_fetch_sub(&b->used, 1);
}
