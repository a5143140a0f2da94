#include "broker/admin/status.h"

#include <assert.h>
#include <stddef.h>

#include "base/net/connection_budget.h"
#include "broker/client/shard.h"

/* Slots are the members of struct counters in their order. */
#define SLOT(field)                                                           \
    ((uint16_t)(offsetof(struct counters, field) / sizeof(uint64_t)))

#define PLAIN(field, type, unit, name, slot, group, member, help)             \
    [FIGURE_##field] = {name, {{0}}, METRIC_##type, METRIC_##unit,            \
                        slot, group, member,        help},
#define COUNTER(field, unit, name, group, member, help)                       \
    PLAIN(field, COUNTER, unit, name, SLOT(field), group, member, help)
#define GAUGE(field, unit, name, group, member, help)                         \
    PLAIN(field, GAUGE, unit, name, METRIC_SAMPLED, group, member, help)
#define TOTAL(field, unit, name, group, member, help)                         \
    PLAIN(field, COUNTER, unit, name, METRIC_SAMPLED, group, member, help)
#define CAUSE(figure, name, label, cause, slot, group, member, help)          \
    [figure] = {name,           {{label, cause}},                             \
                METRIC_COUNTER, METRIC_NUMBER,                                \
                slot,           group,                                        \
                member,         help},
#define REFUSED(field, help)                                                  \
    CAUSE(FIGURE_##field, "mqtt_connections_refused", "cause", #field,        \
          SLOT(field), "connections", "refused_" #field, help)

static const struct metric rows[FIGURE_COUNT] = {
    BROKER_TRAFFIC(COUNTER, REFUSED, GAUGE, TOTAL)
#define X(name, text)                                                         \
    CAUSE(FIGURE_DROPPED_##name, "mqtt_messages_dropped", "cause", #name,     \
          SLOT(dropped.name), "dropped", #name,                               \
          "Messages that did not reach somebody, by the cause.")
        COUNTERS_DROPPED(X)
#undef X
#define X(name, metric, code, will, text)                                     \
    CAUSE(FIGURE_CLOSED_##name, "mqtt_connections_closed", "reason", #metric, \
          METRIC_SAMPLED, "closed", #metric,                                  \
          "MQTT connections that ended, by the reason.")
            CLOSE_REASONS(X)
#undef X
                BROKER_STORE(GAUGE, TOTAL)};

struct metrics *figures_registry(void (*sample)(void *arg, uint64_t *values),
                                 void *arg)
{
    struct metrics *m = metrics_new(sample, arg);

    if (m != NULL && !metrics_add_rows(m, rows, FIGURE_COUNT, NULL)) {
        metrics_free(m);
        return NULL;
    }
    return m;
}

/* ---- reading ------------------------------------------------------------- */

static void add_slots(const struct worker *w, uint64_t *values)
{
    const _Atomic uint64_t *slots = (const void *)&w->counters;

    static_assert(sizeof(struct counters) % sizeof(slots[0]) == 0, "slots");
    for (size_t i = 0; i < FIGURE_COUNT; i++)
        if (rows[i].slot != METRIC_SAMPLED)
            values[i] += counter_read(&slots[rows[i].slot]);
    values[FIGURE_clients] += counter_read(&w->clients);
    values[FIGURE_clients_stored] += counter_read(&w->clients_stored);
    values[FIGURE_subscriptions] += counter_read(&w->subscriptions);
    values[FIGURE_shared_subscriptions] +=
        counter_read(&w->shared_subscriptions);
    for (size_t i = 0; i < CLOSE_REASON_COUNT; i++)
        values[FIGURE_FIRST_CLOSED + i] += counter_read(&w->closed[i]);
}

static void read_workers(const struct hub *hub, uint64_t *values)
{
    for (unsigned i = 0; i <= hub->count; i++)
        add_slots(hub->workers[i], values);
    values[FIGURE_packets_sent] =
        values[FIGURE_delivered] + values[FIGURE_answers];
    values[FIGURE_workers] = hub->count;
    values[FIGURE_connections] = atomic_load(&hub->connections);
    values[FIGURE_unidentified] = atomic_load(&hub->unidentified);
    values[FIGURE_connection_maximum] =
        hub->budget == NULL ? 0 : atomic_load(&hub->budget->limit);
}

static void read_writer(const struct hub *hub, uint64_t *values)
{
    struct writer_stats s;

    writer_stats(hub->writer, &s);
    values[FIGURE_accepting] = s.accepting;
    values[FIGURE_last_commit] = (uint64_t)s.last_commit_us;
    values[FIGURE_commits] = s.commits;
    values[FIGURE_appended] = s.appended;
    values[FIGURE_events] = s.events;
    values[FIGURE_refused] = s.refused;
    values[FIGURE_trimmed] = s.trimmed;
    values[FIGURE_sessions_expired] = s.sessions_expired;
    values[FIGURE_commit_p50] = s.commit_p50_us;
    values[FIGURE_commit_p99] = s.commit_p99_us;
}

static void read_store(const struct hub *hub, uint64_t *values)
{
    struct store_stats s;

    for (size_t i = FIGURE_head; i < FIGURE_COUNT; i++)
        values[i] = METRIC_ABSENT;
    if (store_stats(hub->store, &s) != STORE_OK)
        return; /* the rest is still good to know */
    values[FIGURE_head] = s.head;
    values[FIGURE_entries] = s.log_entries;
    values[FIGURE_things] = s.things;
    values[FIGURE_tokens] = s.tokens;
    values[FIGURE_retained] = s.retained;
    values[FIGURE_sessions] = s.sessions;
    values[FIGURE_map_size] = s.map_size;
    values[FIGURE_map_used] = s.map_used;
}

void figures_read(const struct hub *hub, uint64_t values[FIGURE_COUNT])
{
    memset(values, 0, FIGURE_COUNT * sizeof(values[0]));
    values[FIGURE_uptime] = values[FIGURE_mqtt_port] = METRIC_ABSENT;
    read_workers(hub, values);
    read_writer(hub, values);
    read_store(hub, values);
}
