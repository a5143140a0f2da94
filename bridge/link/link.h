/* The bridge's one MQTT connection to the broker: libmosquitto over
 * <data>/confab.sock, driven by a libev loop in a thread of its own, the only thread
 * that touches it. Requests wait in a bounded FIFO; at most 512 PUBLISHes are in flight
 * (for each, libmosquitto walks its in-flight list). Messages that wait behind others
 * share a PUBLISH (link_bundle.h).
 *
 * Every PUBLISH carries an operation id (boot id and counter, PROP_OP). When the
 * connection is lost, the mosquitto instance is destroyed, and everything unanswered is
 * published again on a new one, under its old id. The broker answers a repeat with the
 * first result, so nothing is stored twice. */
#ifndef CONFAB_BRIDGE_LINK_LINK_H
#define CONFAB_BRIDGE_LINK_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/slice.h"

struct link;

#define LINK_ALONE (-1)

/* One PUBLISH of the bridge, and its answer. The caller owns the memory, but must not
 * touch it from link_publish() until done(). */
struct link_request {
    struct slice topic; /* all slices are borrowed until done() */
    struct slice payload;
    struct slice idempotency; /* empty: none; UTF-8 without control and
                                  non-characters, ≤ 256 bytes, or else it is
                                  answered with 400 */
    struct slice sender;      /* the caller's user; empty: none. The same rules
                                  as for idempotency */
    struct slice address;     /* PROP_ADDRESS, of a message with a sender to a
                                 room; empty: none. The same rules */
    int64_t window_start_us;  /* PROP_CHARGE; 0: none */
    bool retain;
    bool is_json;        /* PROP_CLASS json: the payload was checked here */
    bool topic_checked;  /* so was the topic: a token, a slash and a thing */
    int64_t deadline_us; /* clock_mono_us(); after it: LINK_TIMEOUT */
    /* called in the link's thread, exactly once; must not block */
    void (*done)(struct link_request *q);
    void *owner;

    /* the answer */
    enum link_outcome {
        LINK_ANSWERED, /* the broker's answer follows */
        LINK_TIMEOUT,  /* deadline passed: outcome unknown (504) */
        LINK_AWAY,     /* never sent, broker away (503) */
        LINK_FULL      /* never sent, too many wait already (503) */
    } outcome;
    int status; /* PROP_STATUS: 200, 4xx, 5xx */
    uint64_t id, seq;
    int64_t at_us;
    uint64_t remaining; /* UINT64_MAX: unlimited */
    uint32_t retry_after_s;
    bool repeated;
    char reason[160]; /* MQTT reason string, "" when none */
    char *result;     /* PROP_RESULT (JSON) or NULL; free() it */
    size_t result_len;

    /* private to the link */
    int64_t asked_us; /* monotonic */
    TAILQ_ENTRY(link_request) entry;
    LIST_ENTRY(link_request) by_packet;
    uint64_t operation; /* counter of the operation id; 0: none yet */
    int packet_id;      /* while in flight */
    int place;          /* while in flight: index in a bundle, or LINK_ALONE */
    bool may_share;     /* link_bundle_takes() */
    bool sent;          /* at least once: the broker may have applied it */
    uint16_t share;     /* of the queue, by its token */
};

/* A message as it arrived; everything is borrowed for the call. */
struct link_message {
    struct slice topic;
    struct slice payload;
    uint8_t
        kind; /* enum message_kind: a message, or a change, whose payload is
                     JSON (store/message_json.h); events: 0 */
    struct slice sender; /* empty: none */
    uint64_t id, seq;    /* 0 for events, which are not stored ($events/…) */
    int64_t at_us;
    bool is_classified;    /* payload_class is known: … */
    uint8_t payload_class; /* enum payload_class (store/message.h) */
};

struct link_opts {
    const char *socket_path; /* copied */
    size_t queue_bound;      /* requests waiting or in flight; 0: 16384 */
    double gather_s; /* how long messages wait to share a PUBLISH, at most; 0:
                        0.001 */
    void *arg;
    /* Called in the link's thread; must not block. Messages come in id order. */
    void (*on_message)(void *arg, const struct link_message *m);
    void (*on_up)(void *arg, uint64_t generation); /* CONNACK came; nothing is
                                                      subscribed yet */
    void (*on_down)(void *arg);
    /* SUBACK for link_subscribe(filter) of this generation. ok: granted, and every
     * message committed from now on that matches the filter arrives. */
    void (*on_subscribed)(void *arg, struct slice filter, bool ok);
};

/* Returns before it is connected; reconnects for ever (after 50 ms … 1 s). NULL: out of
 * memory or threads. */
struct link *link_start(const struct link_opts *opts);
/* Waits up to `grace_ms` for answers, ends the rest as LINK_AWAY or LINK_TIMEOUT, and
 * joins the thread: no callback runs after it. Other threads may still call in; they
 * get false. Call it once. NULL is fine. */
void link_stop(struct link *l, unsigned grace_ms);
/* After link_stop(), when no thread can call in any more. NULL is fine. */
void link_free(struct link *l);

bool link_is_up(const struct link *l); /* any thread */
/* Asks the link to log one line about what it holds, a moment later. Any thread. */
void link_dump(struct link *l);

/* Any thread, never blocks. false: link down (and not only for an instant: a
 * request waits up to 2 s for a reconnect), LINK_AWAY, or FIFO full, LINK_FULL:
 * outcome says it, answer 503. q stays the caller's and done() is not called.
 * Requests of one token (the topic's first level) have a third of what they leave
 * to the others, which is a quarter of the FIFO where nobody else is. */
bool link_publish(struct link *l, struct link_request *q);

/* Any thread, never blocks. QoS 0, Retain Handling 2. The link does not repeat it after a
 * reconnect; do that in on_up(). `filter` is copied. false: link down, or too many are
 * in flight (try again after the next SUBACK). */
bool link_subscribe(struct link *l, struct slice filter);
bool link_unsubscribe(struct link *l, struct slice filter);

#endif
