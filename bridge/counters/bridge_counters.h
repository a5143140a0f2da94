/* What the bridge counts, for GET /metrics. A row here and one bridge_count() is
 * all that a new figure needs.
 *
 * Threads:  every thread counts in a block of its own, made when it first counts
 *           and kept when it has ended. The figures are of the process, as logs
 *           are. Any thread may call everything.
 * Bounds:   labels are names of ours. Tokens, things and what else clients send
 *           are never one. */
#ifndef CONFAB_BRIDGE_COUNTERS_BRIDGE_COUNTERS_H
#define CONFAB_BRIDGE_COUNTERS_BRIDGE_COUNTERS_H

#include "base/metrics.h"

/* X(slot, type, unit, name, label, value, help): columns of struct metric; rows
 * of one name stand together, the first has the help. Names are public: add,
 * never rename. */
#define BRIDGE_METRICS(X)                                                     \
    X(HTTP_ACCEPTED, COUNTER, NUMBER, "http_connections_accepted", NULL,      \
      NULL, "HTTP connections let in, those for /metrics included.")          \
    X(HTTP_REFUSED_LIMIT, COUNTER, NUMBER, "http_connections_refused",        \
      "cause", "connection_limit", "HTTP connections refused, by the limit.") \
    X(HTTP_REFUSED_ADDRESS, COUNTER, NUMBER, "http_connections_refused",      \
      "cause", "address_limit", NULL)                                         \
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
      "Gap events sent to live streams: retention was faster.")

/* Of responses, as far as this server sends them; others count as 500.
 * By hand: clang-format 14 indents it anew each time. */
/* clang-format off */
#define BRIDGE_STATUSES(X)                                                    \
    X(101)                                                                    \
    X(200) X(201) X(202) X(204) X(206)                                        \
    X(301) X(302) X(303) X(304) X(307) X(308)                                 \
    X(400) X(401) X(403) X(404) X(405) X(406) X(408) X(409) X(410) X(411)     \
    X(412) X(413) X(414) X(415) X(416) X(417) X(422) X(426) X(429) X(431)     \
    X(500) X(501) X(502) X(503) X(504) X(505) X(507)
/* clang-format on */

#define BRIDGE_FORMATS_MAX 8 /* of streams */

enum bridge_slot {
#define X(slot, ...) COUNT_##slot,
    BRIDGE_METRICS(X)
#undef X
    /* a slot per format; see bridge_count_formats() */
    COUNT_STREAMS,
    COUNT_STREAMS_OPENED = COUNT_STREAMS + BRIDGE_FORMATS_MAX,
    COUNT_FIRST_DOOR = COUNT_STREAMS_OPENED + BRIDGE_FORMATS_MAX
};

enum bridge_status {
#define X(code) STATUS_##code,
    BRIDGE_STATUSES(X)
#undef X
        STATUS_COUNT
};

#define BRIDGE_DOORS_MAX 16
#define BRIDGE_SLOTS (COUNT_FIRST_DOOR + BRIDGE_DOORS_MAX * STATUS_COUNT)

/* This thread's block; NULL: it has not counted yet. */
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

/* Of a gauge, by whichever thread: only the sum counts. */
static inline void bridge_uncount(unsigned slot, uint64_t n)
{
    counter_sub(bridge_slot(slot), n);
}

/* What streams' formats are called, by their numbers; static. Main thread, before
 * the first stream; the first call counts. */
void bridge_count_formats(const char *const *names, size_t count);
/* A number for the door `name` (static), the same for the same name. Door 0 is
 * "none": requests that no door got. At most BRIDGE_DOORS_MAX doors; those beyond
 * are 0. Main thread, behind bridge_count_formats(), before the door's first
 * request. */
unsigned bridge_count_door(const char *name);
/* One more response of it. */
void bridge_count_response(unsigned door, unsigned status);

/* Monotonic time since when the request to the broker that waits longest does; 0:
 * none waits. The link's thread. */
void bridge_note_oldest_request(int64_t since_us);

/* The registry, for the process's life. NULL: out of memory. */
struct metrics *bridge_metrics(void);

#endif
