/* The part of a session that is on disk too (store/session.h), while its client
 * is connected: what changed since the last save, and what must not leave before
 * the next one is committed:
 *
 *  - a PUBLISH with QoS 2: its packet id. It and everything behind it is
 *    withheld, so that order is kept; all of a turn shares one commit.
 *  - PUBREL after PUBREC.
 *
 * The rest, acknowledgements and the position, is saved within a second: what a
 * crash takes back of it is delivered again (QoS 1), never lost.
 *
 * Here is what is noted meanwhile; session/session_save.h saves it.
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
    /* Rows of what is in flight to it, on disk or soon, and from where on the next
     * delivery waits for an acknowledgement (session_inflight_max()). */
    uint64_t inflight_bytes, inflight_max;
    uint64_t offline_head; /* QoS 0 messages up to it came while it was away */
    uint64_t forgotten[4]; /* bit id - 1: a row to delete … */
    uint64_t forgetting[4]; /* … in the save in progress */
    bool changed;           /* in worker.unsaved */
    bool urgent;            /* something waits for the save */
    bool saving;            /* one is with the writer */
    bool barred; /* that one carries what is withheld: nothing is delivered
                      until it is back */
    bool withholding; /* deliveries go to `withheld` */
    bool greeted;     /* some retained_as_of is worked off */
    bool greeting;    /* … and the save in progress says so */
    bool ended;       /* its last save is made */
    bool
        placed; /* it is where save_command_position() says; before, on disk only */
    struct out_queue withheld;
};

TAILQ_HEAD(unsaved_sessions, stored_session);

/* NULL: out of memory. */
struct stored_session *stored_session_new(struct connection *c,
                                          uint64_t number);
void stored_session_free(struct connection *c); /* when there is none, too */

/* Where deliveries to this client go, and whether it may get any now. */
static inline struct out_queue *delivery_queue(struct connection *c)
{
    return c->stored != NULL && c->stored->withholding ? &c->stored->withheld
                                                       : &c->out;
}
static inline bool stored_session_bars(const struct stored_session *s)
{
    return s != NULL && (s->barred || s->ended);
}

/* So much is in flight that the next message waits for an acknowledgement. */
static inline bool stored_session_is_full(const struct stored_session *s)
{
    return s != NULL && s->inflight_bytes >= s->inflight_max;
}

/* An entry was read from disk. */
void stored_session_restores(struct connection *c,
                             const struct inflight_entry *entry);
/* An entry was added (before its PUBLISH is queued, with its identifiers), changed
 * state, or is about to be removed. */
void stored_session_sends(struct connection *c, struct inflight_entry *entry);
void stored_session_changes(struct connection *c,
                            struct inflight_entry *entry);
void stored_session_forgets(struct connection *c,
                            const struct inflight_entry *entry);
/* All retained messages of a filter have been sent. */
void stored_session_greeted(struct connection *c);
/* It has filters that have ended (session_filter.h): their rows go when the position on
 * disk is past what is owed to them. */
void stored_session_unsubscribed(struct connection *c);

/* ---- for its saves */

/* It differs from what is on disk; urgent: something waits for the save. */
void stored_session_touch(struct connection *c, bool urgent);
/* A save of all of it begins: it leaves worker.unsaved. */
void stored_session_is_unchanged(struct stored_session *s);

#endif
