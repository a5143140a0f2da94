#include "broker/admin/status.h"

#include <stddef.h>

#include "base/json_write.h"
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

static void put_traffic(const struct hub *hub, struct json_writer *w)
{
    json_member_object(w, "connections");
    json_member_u64(w, "now", atomic_load(&hub->connections));
    json_member_u64(w, "unidentified", atomic_load(&hub->unidentified));
    json_member_u64(w, "accepted", SUM(hub, counters.accepted));
    json_member_u64(w, "limit", hub->budget->limit);
#define X(name) json_member_u64(w, "refused_" #name, SUM(hub, counters.name));
    COUNTERS_REFUSED(X)
#undef X
    json_object_end(w);

    json_member_object(w, "clients");
    json_member_u64(w, "connected", SUM(hub, clients));
    json_member_u64(w, "connected_stored", SUM(hub, clients_stored));
    json_object_end(w);

    json_member_object(w, "packets");
    json_member_u64(w, "received", SUM(hub, counters.packets));
    json_member_u64(w, "sent",
                    SUM(hub, counters.delivered) + SUM(hub, counters.answers));
    json_object_end(w);

    json_member_object(w, "messages");
    json_member_u64(w, "received", SUM(hub, counters.received));
    json_member_u64(w, "delivered", SUM(hub, counters.delivered));
    json_object_end(w);

    json_member_object(w, "bytes");
    json_member_u64(w, "received", SUM(hub, counters.bytes_received));
    json_member_u64(w, "sent", SUM(hub, counters.bytes_sent));
    json_object_end(w);

    json_member_u64(w, "subscriptions", SUM(hub, subscriptions));
    json_member_u64(w, "shared_subscriptions", SUM(hub, shared_subscriptions));
    json_member_object(w, "catchup");
    json_member_u64(w, "switched", SUM(hub, counters.catchup_switched));
    json_member_u64(w, "records", SUM(hub, counters.catchup_records));
    json_object_end(w);
    json_member_object(w, "shared");
    json_member_u64(w, "given", SUM(hub, counters.share_given));
    json_member_u64(w, "returned", SUM(hub, counters.share_returned));
    json_member_u64(w, "behind", SUM(hub, counters.share_behind));
    json_object_end(w);
    json_member_u64(w, "batches_dropped", SUM(hub, counters.batches_dropped));
}

static void put_causes(const struct hub *hub, struct json_writer *w)
{
    json_member_object(w, "dropped");
#define X(name, text)                                                         \
    json_member_u64(w, #name, SUM(hub, counters.dropped.name));
    COUNTERS_DROPPED(X)
#undef X
    json_object_end(w);

    json_member_object(w, "closed");
#define X(name, metric, code, will, text)                                     \
    json_member_u64(w, #metric, SUM(hub, closed[CLOSE_##name]));
    CLOSE_REASONS(X)
#undef X
    json_object_end(w);
}

static void put_writer(const struct hub *hub, struct json_writer *w)
{
    struct writer_stats s;

    writer_stats(hub->writer, &s);
    json_member_object(w, "writer");
    json_member_bool(w, "accepting", s.accepting);
    if (s.last_commit_us == 0)
        json_member_null(w, "last_commit");
    else
        json_member_time(w, "last_commit", s.last_commit_us);
    json_member_u64(w, "commits", s.commits);
    json_member_u64(w, "appended", s.appended);
    json_member_u64(w, "events", s.events);
    json_member_u64(w, "refused", s.refused);
    json_member_u64(w, "trimmed", s.trimmed);
    json_member_u64(w, "sessions_expired", s.sessions_expired);
    json_member_u64(w, "commit_p50_us", s.commit_p50_us);
    json_member_u64(w, "commit_p99_us", s.commit_p99_us);
    json_object_end(w);
}

static void put_store(const struct hub *hub, struct json_writer *w)
{
    struct store_stats s;

    if (store_stats(hub->store, &s) != STORE_OK)
        return; /* the member is missing, the rest is still good to know */
    json_member_object(w, "store");
    json_member_u64(w, "head", s.head);
    json_member_u64(w, "entries", s.log_entries);
    json_member_u64(w, "things", s.things);
    json_member_u64(w, "tokens", s.tokens);
    json_member_u64(w, "retained", s.retained);
    json_member_u64(w, "sessions", s.sessions);
    json_member_u64(w, "map_size", s.map_size);
    json_member_u64(w, "map_used", s.map_used);
    json_object_end(w);
}

void status_put(const struct hub *hub, int64_t uptime_us, uint16_t mqtt_port,
                struct buffer *out)
{
    struct json_writer writer = json_writer_of(out), *w = &writer;

    json_object(w);
    json_member_u64(w, "uptime_s", (uint64_t)uptime_us / 1000000);
    json_member_u64(w, "mqtt_port", mqtt_port);
    json_member_u64(w, "workers", hub->count);
    put_traffic(hub, w);
    put_causes(hub, w);
    put_writer(hub, w);
    put_store(hub, w);
    json_object_end(w);
}
