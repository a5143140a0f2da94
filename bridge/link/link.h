/* The bridge's one MQTT connection to the broker: libmosquitto over
 * <data>/confab.sock, driven by a libev loop in a thread of its own, the only
 * one that touches it. In front a bounded FIFO, at most 512 PUBLISHes under
 * way (each costs libmosquitto a walk of its in-flight list). Messages that wait
 * behind others share a PUBLISH (link_bundle.h).
 *
 * Every PUBLISH carries an operation id (boot id and counter, PROP_OP). When
 * the connection is lost the mosquitto instance is destroyed and everything
 * unanswered is published again under its old id on a new one: the broker
 * answers a repeat with its first result, so nothing is stored twice. */
#ifndef CONFAB_BRIDGE_LINK_LINK_H
#define CONFAB_BRIDGE_LINK_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/slice.h"

struct link;

#define LINK_ALONE (-1)

/* One PUBLISH of the bridge's, and its answer. The caller's memory; the link's
 * from link_publish() until done(). */
struct link_request {
    struct slice topic; /* all borrowed until done() */
    struct slice payload;
    struct slice idempotency; /* empty: none; UTF-8 without control
                                  and non-characters, ≤ 256 bytes, or it is
                                  answered 400 */
    struct slice sender;      /* the caller's user; empty: none. What holds for
                                  idempotency holds for it */
    int64_t window_start_us;  /* PROP_CHARGE; 0: none */
    bool retain;
    bool is_json;        /* PROP_CLASS json: payload was checked here */
    bool topic_checked;  /* so was the topic: a token, a slash and a thing */
    int64_t deadline_us; /* clock_mono_us(); past it: LINK_TIMEOUT */
    /* link's thread, exactly once; must not block */
    void (*done)(struct link_request *q);
    void *owner;

    /* the answer */
    enum link_outcome {
        LINK_ANSWERED, /* status and the rest are the broker's */
        LINK_TIMEOUT,  /* deadline passed: outcome unknown (504) */
        LINK_AWAY      /* never sent, broker away (503) */
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

    /* the link's */
    int64_t asked_us; /* monotonic */
    TAILQ_ENTRY(link_request) entry;
    LIST_ENTRY(link_request) by_packet;
    uint64_t operation; /* counter of the operation id; 0: not given yet */
    int packet_id;      /* while under way */
    int place;          /* then: in a bundle, from 0; LINK_ALONE */
    bool may_share;     /* link_bundle_takes() */
    bool sent;          /* at least once: the broker may have applied it */
};

/* A message as it arrived; everything borrowed for the call. */
struct link_message {
    struct slice topic;
    struct slice payload;
    uint64_t id, seq; /* 0 for what is not stored ($events/…) */
    int64_t at_us;
    bool is_classified;    /* payload_class is known: … */
    uint8_t payload_class; /* enum payload_class (store/message.h) */
};

struct link_opts {
    const char *socket_path; /* copied */
    size_t queue_bound;      /* requests waiting or under way; 0: 16384 */
    double gather_s; /* messages wait so long, at most, to share a PUBLISH; 0:
                        0.001 */
    void *arg;
    /* All in the link's thread, must not block. Messages come in id order. */
    void (*on_message)(void *arg, const struct link_message *m);
    void (*on_up)(void *arg, uint64_t generation); /* CONNACK seen; nothing is
                                                      subscribed yet */
    void (*on_down)(void *arg);
    /* SUBACK for link_subscribe(filter) of this generation: every message
     * committed from now on that matches the filter arrives. ok: granted. */
    void (*on_subscribed)(void *arg, struct slice filter, bool ok);
};

/* NULL: out of memory or threads. Returns before it is connected; reconnects
 * for ever (50 ms … 1 s). */
struct link *link_start(const struct link_opts *opts);
/* Answers what can be answered within `grace_ms`, the rest LINK_AWAY/_TIMEOUT;
 * joins the thread: no callback runs after it. Other threads may still call in;
 * they get false. Once. NULL is fine. */
void link_stop(struct link *l, unsigned grace_ms);
/* After link_stop(), when no thread can call in any more. NULL is fine. */
void link_free(struct link *l);

bool link_is_up(const struct link *l); /* any thread */
/* Logs what it holds, in a line a moment later. Any thread. */
void link_dump(struct link *l);

/* Any thread, never blocks. false: link down (and not only for an instant: a
 * request waits up to 2 s for a reconnect) or FIFO full → answer 503; q stays
 * the caller's and done() is not called. */
bool link_publish(struct link *l, struct link_request *q);

/* Any thread, never blocks. QoS 0, Retain Handling 2. Not repeated by the link
 * after a reconnect: on_up() is the place to do that. `filter` is copied.
 * false: link down, or too many under way (try again after the next SUBACK). */
bool link_subscribe(struct link *l, struct slice filter);
bool link_unsubscribe(struct link *l, struct slice filter);

#endif
