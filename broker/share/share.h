/* Shared subscriptions, `$share/<group>/<filter>` (MQTT 5 §4.8.2): a message
 * goes to one member of the group.
 *
 * A group is (token, name, filter), and one worker, found by the hash of these,
 * owns it (share_group.h). Only the owner matches messages for it; it chooses a
 * member and hands the message to the worker where that one is connected
 * (share_member.h). Workers talk by letters:
 *
 *   member's worker            owner
 *     JOIN      ──────────►            the place of a new member
 *               ◄──────────  JOINED    now its SUBACK may go
 *               ◄──────────  GIVE      a message, as long as it has credit
 *     REPORT    ──────────►            messages settled, messages that come
 *                                      back, no more of them for now, left
 *               ◄──────────  LEFT      no GIVE will follow
 *
 * Every GIVE is answered once, in a REPORT: with the credit when the message
 * is settled (QoS 0: in the out queue; 1: PUBACK; 2: PUBCOMP), or with its id
 * when the member had no room for it or its session ended first. What came back
 * is read from the log again. So only letters on their way hold messages,
 * and a letter never refers to a connection, which may be gone: members are
 * known by their handle, a number that is never used again.
 *
 * Letters travel in parcels, one per receiver and turn as a rule. Whoever finds
 * no room for a letter keeps what it says and writes it in a later turn; only
 * GIVEs are not kept, their message is in the log. */
#ifndef CONFAB_BROKER_SHARE_SHARE_H
#define CONFAB_BROKER_SHARE_SHARE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/mailbox.h"

/* Messages a member may have unsettled, and less with a smaller Receive
 * Maximum. */
#define SHARE_CREDIT_MAX 64
/* On their way to one worker; above it groups read the log later. */
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

/* Ids of messages that come back to their group. */
struct share_ids {
    uint32_t count;
    uint64_t ids[SHARE_CREDIT_MAX];
};

struct share_letter {
    uint8_t kind;      /* enum share_kind */
    bool good;         /* JOINED: false: it is no member, for want of memory */
    bool paused;       /* REPORT: give it nothing until the next one */
    bool left;         /* REPORT: it takes no more */
    uint32_t settled;  /* REPORT */
    uint64_t received; /* REPORT: GIVEs that came, since it joined */
    uint64_t unsafe;   /* REPORT: the least id of those that a crash now would
                          lose with its session; 0: none */
    uint64_t member;   /* handle */
    union {            /* the receiver's, who frees or unrefs it */
        struct share_place *place; /* JOIN */
        struct message *message;   /* GIVE */
        struct share_ids *ids;     /* REPORT; may be NULL */
    };
};

/* Of one worker, embedded in it; but for `mail` and `bytes` its thread's own. */
struct share {
    struct mailbox *mail;      /* struct share_parcel */
    _Atomic uint64_t bytes;    /* of the messages in `mail` */
    struct share_parcel **out; /* by receiving worker; NULL: nothing to send */
    uint64_t last;             /* handle given last */

    /* share_member.h */
    struct share_member *members; /* by handle */
    TAILQ_HEAD(, share_member) writing;
    size_t subscribed; /* those that have not left */

    /* share_group.h */
    struct subscription_index *index; /* the groups' filters */
    struct share_group *groups;       /* by name */
    struct share_place *places;       /* by handle */
    TAILQ_HEAD(, share_place) answering;
    TAILQ_HEAD(, share_group) catching_up; /* owe messages, and have credit */
    TAILQ_HEAD(, share_group) moving;      /* to be saved before the tick */
};

bool share_init(struct worker *w); /* false: out of memory */
/* After all threads have ended; half of a share is fine. */
void share_release(struct worker *w);

/* The worker a handle belongs to. */
unsigned share_worker_of(uint64_t handle);
uint64_t share_handle_new(struct worker *w);

/* ---- the parts of a turn */

/* Opens what came; true: there is more. */
bool share_take(struct worker *w);
/* Writes reports and answers, and sends all letters. What found no room is
 * tried again in a moment. */
void share_send(struct worker *w);

/* No letter has come that is not opened, none waits to be sent. */
bool share_is_quiet(const struct worker *w);

/* Puts a letter to that worker into its parcel; what is in it passes. false: no
 * room now (or no memory), nothing happened. */
bool share_write(struct worker *w, unsigned to, const struct share_letter *l);

#endif
