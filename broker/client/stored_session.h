/* The part of a connected client's session that is also on disk
 * (store/session.h): what changed since the last save, and what must not be
 * sent before the next one is committed:
 *
 *  - a QoS 2 PUBLISH, until its packet id is saved. It and everything behind
 *  it is withheld, so that order is kept; all of a turn shares one commit.
 *  - PUBREL after PUBREC.
 *
 * The rest (acknowledgements and the log position) is saved within a second.
 * If a crash loses such a save, messages are delivered again (QoS 1), never
 * lost.
 *
 * This file records changes; session/session_save.h saves them.
 * Threads: one worker's. */
#ifndef CONFAB_BROKER_CLIENT_STORED_SESSION_H
#define CONFAB_BROKER_CLIENT_STORED_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "broker/client/connection.h"
#include "store/session.h"

struct stored_session {
    TAILQ_ENTRY(stored_session) entry; /* worker.unsaved */
    struct connection *connection;
    uint64_t number;         /* on disk */
    uint64_t saved_position; /* on disk */
    /* Size of the rows of messages in flight to it, on disk or soon to be,
     * and the size from which the next delivery waits for an acknowledgement
     * (session_inflight_max()). */
    uint64_t inflight_bytes, inflight_max;
    /* QoS 0 messages up to this id came while the client was offline. */
    uint64_t offline_head;
    /* Bit id - 1: the row of that packet id must be deleted … */
    uint64_t forgotten[4];
    uint64_t forgetting[4]; /* … in the save in progress */
    bool changed;           /* in worker.unsaved */
    bool urgent;            /* something waits for the save */
    bool saving;            /* a save is with the writer */
    /* … and releases what is withheld: nothing is delivered until it is done */
    bool barred;
    bool withholding; /* deliveries go to `withheld` */
    /* Retained messages of some filter were all sent (retained_as_of). */
    bool greeted;
    bool greeting; /* … and the save in progress records that */
    bool ended;    /* its last save was made */
    bool
        placed; /* it is where save_command_position() says; before, on disk only */
    struct out_queue withheld;
};

TAILQ_HEAD(unsaved_sessions, stored_session);

/* NULL: out of memory. */
struct stored_session *stored_session_new(struct connection *c,
                                          uint64_t number);
/* Does nothing if there is none. */
void stored_session_free(struct connection *c);

/* The queue for deliveries to this client, and whether it may get any now. */
static inline struct out_queue *delivery_queue(struct connection *c)
{
    return c->stored != NULL && c->stored->withholding ? &c->stored->withheld
                                                       : &c->out;
}
static inline bool stored_session_bars(const struct stored_session *s)
{
    return s != NULL && (s->barred || s->ended);
}

/* Too much is in flight: the next message waits for an acknowledgement. */
static inline bool stored_session_is_full(const struct stored_session *s)
{
    return s != NULL && s->inflight_bytes >= s->inflight_max;
}

/* An entry was read from disk. */
void stored_session_restores(struct connection *c,
                             const struct inflight_entry *entry);
/* Call these when an entry was added (with its identifiers, before its
 * PUBLISH is queued), changed its state, or is about to be removed. */
void stored_session_sends(struct connection *c, struct inflight_entry *entry);
void stored_session_changes(struct connection *c,
                            struct inflight_entry *entry);
void stored_session_forgets(struct connection *c,
                            const struct inflight_entry *entry);
/* All retained messages of a filter have been sent. */
void stored_session_greeted(struct connection *c);
/* Some of its filters have ended (session_filter.h). Their rows are deleted
 * once the position on disk is past the messages they are still due. */
void stored_session_unsubscribed(struct connection *c);

/* ---- for its saves */

/* The session differs from what is on disk. urgent: something waits for the
 * save. */
void stored_session_touch(struct connection *c, bool urgent);
/* A save of the whole session begins: removes it from worker.unsaved. */
void stored_session_is_unchanged(struct stored_session *s);

#endif
