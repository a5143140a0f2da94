/* One client: its transport, the bytes it sent that are not a whole packet yet,
 * what waits to be written to it, and its session. What of that outlives the
 * connection is in stored_session.h.
 *
 * Threads:  belongs to one worker at a time; worker_move() passes it on.
 * Life:     made by a listener, ended by connection_close(), freed by its
 *           worker at the end of a turn once the writer has answered all of its
 *           commands. After connection_close() a caller up the stack
 *           may still look at `state`, nothing else.
 * Memory:   less than 2 KiB when idle (and what TLS or WebSocket need); read
 *           buffers are the worker's. */
#ifndef CONFAB_BROKER_CLIENT_CONNECTION_H
#define CONFAB_BROKER_CLIENT_CONNECTION_H

#include <ev.h>
#include <sys/queue.h>

#include "base/name_hash.h"
#include "base/net/client_addresses.h"
#include "broker/client/auth.h"
#include "broker/client/close_reason.h"
#include "broker/client/inflight.h"
#include "broker/io/out_queue.h"
#include "broker/io/transport.h"
#include "broker/wire/packet.h"
#include "store/message.h"

/* Credits towards the writer (credits.h): a client that has used them up is not
 * read from until results return. */
#define CONNECTION_COMMANDS_MAX 1024
#define CONNECTION_BYTES_MAX (4U * 1024 * 1024)
/* Nor is a client with so many bytes of answers queued. Deliveries stop earlier. */
#define CONNECTION_ANSWERS_MAX (OUT_QUEUE_BYTES_MAX + 128 * 1024)

/* CONNECT: client id, will topic and payload, user name and password of 65,535
 * bytes each, and properties. */
#define CONNECT_PACKET_MAX (6 * 65536U)
#define CONNECT_WITHIN_S 10.0
#define LINGER_S 1.0
/* What is read from a client after DISCONNECT was sent to it: it may have filled a
 * socket buffer before it noticed. One that sends more is cut off. */
#define LINGER_BYTES_MAX (1024U * 1024)

struct client_catchup;
struct inbound;
struct publish;
struct retained_scan;
struct session_filter;
struct session_restore;
struct share_member;
struct stored_session;
struct topic_aliases;
struct worker;

enum connection_state {
    CONNECTION_NEW, /* CONNECT has not been accepted yet */
    CONNECTION_OPEN,
    CONNECTION_LINGERING, /* DISCONNECT was sent; what still arrives is discarded,
                             so that no reset overtakes it */
    CONNECTION_CLOSED     /* freed when its commands have their results */
};

struct connection;

/* What the layers above do when something happens to a connection: one static
 * table for all of them (worker.c), attached with the worker. */
struct connection_events {
    /* A first packet that may be a CONNECT: the worker that the connection belongs
     * to. */
    struct worker *(*place)(struct connection *c,
                            const struct packet_frame *f);
    void (*packet)(struct connection *c, const struct packet_frame *f);
    /* What came is no packet. */
    void (*broken)(struct connection *c, const struct packet_error *error);
    /* All whole packets of a read were handled. */
    void (*read)(struct worker *w);
    /* A part of connection_close(), once: ends the session, or leaves it to the
     * store; with_will: its will is due. At once and not at the end of the turn:
     * whoever takes the session over opens it behind its last save. */
    void (*ended)(struct connection *c, bool with_will);
    /* The time it was held back for (connection_hold()) is over. */
    void (*hold_over)(struct connection *c);
    /* Some of its groups paused for it to have room (shares_paused): it may have
     * some again. */
    void (*writable)(struct connection *c);
    /* Credits of its worker or token are back. */
    void (*resume)(struct connection *c);
    /* The log was read for it up to what is live. */
    void (*caught_up)(struct connection *c);
    /* It was given all retained messages of that new subscription. */
    void (*greeted)(struct connection *c, struct slice filter);
};

struct connection {
    struct worker *worker;
    const struct connection_events *events; /* the worker's */
    enum connection_state state;

    /* fan-out */
    uint64_t stamp; /* the worker's number of the last topic that matched */
    uint8_t hit_qos;
    bool hit_retain; /* some matching subscription is Retain As Published */
    uint32_t hit_identifier; /* some match's Subscription Identifier */
    bool hit_identifiers;    /* several have one */
    bool stamped;            /* wants confab-id, -seq, -at */
    bool bare;               /* and nothing else but topic and payload */
    bool enveloped;          /* wants stamped envelopes */
    bool receipts;           /* and in PUBACKs */
    bool touched;            /* has something to flush this turn */
    struct connection *next_touched;
    struct out_queue out;
    struct inflight inflight;
    struct client_catchup *catchup; /* NULL: live */
    struct stored_session *stored;  /* NULL: it ends with the connection */
    struct inbound *inbound; /* QoS 2 it sent and has not released; or NULL */
    struct topic_aliases *aliases_in, *aliases_out; /* NULL: none */
    uint16_t alias_maximum; /* the client's; 0: it takes none */
    uint16_t resend;        /* the newest in flight, not yet sent again */
    uint16_t
        subacks_due; /* the store is asked first; retained messages wait */
    struct packet_terms terms;
    uint64_t publisher; /* hash of token and client id; 0 before CONNECT */

