/* Stored MQTT sessions: the part of a session that outlives its connection and a restart.
 *
 * A session is a position in the log, its subscriptions, and what is in flight. Messages
 * that came while its client was away are in the log and nowhere else.
 * Rows (store/format/schema.h has their encoding):
 *
 *  sessions       identity → session number, expiry, when its connection ended,
 *                 position, when its will is due
 *  subscriptions  session number, filter → options, identifier; since_id: a new
 *                 subscription gets no older messages; changed_at and the options
 *                 before; earlier_since and earlier_until
 *  groups         token, group, filter of a shared subscription → position
 *  given          group, id: a QoS 2 message that was given to a stored session for
 *                 good, although the group's position has not passed it
 *  wills          session number → the will's record
 *  inflight       session number, direction, packet id → outbound: log id, order,
 *                 QoS, state, retain flag, identifiers; inbound (QoS 2 messages
 *                 that are stored and not yet released): nothing
 *
 * Identity: token (may be empty), NUL, client id. Session numbers are random, so rows that
 * an earlier session of the same identity may have left are not found.
 *
 * Changed by commands of the writer only (store/write/writer.h): COMMAND_SESSION_OPEN
 * and _SAVE, and COMMAND_APPEND, which remembers the packet id of a QoS 2 message
 * in the transaction that stores it. */
#ifndef CONFAB_STORE_SESSION_H
#define CONFAB_STORE_SESSION_H

#include "base/config.h"
#include "store/store.h"

#define SESSION_NEVER UINT32_MAX /* expiry: it does not */
/* How long after its end a session may still be there: wills that become due
 * with it are published first. */
#define SESSION_GRACE_US INT64_C(60000000)

struct session_row {
    struct slice identity;
    uint64_t number;
    uint32_t expiry_s;
    int64_t ended_us;  /* 0: connected, as far as the store knows */
    uint64_t position; /* everything up to this id was given to it */
    int64_t created_us;
    bool
        has_will; /* when this was written; the row in `wills` says whether it is
                      still to be published */
    uint32_t will_delay_s;
    int64_t will_due_us; /* once ended: when to publish it */
};

/* The token of an identity; empty: of a client without one. */
struct slice session_token(struct slice identity);
/* Whether it is over `away_us` after its connection ended. */
bool session_is_over(const struct session_row *s, int64_t away_us);

struct session_subscription {
    struct slice filter; /* as sent, `$share/…` too */
    uint8_t qos;
    bool no_local;
    bool retain_as_published;
    uint32_t identifier; /* 0: none */
    uint64_t since_id;
    uint64_t retained_as_of; /* retained messages up to this id are still owed;
                                0: none */
    /* Messages up to this id were published when the subscription had these
     * options, and are owed by them: replacing a subscription neither loses
     * (MQTT-3.8.4-4) nor brings back what came before. 0: it was not replaced. */
    uint64_t changed_at;
    uint8_t qos_before;
    bool no_local_before;
    /* What is owed of the time before an UNSUBSCRIBE: messages above earlier_since
     * up to earlier_until. 0, 0: nothing. Where it was the last word, since_id is
     * SUBSCRIPTION_ENDED: nothing is added to it. */
    uint64_t earlier_since, earlier_until;
};
#define SUBSCRIPTION_ENDED UINT64_MAX

struct session_inflight {
    bool inbound;
    uint16_t packet_id;
    /* outbound only: */
    uint64_t log_id;
    uint32_t order;
    uint8_t qos, state;
    bool retain;
    uint32_t identifier_count;
    const uint32_t
        *identifiers;     /* when reading: NULL, use the function below */
    struct slice encoded; /* reading: where they are */
};

/* ---- reading; r inside begin/end, what is handed out lives until _end() */

enum store_err store_session(struct store_reader *r, struct slice identity,
                             struct session_row *ret_row);
enum store_err store_session_will(struct store_reader *r, uint64_t number,
                                  struct record *ret_will);
/* Walks all sessions; `after`: key of the previous one, empty to begin, and
 * gets the next; its `bytes` need no release. */
struct session_walk {
    size_t len;
    unsigned char bytes[432];
};
enum store_err store_session_next(struct store_reader *r,
                                  struct session_walk *walk,
                                  struct session_row *ret_row);
/* Those of one session; zero the walk to begin. */
enum store_err store_subscription_next(struct store_reader *r, uint64_t number,
                                       struct session_walk *walk,
                                       struct session_subscription *ret_row);
enum store_err store_inflight_next(struct store_reader *r, uint64_t number,
                                   struct session_walk *walk,
                                   struct session_inflight *ret_row);
/* The identifiers of a row read, which must have room for identifier_count. */
bool session_inflight_identifiers(const struct session_inflight *row,
                                  uint32_t *ret_identifiers);

