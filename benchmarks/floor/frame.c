#include "benchmarks/floor/frame.h"

#include <stdio.h>
#include <time.h>

#include "benchmarks/wire/mqtt_packet.h"

#define LINE(name, value) name ": " value "\r\n"
const char frame_stream_start[] = "HTTP/1.1 200 OK\r\n" FRAME_HEADERS(
    LINE) LINE("Content-Type", "text/event-stream")
    LINE("Cache-Control", "no-cache, no-store, no-transform")
        LINE("X-Accel-Buffering", "no") "\r\n"
                                        "retry: 3000\n"
                                        "event: status\n"
                                        "data: {\"type\":\"connected\"}\n\n";
#undef LINE

void frame_time_set(struct frame_time *t, int64_t created_us)
{
    const time_t seconds = created_us / 1000000;
    const unsigned ms = (unsigned)(created_us / 1000 % 1000);
    struct tm tm;
    size_t len;

    gmtime_r(&seconds, &tm);
    len = strftime(t->text, sizeof(t->text), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(t->text + len, sizeof(t->text) - len, ".%03uZ", ms);
}

void frame_put_object(struct bytes *to, const struct floor_entry *e,
                      const struct frame_time *at)
{
    const struct topic *t = e->topic;
    const char *slash = memchr(t->name, '/', t->len);
    const size_t token_len = slash != NULL ? (size_t)(slash - t->name) : 0;
    const char *thing = slash != NULL ? slash + 1 : t->name;

    bytes_put_str(to, "{\"thing\":\"");
    bytes_put(to, thing, (size_t)(t->name + t->len - thing));
    bytes_put_str(to, "\",\"token\":\"");
    bytes_put(to, t->name, token_len);
    bytes_put_str(to, "\",\"chat\":");
    bytes_put(to, e->payload, e->len);
    bytes_put_str(to, ",\"createdAt\":\"");
    bytes_put_str(to, at->text);
    bytes_put_str(to, "\",\"id\":");
    bytes_put_decimal(to, e->id);
    bytes_put_str(to, "}");
}

void frame_put_row(struct bytes *to, const struct floor_record *r,
                   const struct frame_time *at)
{
    const char *slash = memchr(r->topic, '/', r->topic_len);
    const char *thing = slash != NULL ? slash + 1 : r->topic;

    bytes_put_str(to, "{\"id\":");
    bytes_put_decimal(to, r->id);
    bytes_put_str(to, ",\"thing\":\"");
    bytes_put(to, thing, (size_t)(r->topic + r->topic_len - thing));
    bytes_put_str(to, "\",\"chat\":");
    bytes_put(to, r->payload, r->len);
    bytes_put_str(to, ",\"createdAt\":\"");
    bytes_put_str(to, at->text);
    bytes_put_str(to, "\"}");
}

/* Ids need only differ from those a subscriber has not acknowledged yet. */
static uint16_t next_packet_id(struct topic *t)
{
    if (++t->last_packet_id == 0)
        t->last_packet_id = 1;
    return t->last_packet_id;
}

static void put_publish(struct bytes *to, bool qos1,
                        const struct floor_entry *e)
{
    mqtt_put_publish(to, &(struct mqtt_publish){
                             .qos = qos1 ? 1 : 0,
                             .packet_id = qos1 ? next_packet_id(e->topic) : 0,
                             .topic = e->topic->name,
                             .topic_len = e->topic->len,
                             .payload = e->payload,
                             .payload_len = e->len,
                         });
}

void frame_put(struct bytes *to, enum framing framing,
               const struct floor_entry *e, const struct frame_time *at)
{
    if (framing != FRAMING_SSE) {
        put_publish(to, framing == FRAMING_MQTT_QOS1 && e->from != NULL, e);
        return;
    }
    bytes_put_str(to, "id: ");
    bytes_put_decimal(to, e->id);
    bytes_put_str(to, "\nevent: message\ndata: ");
    frame_put_object(to, e, at);
    bytes_put_str(to, "\n\n");
}

void frame_put_receipt(struct bytes *to, uint64_t id)
{
    bytes_put_str(to, "{\"status\":\"ok\",\"id\":");
    bytes_put_decimal(to, id);
    bytes_put_str(to, "}");
}