    /* transport */
    struct transport transport;
    bool peer_is_admin;   /* UNIX socket, right uid */
    bool has_place;       /* in hub.budget; UNIX sockets need none */
    bool is_unidentified; /* counts in hub.unidentified */
    bool has_address;     /* counts in hub.strangers, for client_address */
    bool is_spare;        /* in worker.spare, since … */
    struct client_address client_address;
    int64_t spare_since_us;
    ev_io readable, writable;
    ev_timer timer;        /* CONNECT, then keep-alive or hold, then linger */
    double keep_alive_s;   /* 1.5 times what the client said; 0: off */
    int64_t heard_us;      /* worker.mono_us when it last sent something */
    uint32_t packet_max;   /* largest packet taken from it */
    bool is_client;        /* it is held for a token, no longer an address */
    uint64_t address;      /* held.h; 0: none that has a share */
    struct holder *holder; /* likewise: whom it is held for; NULL: nobody */
    struct {
        char *data; /* NULL: none */
        size_t len, cap;
    } in; /* read and not consumed */

    /* who */
    enum role role;
    bool pinned;           /* identity is set: its worker is known */
    bool in_lobby;         /* lobby.h reads from it, not `readable` */
    uint32_t lobby_events; /* what it waits for there */
    bool id_assigned;      /* the client id is ours */
    bool opening;          /* CONNECT waits for the store */
    struct session_restore *restore; /* … and for what is read; or NULL */
    bool asked_expiry;   /* Session Expiry Interval of CONNECT is not 0 */
    bool expiry_differs; /* from what CONNECT asked for: CONNACK says so */
    uint32_t session_expiry_s; /* 0: the session ends with the connection */
    uint32_t will_delay_s;
    uint16_t server_keep_alive_s; /* told in CONNACK; 0: the client's holds */
    bool plan_counted;            /* in hub.token_connections */
    uint64_t resume_at;           /* position of the stored session */
    /* Of CONNECT, shared with who is equal to it (caller_share()); NULL before. */
    const struct caller *caller;
    char *identity; /* token, NUL, client id: the key of the session */
    size_t identity_len, token_len;
    struct message *will;
    UT_hash_handle session; /* in worker.sessions by identity */
    char peer[56];
    uint32_t discarded; /* bytes, while lingering */
    uint64_t number;    /* ascending in worker.connections, never used again */
    int64_t opened_us;  /* real time of its CONNACK */

    /* what it published and has no answer for yet */
    STAILQ_HEAD(, publish) unacked; /* QoS 1 and 2, in order of arrival */
    uint32_t unacked_count, unacked_qos2;
    uint16_t receive_maximum; /* ours; more unacked is an error in v5 */
    uint32_t commands;        /* with the writer, QoS 0 too */
    uint32_t messages;        /* … of them what it published */
    uint64_t command_bytes;
    /* Fan-out has to reach this id before a SUBSCRIBE or UNSUBSCRIBE takes effect:
     * that of the last message it published or, of an UNSUBSCRIBE, of the last
     * there was when it came. */
    uint64_t awaited_id;
    uint32_t answers_due; /* SUBACK, UNSUBACK, PUBCOMP of the store */
    bool behind_own;   /* its next packet waits for what it published before */
    bool in_behind;    /* in worker.behind */
    bool behind_store; /* … for a SUBSCRIBE of the same filter (subscribe.h) */
    bool leaving;      /* said DISCONNECT, and waits for its answers */
    enum close_reason leaves_as;
    bool stalled;  /* not read from: credits, answers or hold */
    bool starving; /* in worker.starving: the credits of its worker, or of its
                      token, are used up */
    bool awaits_turn; /* in turn_share.waiting: its token's share is used up */
    bool held;        /* 3.1.1 over its hourly limit: PUBACK is held back */
    uint32_t held_retry_s;

