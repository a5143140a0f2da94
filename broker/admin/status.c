#include "broker/admin/status.h"

#include <stddef.h>

#include "base/net/connection_budget.h"

#include "broker/worker.h"

uint64_t status_sum(const struct hub *hub, size_t offset_in_worker)
{
    uint64_t total = 0;

    for (unsigned i = 0; i <= hub->count; i++) {
        const char *w = (const char *)hub->workers[i];
        total += counter_read(
            (const _Atomic uint64_t *)(const void *)(w + offset_in_worker));
    }
    return total;
}

#define SUM STATUS_SUM

static void put_member(struct buffer *out, const char *name, uint64_t v)
{
    const char last = out->len > 0 ? out->data[out->len - 1] : '{';

    if (last != '{')
        buffer_put_char(out, ',');
    buffer_printf(out, "\"%s\":", name);
    buffer_put_u64(out, v);
}

static void put_object(struct buffer *out, const char *name)
{
    buffer_printf(out, ",\"%s\":{", name);
}

static void put_traffic(const struct hub *hub, struct buffer *out)
{
    put_object(out, "connections");
    put_member(out, "now", atomic_load(&hub->connections));
    put_member(out, "unidentified", atomic_load(&hub->unidentified));
    put_member(out, "accepted", SUM(hub, counters.accepted));
    put_member(out, "limit", hub->budget->limit);
#define X(name) put_member(out, "refused_" #name, SUM(hub, counters.name));
    COUNTERS_REFUSED(X)
#undef X
    buffer_put_char(out, '}');

    put_object(out, "clients");
    put_member(out, "connected", SUM(hub, clients));
    put_member(out, "connected_stored", SUM(hub, clients_stored));
    buffer_put_char(out, '}');

    put_object(out, "packets");
    put_member(out, "received", SUM(hub, counters.packets));
    put_member(out, "sent",
               SUM(hub, counters.delivered) + SUM(hub, counters.answers));
    buffer_put_char(out, '}');

    put_object(out, "messages");
    put_member(out, "received", SUM(hub, counters.received));
    put_member(out, "delivered", SUM(hub, counters.delivered));
    buffer_put_char(out, '}');

    put_object(out, "bytes");
    put_member(out, "received", SUM(hub, counters.bytes_received));
    put_member(out, "sent", SUM(hub, counters.bytes_sent));
    buffer_put_char(out, '}');

    put_member(out, "subscriptions", SUM(hub, subscriptions));
    put_member(out, "shared_subscriptions", SUM(hub, shared_subscriptions));
    put_object(out, "catchup");
    put_member(out, "switched", SUM(hub, counters.catchup_switched));
    put_member(out, "records", SUM(hub, counters.catchup_records));
    buffer_put_char(out, '}');
    put_object(out, "shared");
    put_member(out, "given", SUM(hub, counters.share_given));
    put_member(out, "returned", SUM(hub, counters.share_returned));
    put_member(out, "behind", SUM(hub, counters.share_behind));
    buffer_put_char(out, '}');
    put_member(out, "batches_dropped", SUM(hub, counters.batches_dropped));
}

static void put_causes(const struct hub *hub, struct buffer *out)
{
    put_object(out, "dropped");
#define X(name, text) put_member(out, #name, SUM(hub, counters.dropped.name));
    COUNTERS_DROPPED(X)
#undef X
    buffer_put_char(out, '}');

    put_object(out, "closed");
#define X(name, metric, code, will, text)                                     \
    put_member(out, #metric, SUM(hub, closed[CLOSE_##name]));
    CLOSE_REASONS(X)
#undef X
    buffer_put_char(out, '}');
}

static void put_writer(const struct hub *hub, struct buffer *out)
{
    struct writer_stats s;

    writer_stats(hub->writer, &s);
    buffer_printf(out, ",\"writer\":{\"accepting\":%s,\"last_commit\":",
                  s.accepting ? "true" : "false");
    if (s.last_commit_us == 0) {
        buffer_put_str(out, "null");
    } else {
        buffer_put_char(out, '"');
        buffer_put_time(out, s.last_commit_us, 3);
        buffer_put_char(out, '"');
    }
    put_member(out, "commits", s.commits);
    put_member(out, "appended", s.appended);
    put_member(out, "events", s.events);
    put_member(out, "refused", s.refused);
    put_member(out, "trimmed", s.trimmed);
    put_member(out, "sessions_expired", s.sessions_expired);
    put_member(out, "commit_p50_us", s.commit_p50_us);
    put_member(out, "commit_p99_us", s.commit_p99_us);
    buffer_put_char(out, '}');
}

static void put_store(const struct hub *hub, struct buffer *out)
{
    struct store_stats s;

    if (store_stats(hub->store, &s) != STORE_OK)
        return; /* the member is missing, the rest is still good to know */
    put_object(out, "store");
    put_member(out, "head", s.head);
    put_member(out, "entries", s.log_entries);
    put_member(out, "things", s.things);
    put_member(out, "tokens", s.tokens);
    put_member(out, "retained", s.retained);
    put_member(out, "sessions", s.sessions);
    put_member(out, "map_size", s.map_size);
    put_member(out, "map_used", s.map_used);
    buffer_put_char(out, '}');
}

void status_put(const struct hub *hub, int64_t uptime_us, uint16_t mqtt_port,
                struct buffer *out)
{
    buffer_put_char(out, '{');
    put_member(out, "uptime_s", (uint64_t)uptime_us / 1000000);
    put_member(out, "mqtt_port", mqtt_port);
    put_member(out, "workers", hub->count);
    put_traffic(hub, out);
    put_causes(hub, out);
    put_writer(hub, out);
    put_store(hub, out);
    buffer_put_char(out, '}');
}
