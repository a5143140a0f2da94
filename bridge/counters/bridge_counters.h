/* What the bridge counts, for GET /metrics. A new figure needs a row here and a
 * bridge_count() where it happens.
 *
 * Threads:  each thread counts in a block of its own, made at its first count and
 *           kept when the thread ends. The figures are those of the process. Any
 *           thread may call everything, unless said otherwise.
 * Bounds:   labels are names of ours, never tokens, things or anything else that
 *           clients send. */
#ifndef CONFAB_BRIDGE_COUNTERS_BRIDGE_COUNTERS_H
#define CONFAB_BRIDGE_COUNTERS_BRIDGE_COUNTERS_H

#include "base/metrics.h"

/* X(slot, type, unit, name, label, value, help): columns of struct metric. Rows with
 * the same name stand together; the first has the help. Names are public: add rows,
 * never rename. */
#define BRIDGE_METRICS(X)                                                     \
    X(HTTP_ACCEPTED, COUNTER, NUMBER, "http_connections_accepted", NULL,      \
      NULL, "HTTP connections let in, those for /metrics included.")          \
    X(HTTP_REFUSED_LIMIT, COUNTER, NUMBER, "http_connections_refused",        \
      "cause", "connection_limit", "HTTP connections refused, by the limit.") \
    X(HTTP_REFUSED_ADDRESS, COUNTER, NUMBER, "http_connections_refused",      \
      "cause", "address_limit", NULL)                                         \
    X(HTTP_BODY_RECEIVED, COUNTER, BYTES, "http_received_body", NULL, NULL,   \
      "Bytes of bodies in HTTP requests, as they came: compressed ones "      \
      "are not inflated.")                                                    \
    X(HTTP_BODY_SENT, COUNTER, BYTES, "http_sent_body", NULL, NULL,           \
      "Bytes of bodies in HTTP answers, those of streams not included.")      \
    X(LINK_CONNECTED, COUNTER, NUMBER, "link_connections", NULL, NULL,        \
      "Times the bridge has connected to the broker.")                        \
    X(LINK_WAITING, GAUGE, NUMBER, "link_requests_waiting", NULL, NULL,       \
      "Requests to the broker without an answer yet.")                        \
    X(LINK_OLDEST, GAUGE, MICROSECONDS, "link_oldest_request_age", NULL,      \
      NULL, "How long the request has waited that waits longest.")            \
    X(LINK_ANSWERED, COUNTER, NUMBER, "link_requests", "outcome", "answered", \
      "Requests to the broker, by how they ended.")                           \
    X(LINK_AWAY, COUNTER, NUMBER, "link_requests", "outcome", "away", NULL)   \
    X(LINK_TIMEOUT, COUNTER, NUMBER, "link_requests", "outcome", "timeout",   \
      NULL)                                                                   \
    X(LINK_FULL, COUNTER, NUMBER, "link_requests", "outcome", "full", NULL)   \
    X(LINK_WAITED, COUNTER, MICROSECONDS, "link_requests_wait", NULL, NULL,   \
      "Time from handing a request to the link to its answer, all "           \
      "together.")                                                            \
    X(STREAM_SENT, COUNTER, BYTES, "streams_sent", NULL, NULL,                \
      "Bytes sent on live streams.")                                          \
    X(STREAM_CATCHUPS, COUNTER, NUMBER, "streams_catchup_started", NULL,      \
      NULL,                                                                   \
      "Times a live stream began to be served from the log: at its "          \
      "start, when it was too slow, and when the link was lost.")             \
    X(STREAM_CATCHUP_MESSAGES, COUNTER, NUMBER, "streams_catchup_messages",   \
      NULL, NULL, "Messages sent from the log to live streams.")              \
    X(STREAM_GAPS, COUNTER, NUMBER, "streams_gaps", NULL, NULL,               \
      "Gap events sent to live streams: retention was faster.")               \
    X(OUTGOING_ANSWERED, COUNTER, NUMBER, "outgoing_requests", "outcome",     \
      "answered", "Outgoing HTTP requests, by how they ended.")               \
    X(OUTGOING_FAILED, COUNTER, NUMBER, "outgoing_requests", "outcome",       \
      "failed", NULL)                                                         \
    X(OUTGOING_TIMEOUT, COUNTER, NUMBER, "outgoing_requests", "outcome",      \
      "timeout", NULL)                                                        \
    X(OUTGOING_REFUSED, COUNTER, NUMBER, "outgoing_requests", "outcome",      \
      "address_refused", NULL)                                                \
    X(OUTGOING_CANCELLED, COUNTER, NUMBER, "outgoing_requests", "outcome",    \
      "cancelled", NULL)                                                      \
    X(OUTGOING_FULL, COUNTER, NUMBER, "outgoing_requests", "outcome",         \
      "queue_full", NULL)                                                     \
    X(WEBHOOKS_DELIVERED, COUNTER, NUMBER, "webhook_messages", "outcome",     \
      "delivered", "Messages for webhooks, by what became of them.")          \
    X(WEBHOOKS_DEAD, COUNTER, NUMBER, "webhook_messages", "outcome", "dead",  \
      NULL)                                                                   \
    X(WEBHOOKS_GONE, COUNTER, NUMBER, "webhook_messages", "outcome",          \
      "removed", NULL)                                                        \
    X(WEBHOOKS_FAILED, COUNTER, NUMBER, "webhook_failed_attempts", NULL,      \
      NULL, "Attempts to deliver a message to a webhook that failed.")        \
    X(WEBHOOKS_LAG, GAUGE, NUMBER, "webhooks_behind", NULL, NULL,             \
      "Log entries, of all tenants, that have come since the oldest "         \
      "message that a webhook has still to deliver.")

