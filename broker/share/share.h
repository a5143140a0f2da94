/* Shared subscriptions, `$share/<group>/<filter>` (MQTT 5 §4.8.2): each
 * message goes to one member of the group.
 *
 * A group is (token, name, filter). One worker, determined by the hash of
 * these, owns it (share_group.h). Only the owner matches messages for the
 * group; it picks a member and hands the message to that member's worker
 * (share_member.h). Workers exchange letters:
 *
 *   member's worker            owner
 *     JOIN      ──────────►            the place of a new member
 *               ◄──────────  JOINED    its SUBACK may be sent
 *               ◄──────────  GIVE      a message, while the member has
 *                            credit
 *     REPORT    ──────────►            messages settled, messages returned,
 *                                      pause, leave
 *               ◄──────────  LEFT      no GIVE will follow
 *
 * Each GIVE is answered once, in a REPORT: as credit when the message is
 * settled (QoS 0: in the output queue; 1: PUBACK; 2: PUBCOMP), or as its id
 * when the member had no room for it or its session ended first. Returned
 * messages are read from the log again. So only letters in transit hold
 * messages. A letter never refers to a connection, which may be gone: a
 * member is known by its handle, a number that is never reused.
 *
 * Letters travel in parcels, usually one per receiver and turn. A sender
 * that finds no room for a letter keeps its content and writes it in a later
 * turn, except for GIVE: its message is in the log. */
#ifndef CONFAB_BROKER_SHARE_SHARE_H
#define CONFAB_BROKER_SHARE_SHARE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/mailbox.h"

/* Most messages that a member may have unsettled; fewer with a smaller
 * Receive Maximum. */
#define SHARE_CREDIT_MAX 64
/* Parcels and bytes in transit to one worker; above these, groups read the
 * log later. */
#define SHARE_PARCELS_MAX 256
#define SHARE_BYTES_MAX (16U * 1024 * 1024)

struct share_group;
struct share_member;
struct share_parcel;
struct share_place;
struct subscription_index;
struct worker;

enum share_kind {
    SHARE_JOIN,
    SHARE_JOINED,
    SHARE_GIVE,
    SHARE_REPORT,
    SHARE_LEFT
};

/* Ids of messages returned to their group. */
struct share_ids {
    uint32_t count;
    uint64_t ids[SHARE_CREDIT_MAX];
};

struct share_letter {
    uint8_t kind; /* enum share_kind */
    bool good;    /* JOINED; false: not a member, because memory is short */
    bool paused;  /* REPORT: give it nothing until the next report */
    bool left;    /* REPORT: it leaves */
    uint32_t settled;  /* REPORT */
    uint64_t received; /* REPORT: GIVEs received since it joined */
    /* REPORT: least id that would be lost with its session in a crash now;
     * 0: none. */
    uint64_t unsafe;
    uint64_t member;               /* handle */
    union {                        /* owned by the receiver */
        struct share_place *place; /* JOIN */
        struct message *message;   /* GIVE */
        struct share_ids *ids;     /* REPORT; may be NULL */
    };
};

/* Part of each worker. Except for `mail` and `bytes` only its thread uses
 * it. */
struct share {
    struct mailbox *mail;      /* struct share_parcel */
    _Atomic uint64_t bytes;    /* of the messages in `mail` */
    struct share_parcel **out; /* by receiving worker; NULL: nothing to send */
    uint64_t last;             /* last handle assigned */

    /* share_member.h */
    struct share_member *members; /* by handle */
    TAILQ_HEAD(, share_member) writing;
    size_t subscribed; /* members that have not left */

    /* share_group.h */
    struct subscription_index *index; /* the groups' filters */
    struct share_group *groups;       /* by name */
    struct share_place *places;       /* by handle */
    TAILQ_HEAD(, share_place) answering;
    /* Must read the log for members with credit. */
    TAILQ_HEAD(, share_group) catching_up;
    TAILQ_HEAD(, share_group) moving; /* to be saved before the tick */
};

bool share_init(struct worker *w); /* false: out of memory */
/* Call it after all threads have ended; works on half-initialised ones. */
void share_release(struct worker *w);

/* The worker that a handle belongs to. */
unsigned share_worker_of(uint64_t handle);
uint64_t share_handle_new(struct worker *w);

/* ---- the parts of a turn */

/* Handles received letters. true: more are waiting. */
bool share_take(struct worker *w);
/* Writes reports and answers, and sends all letters. Letters that found no
 * room are tried again in a moment. */
void share_send(struct worker *w);

/* No received letter is unhandled, and none waits to be sent. */
bool share_is_quiet(const struct worker *w);

/* Puts a letter for that worker into its parcel, which takes what it
 * contains. false: no room now, or no memory; nothing changed. */
bool share_write(struct worker *w, unsigned to, const struct share_letter *l);

#endif
