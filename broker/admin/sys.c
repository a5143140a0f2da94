#include "broker/admin/sys.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "base/version.h"
#include "broker/admin/status.h"
#include "broker/client/shard.h"

#define SECOND_US 1000000.0
#define MINUTE_S 60.0

static const unsigned minutes[SYS_MINUTES_COUNT] = {1, 5, 15};

bool sys_init(struct sys_sampler *s, struct hub *hub, int64_t now_us)
{
    *s = (struct sys_sampler){.started_us = now_us};
    if (pthread_mutex_init(&s->board.mutex, NULL) != 0)
        return false;
    hub->sampler = s;
    hub->sys = &s->board;
    return true;
}

void sys_release(struct sys_sampler *s)
{
    pthread_mutex_destroy(&s->board.mutex);
}

/* ---- the figures -------------------------------------------------------- */

static struct sys_totals totals_of(const uint64_t figures[FIGURE_COUNT])
{
    struct sys_totals t = {
        .messages_received = figures[FIGURE_packets],
        .messages_sent = figures[FIGURE_packets_sent],
        .publish_received = figures[FIGURE_received],
        .publish_sent = figures[FIGURE_delivered],
        .bytes_received = figures[FIGURE_bytes_received],
        .bytes_sent = figures[FIGURE_bytes_sent],
        .sockets = figures[FIGURE_accepted],
        .connections = figures[FIGURE_connects],
    };

    for (size_t i = FIGURE_FIRST_DROPPED; i < FIGURE_FIRST_CLOSED; i++)
        t.publish_dropped += figures[i];
    return t;
}

static void put_number(struct sys_values *v, enum sys_topic topic,
                       uint64_t number)
{
    snprintf(v->text[topic], SYS_TEXT_SIZE, "%" PRIu64, number);
}

static void put_traffic(struct sys_values *v, const uint64_t *figures,
                        const struct sys_totals *t)
{
    put_number(v, SYS_MESSAGES_RECEIVED, t->messages_received);
    put_number(v, SYS_MESSAGES_SENT, t->messages_sent);
    put_number(v, SYS_PUBLISH_DROPPED, t->publish_dropped);
    put_number(v, SYS_PUBLISH_RECEIVED, t->publish_received);
    put_number(v, SYS_PUBLISH_SENT, t->publish_sent);
    put_number(v, SYS_PUBLISH_BYTES_RECEIVED,
               figures[FIGURE_payload_received]);
    put_number(v, SYS_PUBLISH_BYTES_SENT, figures[FIGURE_payload_delivered]);
    put_number(v, SYS_BYTES_RECEIVED, t->bytes_received);
    put_number(v, SYS_BYTES_SENT, t->bytes_sent);
    put_number(v, SYS_SUBSCRIPTIONS, figures[FIGURE_subscriptions]);
    put_number(v, SYS_SHARED, figures[FIGURE_shared_subscriptions]);
}

/* Sessions that wait for their client count as clients, as in mosquitto. The
 * row of a client that has just connected or gone may not be written yet. */
static void put_clients(struct sys_values *v, struct hub *hub,
                        const uint64_t *figures)
{
    const uint64_t connected = figures[FIGURE_clients];
    const uint64_t attended = figures[FIGURE_clients_stored];
    const uint64_t sessions = figures[FIGURE_sessions];
    const uint64_t away = sessions > attended ? sessions - attended : 0;

    if (connected > hub->sampler->clients_maximum)
        hub->sampler->clients_maximum = connected;
    put_number(v, SYS_CLIENTS_CONNECTED, connected);
    put_number(v, SYS_CLIENTS_ACTIVE, connected);
    put_number(v, SYS_CLIENTS_DISCONNECTED, away);
    put_number(v, SYS_CLIENTS_INACTIVE, away);
    put_number(v, SYS_CLIENTS_TOTAL, connected + away);
    put_number(v, SYS_CLIENTS_EXPIRED, figures[FIGURE_sessions_expired]);
    put_number(v, SYS_CLIENTS_MAXIMUM, hub->sampler->clients_maximum);
}

static void put_stored(struct sys_values *v, const uint64_t *figures)
{
    put_number(v, SYS_MESSAGES_STORED, figures[FIGURE_entries]);
    put_number(v, SYS_STORE_COUNT, figures[FIGURE_entries]);
    put_number(v, SYS_STORE_BYTES, figures[FIGURE_map_used]);
    put_number(v, SYS_RETAINED, figures[FIGURE_retained]);
}

/* ---- loads -------------------------------------------------------------- */

double sys_damp(double current, double rate, double elapsed_s,
                unsigned over_minutes)
{
    return rate +
           exp(-elapsed_s / (MINUTE_S * over_minutes)) * (current - rate);
}

/* The members of struct sys_totals in the order of enum sys_load. */
static uint64_t total_at(const struct sys_totals *t, unsigned load)
{
    switch (load) {
#define X(name, topic, total)                                                 \
    case SYS_##name: return t->total;
        SYS_LOADS(X)
#undef X
    default: return 0;
    }
}

static void put_loads(struct sys_values *v, struct sys_sampler *s,
                      const struct sys_totals *now, double elapsed_s)
{
    for (unsigned i = 0; i < SYS_LOAD_COUNT; i++) {
        const double rate =
            elapsed_s <= 0
                ? 0
                : (double)(total_at(now, i) - total_at(&s->totals, i)) *
                      MINUTE_S / elapsed_s;
        for (unsigned j = 0; j < SYS_MINUTES_COUNT; j++) {
            double *load = &s->loads[i][j];
            *load = sys_damp(*load, rate, elapsed_s, minutes[j]);
            snprintf(v->text[SYS_FIRST_LOAD + i * SYS_MINUTES_COUNT + j],
                     SYS_TEXT_SIZE, "%.2f", *load);
        }
    }
}

/* ---- the sample --------------------------------------------------------- */

static void publish_values(struct hub *hub, const struct sys_values *v)
{
    struct sys_board *s = hub->sys;

    pthread_mutex_lock(&s->mutex);
    s->values = *v;
    pthread_mutex_unlock(&s->mutex);
    atomic_store(&s->sample, v->sample);
    if (atomic_load(&s->subscriptions) == 0)
        return;
    for (unsigned i = 0; i <= hub->count; i++)
        worker_wake(hub->workers[i]);
}

void sys_sample(struct hub *hub, int64_t now_us)
{
    struct sys_sampler *s = hub->sampler;
    struct sys_values v = s->board.values; /* no other thread writes them */
    uint64_t figures[FIGURE_COUNT];
    const double elapsed_s =
        v.sample == 0 ? 0 : (double)(now_us - s->sampled_us) / SECOND_US;

    figures_read(hub, figures);
    const struct sys_totals totals = totals_of(figures);
    v.sample++;
    snprintf(v.text[SYS_VERSION], SYS_TEXT_SIZE,
             "confab version " CONFAB_VERSION);
    snprintf(v.text[SYS_UPTIME], SYS_TEXT_SIZE, "%" PRId64 " seconds",
             (now_us - s->started_us) / 1000000);
    put_traffic(&v, figures, &totals);
    if (figures[FIGURE_sessions] != METRIC_ABSENT) {
        put_clients(&v, hub, figures);
        put_stored(&v, figures);
    }
    put_loads(&v, s, &totals, elapsed_s);
    s->totals = totals;
    s->sampled_us = now_us;
    publish_values(hub, &v);
}
