/* What a worker counts. One thread adds, any thread may read a moment-old
 * value: relaxed atomics, no read-modify-write. `status` sums over workers. */
#ifndef CONFAB_BROKER_CLIENT_COUNTERS_H
#define CONFAB_BROKER_CLIENT_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

/* X(name): totals since start */
#define COUNTERS_TOTAL(X)                                                     \
    X(accepted)          /* connections */                                    \
    X(connects)          /* CONNECT packets */                                \
    X(packets)           /* received, of any kind */                          \
    X(received)          /* PUBLISH packets */                                \
    X(delivered)         /* PUBLISH packets */                                \
    X(answers)           /* packets sent that are no PUBLISH */               \
    X(payload_received)  /* bytes, of PUBLISH packets */                      \
    X(payload_delivered) /* likewise */                                       \
    X(bytes_received)                                                         \
    X(bytes_sent)                                                             \
    X(catchup_switched) /* a live subscriber became a catch-up reader */      \
    X(catchup_records)  /* messages given to catch-up readers */              \
    X(batches_dropped)  /* the worker re-read the log instead */              \
    X(sessions_resumed) /* stored sessions their clients came back to */      \
    X(sessions_unsaved) /* last saves that the store refused */               \
    X(share_given)      /* messages to members of shared subscriptions */     \
    X(share_returned)   /* came back to their group */                        \
    X(share_behind)     /* a live group began to read the log */

/* X(name, text): messages that did not reach somebody, by cause */
#define COUNTERS_DROPPED(X)                                                   \
    X(refused, "QoS 0 PUBLISH refused by a limit or the store")               \
    X(forbidden, "QoS 0 PUBLISH to a topic that is not the client's")         \
    X(reserved, "QoS 0 PUBLISH with a reserved user property")                \
    X(dollar, "PUBLISH of a nameless client to a $ topic")                    \
    X(packet_size, "larger than the subscriber's Maximum Packet Size")        \
    X(expired, "its Message Expiry Interval had passed")                      \
    X(event_slow, "event for a subscriber or group that was behind")          \
    X(event_batch, "event in a batch the worker had no room for")             \
    X(will, "will that was refused by a limit or the store")                  \
    X(memory, "no memory to deliver it")                                      \
    X(retention, "in flight when retention removed it")

/* Kept by the broker, not by a worker: the accepting side of limits. */
#define COUNTERS_REFUSED(X)                                                   \
    X(connection_limit) /* limits.connections */                              \
    X(plan_limit)       /* the plan's connections */                          \
    X(address_limit)    /* limits.connections_per_address */

struct counters {
#define X(name, ...) _Atomic uint64_t name;
    COUNTERS_TOTAL(X)
    COUNTERS_REFUSED(X)
#undef X
    struct {
#define X(name, text) _Atomic uint64_t name;
        COUNTERS_DROPPED(X)
#undef X
    } dropped;
};

/* The worker's thread only. */
static inline void counter_add(_Atomic uint64_t *c, uint64_t n)
{
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static inline uint64_t counter_read(const _Atomic uint64_t *c)
{
    return atomic_load_explicit(c, memory_order_relaxed);
}

#endif