    /* subscriptions */
    LIST_HEAD(, session_filter) filters;
    uint32_t filter_count; /* those that have ended, too */
    uint32_t ended_filters;
    uint64_t filter_cost;
    TAILQ_HEAD(, retained_scan) scans;
    bool in_backlog;  /* in turn_share.owed */
    bool in_index;    /* it has ended, and counts in worker.dead_count */
    uint32_t shares;  /* groups it is in, or joins */
    uint32_t joining; /* groups that have not answered: its SUBSCRIBE waits */
    LIST_HEAD(, share_member) shares_paused; /* for it to have room */

    TAILQ_ENTRY(connection) all;    /* worker.connections */
    TAILQ_ENTRY(connection) spare;  /* worker.spare */
    TAILQ_ENTRY(connection) owed;   /* turn_share.owed */
    TAILQ_ENTRY(connection) wait;   /* turn_share.waiting */
    TAILQ_ENTRY(connection) starve; /* worker.starving */
    TAILQ_ENTRY(connection) behind; /* worker.behind */
    SLIST_ENTRY(connection) dead;   /* worker.dead */
};

static inline struct slice connection_token(const struct connection *c)
{
    return slice_of(c->identity, c->token_len);
}
static inline struct slice connection_client_id(const struct connection *c)
{
    return c->identity == NULL ? slice_of(NULL, 0)
                               : slice_of(c->identity + c->token_len + 1,
                                          c->identity_len - c->token_len - 1);
}
/* Who it is since CONNECT, to be asked what it may; borrowed from the connection. */
static inline struct caller connection_caller(const struct connection *c)
{
    struct caller caller = *c->caller;

    caller.client = connection_client_id(c);
    return caller;
}
/* The limits that hold for it; NULL: an administrator, or before CONNECT. */
static inline const struct plan *connection_plan(const struct connection *c)
{
    return c->caller == NULL ? NULL : c->caller->plan;
}

/* Takes `fd` (non-blocking) on success, as a plain transport: start another
 * before connection_attach(). Counted in hub.connections by the caller. The
 * connection is on no worker yet. NULL: out of memory. */
struct connection *connection_new(int fd, bool peer_is_admin,
                                  const char *peer);
/* Of one that no worker has (any more); closes the socket. */
void connection_free(struct connection *c);

/* Puts it on this worker and serves what it brought along. Closes it when
 * memory is short. The worker's thread. */
void connection_attach(struct connection *c, struct worker *w);
/* Takes it off; the next worker attaches it. */
void connection_detach(struct connection *c);

/* Ends it; `text` (static, may be NULL) says more than the reason does. Sends
 * DISCONNECT where the version and the reason have one, publishes the will if
 * the reason says so. May be called at any depth, again too. */
void connection_close(struct connection *c, enum close_reason reason,
                      const char *text);
/* The client said DISCONNECT: it is closed for `reason` (CLIENT, CLIENT_WILL)
 * as soon as it has the answers to what it sent before, which is now unless the
 * writer still has something of it. Nothing more is read from it. */
void connection_leave(struct connection *c, enum close_reason reason);
/* The close reason for what a decoder or a rule refused. */
enum close_reason connection_reason_of(uint8_t code);

/* CONNECT was accepted: the keep-alive counts from now on. */
void connection_opened(struct connection *c);

/* Writes what waits, as far as the socket takes it. */
void connection_flush(struct connection *c);
/* Something was added to `out`: flush it at the end of the turn. */
void connection_touch(struct connection *c);
/* Flushes all that were touched on this worker, and lets its arenas start over. */
void connection_flush_touched(struct worker *w);

/* Queues a packet that is no PUBLISH, an answer or a goodbye. false: out of
 * memory. */
bool connection_answer(struct connection *c, const void *packet, size_t size);
/* The same for the answers of a session, to be flushed at the end of the turn;
 * closes the connection where that cannot be. size 0: the client's Maximum Packet
 * Size had no room for it, nothing happens. */
void connection_say(struct connection *c, const void *packet, size_t size);

/* Its socket can be read; only for lobby.h to call. */
void connection_readable(struct connection *c);

/* Ends it for a shutdown, without waiting for the client. */
void connection_end(struct connection *c);

/* Stops reading from it until connection_resume(). */
void connection_stall(struct connection *c);
/* Credits came back: goes on reading when enough of them did, or leaves. */
void connection_credit(struct connection *c);
/* Its turn has come (turn_share_wait()): reads from it. */
void connection_take_turn(struct connection *c);
/* Resumes connections whose SUBSCRIBE or UNSUBSCRIBE waited for their own messages
 * to be fanned out. */
void connection_resume_behind(struct worker *w);
/* Reads on, beginning with bytes that were read before, if nothing else stalls
 * it. */
void connection_resume(struct connection *c);

/* Holds reading back for `seconds`, then events->hold_over() (MQTT 3). */
void connection_hold(struct connection *c, double seconds);

#endif