/* A QoS 2 message of a shared subscription that is about to be sent: the session
 * alone may ever get it (MQTT-4.3.3, MQTT-4.8.2-5), so its group must not give it
 * again where a crash takes the group's position back. */
struct session_given {
    struct slice filter; /* `$share/…` */
    uint64_t log_id;
};

/* A shared subscription some stored session is in, connected or not: how far the
 * group has given its messages away, and which of them came back. The row begins
 * with the first such subscription and ends with the last, in the transactions of
 * these. */
#define GROUP_IDS_MAX 65536
struct group_row {
    struct slice name; /* token, NUL, group, NUL, filter */
    uint64_t members;  /* stored subscriptions */
    uint64_t position;
    uint32_t id_count;
    struct slice encoded; /* where the ids are */
};
enum store_err store_group(struct store_reader *r, struct slice name,
                           struct group_row *ret_row);
/* The given messages of a group, ids growing; zero the walk to begin. */
enum store_err store_given_next(struct store_reader *r, struct slice group,
                                struct session_walk *walk, uint64_t *ret_id);
/* ret_ids has room for row->id_count. */
bool group_row_ids(const struct group_row *row, uint64_t *ret_ids);

/* What a message in flight to a stored session counts (store/write/account.h), at most. */
uint64_t session_inflight_cost(uint32_t identifier_count);
/* How much of that a session may have before what comes next waits for an
 * acknowledgement: an equal part of half the plan's session_bytes_max for each of
 * sessions_max sessions (SESSION_INFLIGHT_PARTS, where that is 0), and a few
 * messages in any case: so what is in flight is bounded, and deliveries always go
 * on, whatever its token holds. UINT64_MAX: no bound; `plan` may be NULL. */
#define SESSION_INFLIGHT_PARTS 1000
#define SESSION_INFLIGHT_MIN 1024
uint64_t session_inflight_max(const struct plan *plan);

/* ---- what commands carry; everything borrowed until done() */

/* COMMAND_SESSION_OPEN: a CONNECT. SESSIONS, SESSION_BYTES, SHARE, FULL: a new
 * session, or a will larger than the session has, finds no room. Results in `present`, `number` (0: there is
 * no stored session now, and none is needed) and `position`. */
struct session_open {
    struct slice identity;
    bool clean;        /* Clean Start: what there is ends */
    uint32_t expiry_s; /* 0 with no session to go on with: nothing is stored */
    uint64_t fresh_number;      /* random, for a new one */
    const struct message *will; /* NULL: none */
    uint32_t will_delay_s;
    bool present;
    uint64_t number, position;
};

/* COMMAND_SESSION_SAVE: some of a session's rows. NOT_FOUND, and nothing is
 * changed, when that session is not there any more. FULL, SHARE, SESSION_BYTES: what
 * it gives up is gone and, if it ends, it has ended; nothing else is changed, so that
 * what was saved last holds. */
struct session_save {
    struct slice identity;
    uint64_t number;
    bool has_position;
    uint64_t position;
    const uint16_t *forgotten; /* outbound packet ids that are done; deleted
                                  before `entries` are written */
    size_t forgotten_count;
    const struct session_inflight *entries;
    size_t entry_count;
    const struct session_given *given; /* … of which these are some group's */
    size_t given_count;
    const uint16_t *released; /* inbound packet ids */
    size_t released_count;
    const struct slice *removed; /* filters */
    size_t removed_count;
    const struct session_subscription *subscriptions;
    size_t subscription_count;
    bool
        adds; /* the client asks for the subscriptions: refused where what they
                  add to the rows there are would exceed the plan's bytes, the
                  token's share, or the store. Else something is noted about
                  them, and those that have no row (any more) are left out */

    /* The connection ends: */
    bool ends;
    bool drops_will;
    uint32_t expiry_s; /* ends: 0 deletes the session */
    int64_t ended_us, will_due_us;
};

/* COMMAND_GROUP_SAVE. NOT_FOUND: no stored session is in that group (any more).
 * Ids beyond GROUP_IDS_MAX are left out, the last first. Unless `adds`, the ids
 * grow, and what was given up to the position needs no rows any more, unless it is
 * one of them. */
struct group_save {
    struct slice name;
    bool
        adds; /* `ids` come on top of what the row has; position is not used */
    uint64_t position;
    const uint64_t *ids;
    size_t id_count;
};

/* What COMMAND_APPEND does to a session in its transaction, when it stores. */
struct session_mark {
    uint64_t number; /* 0: nothing */
    struct slice
        identity; /* whose that session is; of a will its token and the NUL
                              will do */
    uint16_t
        packet_id; /* inbound QoS 2, to be remembered; 0: the message is the
                           session's will, whose row is deleted */
};

#endif