/* Statuses that this server sends; any other is counted as 500. Laid out by hand:
 * clang-format 14 would indent it differently each time. */
/* clang-format off */
#define BRIDGE_STATUSES(X)                                                    \
    X(101)                                                                    \
    X(200) X(201) X(202) X(204) X(206)                                        \
    X(301) X(302) X(303) X(304) X(307) X(308)                                 \
    X(400) X(401) X(403) X(404) X(405) X(406) X(408) X(409) X(410) X(411)     \
    X(412) X(413) X(414) X(415) X(416) X(417) X(422) X(426) X(429) X(431)     \
    X(500) X(501) X(502) X(503) X(504) X(505) X(507)
/* clang-format on */

#define BRIDGE_FORMATS_MAX 16 /* formats of streams */

enum bridge_slot {
#define X(slot, ...) COUNT_##slot,
    BRIDGE_METRICS(X)
#undef X
    /* a slot per format; see bridge_count_formats() */
    COUNT_STREAMS,
    COUNT_STREAMS_OPENED = COUNT_STREAMS + BRIDGE_FORMATS_MAX,
    COUNT_STREAMS_ENCODED = COUNT_STREAMS_OPENED + BRIDGE_FORMATS_MAX,
    COUNT_FIRST_DOOR = COUNT_STREAMS_ENCODED + BRIDGE_FORMATS_MAX
};

enum bridge_status {
#define X(code) STATUS_##code,
    BRIDGE_STATUSES(X)
#undef X
        STATUS_COUNT
};

#define BRIDGE_DOORS_MAX 16
#define BRIDGE_SLOTS (COUNT_FIRST_DOOR + BRIDGE_DOORS_MAX * STATUS_COUNT)

/* This thread's block; NULL: the thread has not counted yet. */
extern _Thread_local _Atomic uint64_t *bridge_slots;
_Atomic uint64_t *bridge_slots_make(void);

static inline _Atomic uint64_t *bridge_slot(unsigned slot)
{
    _Atomic uint64_t *slots =
        bridge_slots != NULL ? bridge_slots : bridge_slots_make();

    return &slots[slot];
}

static inline void bridge_count(unsigned slot, uint64_t n)
{
    counter_add(bridge_slot(slot), n);
}

/* Lowers a gauge. Any thread may do it: only the sum over all threads counts. */
static inline void bridge_uncount(unsigned slot, uint64_t n)
{
    counter_sub(bridge_slot(slot), n);
}

/* The names of the streams' formats, by number; static. Main thread, before the first
 * stream. Only the first call has an effect. */
void bridge_count_formats(const char *const *names, size_t count);
/* A number for the door `name` (static); the same name gets the same number. Door 0
 * is "none": requests that no door got. Of more than BRIDGE_DOORS_MAX doors the later
 * ones are counted as 0. Main thread, after bridge_count_formats(), before the door's
 * first request. */
unsigned bridge_count_door(const char *name);
/* Counts one response of a door. */
void bridge_count_response(unsigned door, unsigned status);

/* Notes since when (monotonic time) the oldest request to the broker has waited; 0:
 * none waits. The link's thread. */
void bridge_note_oldest_request(int64_t since_us);

/* The registry, which lives as long as the process. NULL: out of memory. */
struct metrics *bridge_metrics(void);

#endif
