/* What a client was sent with QoS 1 or 2 and has not finished yet, in the order
 * it was sent: redelivery keeps that order (MQTT-4.6.0-1). Packet ids are
 * 1…INFLIGHT_MAX, given round robin.
 *
 * Memory: none while nothing is in flight.
 * Threads: one worker's. */
#ifndef CONFAB_BROKER_CLIENT_INFLIGHT_H
#define CONFAB_BROKER_CLIENT_INFLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#define INFLIGHT_MAX 256

enum inflight_state {
    INFLIGHT_SENT,    /* PUBLISH was sent: PUBACK or PUBREC is awaited */
    INFLIGHT_RELEASED /* PUBREC came: PUBREL is due or sent, PUBCOMP awaited */
};

struct worker;

struct inflight_entry {
    uint64_t log_id; /* 0: an event, which is not in the log */
    uint32_t order;  /* grows with each one sent; on disk */
    uint16_t packet_id;
    uint8_t qos;   /* 1 or 2 */
    uint8_t state; /* enum inflight_state; on disk */
    bool retain;   /* was sent with the retain flag */
    /* stored sessions: */
    bool changed; /* differs from what is on disk */
    bool saving;  /* is in the save in progress */
    bool saved;   /* has a row on disk */
    uint32_t identifier_count;
    uint32_t *identifiers; /* Subscription Identifiers; NULL: none. Owned */
    /* Of one that came by a shared subscription: which (share.h), and what is told
     * that its client is done with it; else 0, NULL. */
    uint64_t share;
    void (*settled)(struct worker *w, struct inflight_entry *entry);
};

struct inflight {
    struct inflight_entry *entries; /* [first, first + count), oldest first */
    uint16_t first, count, cap;
    uint16_t window; /* min(client's Receive Maximum, INFLIGHT_MAX) */
    uint16_t last;   /* id given last */
    uint32_t order;
    uint64_t taken[INFLIGHT_MAX / 64]; /* bit id - 1 */
};

void inflight_init(struct inflight *f, uint16_t window);
void inflight_release(struct inflight *f); /* forgets everything */

static inline bool inflight_full(const struct inflight *f)
{
    return f->count >= f->window;
}

/* A new entry with the next free packet id, everything else zero; valid until
 * the next call that adds or removes. Not when full. NULL: out of memory. */
struct inflight_entry *inflight_take(struct inflight *f);

/* One that was on disk: `entry` with its packet id, order and state, whose
 * identifiers pass to the list. Given in order. false: out of memory, or that id
 * is taken. */
bool inflight_restore(struct inflight *f, const struct inflight_entry *entry);

/* NULL: no such id in flight. */
struct inflight_entry *inflight_find(struct inflight *f, unsigned packet_id);
void inflight_remove(struct inflight *f, struct inflight_entry *entry);

/* The i-th oldest, i < count. */
static inline struct inflight_entry *inflight_at(const struct inflight *f,
                                                 unsigned i)
{
    return &f->entries[f->first + i];
}

#endif
