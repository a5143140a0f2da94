/* Messages sent to a client with QoS 1 or 2 and not completed yet, in the
 * order they were sent: redelivery keeps that order (MQTT-4.6.0-1). Packet
 * ids are 1…INFLIGHT_MAX, assigned round robin.
 *
 * Memory: none while nothing is in flight.
 * Threads: one worker's. */
#ifndef CONFAB_BROKER_CLIENT_INFLIGHT_H
#define CONFAB_BROKER_CLIENT_INFLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#define INFLIGHT_MAX 256

enum inflight_state {
    INFLIGHT_SENT, /* PUBLISH was sent: waits for PUBACK or PUBREC */
    /* PUBREC came: PUBREL is sent or will be, waits for PUBCOMP. */
    INFLIGHT_RELEASED
};

struct worker;

struct inflight_entry {
    uint64_t log_id; /* 0: an event, which is not in the log */
    uint32_t order;  /* position in the order of sending; on disk */
    uint16_t packet_id;
    uint8_t qos;   /* 1 or 2 */
    uint8_t state; /* enum inflight_state; on disk */
    bool retain;   /* was sent with the retain flag */
    /* stored sessions only: */
    bool changed; /* differs from its row on disk */
    bool saving;  /* part of the save in progress */
    bool saved;   /* has a row on disk */
    uint32_t identifier_count;
    uint32_t *identifiers; /* Subscription Identifiers; NULL: none. Owned */
    /* If a shared subscription sent it: which one (share.h), and who is told
     * that the client is done with it. Else 0 and NULL. */
    uint64_t share;
    void (*settled)(struct worker *w, struct inflight_entry *entry);
};

struct inflight {
    struct inflight_entry *entries; /* [first, first + count), oldest first */
    uint16_t first, count, cap;
    uint16_t window; /* min(client's Receive Maximum, INFLIGHT_MAX) */
    uint16_t last;   /* packet id assigned last */
    uint32_t order;
    uint64_t taken[INFLIGHT_MAX / 64]; /* bit id - 1 */
};

void inflight_init(struct inflight *f, uint16_t window);
void inflight_release(struct inflight *f); /* forgets everything */

static inline bool inflight_full(const struct inflight *f)
{
    return f->count >= f->window;
}

/* Adds an entry with the next free packet id; all other members are zero.
 * Valid until the next call that adds or removes. Must not be full. NULL:
 * out of memory. */
struct inflight_entry *inflight_take(struct inflight *f);

/* Adds an entry read from disk, with its packet id, order and state. Takes
 * entry->identifiers. Call it in the order of sending. false: out of memory,
 * or the id is in use. */
bool inflight_restore(struct inflight *f, const struct inflight_entry *entry);

/* NULL: no message in flight has this id. */
struct inflight_entry *inflight_find(struct inflight *f, unsigned packet_id);
void inflight_remove(struct inflight *f, struct inflight_entry *entry);

/* The i-th oldest, i < count. */
static inline struct inflight_entry *inflight_at(const struct inflight *f,
                                                 unsigned i)
{
    return &f->entries[f->first + i];
}

#endif
