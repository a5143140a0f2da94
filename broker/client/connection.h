/* One client connection: its transport, input that is not a complete packet
 * yet, output that is still to be written, and its session. The part of a
 * session that outlives the connection is in stored_session.h.
 *
 * Threads:  belongs to one worker at a time; worker_move() hands it over.
 * Life:     created by a listener, ended by connection_close(), freed by its
 *           worker at the end of a turn once the writer has answered all its
 *           commands. After connection_close(), callers further up the stack
 *           may read `state` and nothing else.
 * Memory:   less than 2 KiB when idle, plus what TLS or WebSocket need. Read
 *           buffers belong to the worker. */
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

/* Credits for commands with the writer (credits.h). A client that has used
 * them up is not read from until results return. */
#define CONNECTION_COMMANDS_MAX 1024
#define CONNECTION_BYTES_MAX (4U * 1024 * 1024)
/* A client is not read from either while this many bytes of answers are
 * queued for it. Deliveries stop earlier. */
#define CONNECTION_ANSWERS_MAX (OUT_QUEUE_BYTES_MAX + 128 * 1024)

/* Largest CONNECT: client id, will topic, will payload, user name and
 * password of 65,535 bytes each, and properties. */
#define CONNECT_PACKET_MAX (6 * 65536U)
#define CONNECT_WITHIN_S 10.0
#define LINGER_S 1.0
/* How many bytes are still read from a client after DISCONNECT was sent to
 * it; it may have filled a socket buffer before it noticed. A client that
 * sends more is cut off. */
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
    /* DISCONNECT was sent; further input is discarded, so that no TCP reset
     * overtakes the DISCONNECT. */
    CONNECTION_LINGERING,
    CONNECTION_CLOSED /* freed when the writer has answered its commands */
};

struct connection;

/* Callbacks to the layers above: one static table for all connections
 * (worker.c), set when a connection is attached to a worker. */
struct connection_events {
    /* The first packet may be a CONNECT. Returns the worker that the
     * connection belongs to. */
    struct worker *(*place)(struct connection *c,
                            const struct packet_frame *f);
    void (*packet)(struct connection *c, const struct packet_frame *f);
    /* Input that is not an MQTT packet. */
    void (*broken)(struct connection *c, const struct packet_error *error);
    /* All complete packets of one read have been handled. */
    void (*read)(struct worker *w);
    /* A part of connection_close(), once: ends the session, or leaves it to the
     * store; with_will: its will is due. At once and not at the end of the turn:
     * whoever takes the session over opens it behind its last save. */
    void (*ended)(struct connection *c, bool with_will);
    /* The time given to connection_hold() is over. */
    void (*hold_over)(struct connection *c);
    /* The output queue may have room again, and some of the connection's
     * shared groups wait for that (shares_paused). */
    void (*writable)(struct connection *c);
    /* Credits of its worker or token have returned. */
    void (*resume)(struct connection *c);
    /* The log has been read for it up to the live messages. */
    void (*caught_up)(struct connection *c);
    /* All retained messages for this new subscription have been sent. */
    void (*greeted)(struct connection *c, struct slice filter);
};

struct connection {
    struct worker *worker;
    const struct connection_events *events; /* the worker's */
    enum connection_state state;

    /* fan-out of the message at hand */
    uint64_t stamp; /* worker.stamp when a filter matched last */
    uint8_t hit_qos;
    bool hit_retain; /* a matching subscription has Retain As Published */
    uint32_t hit_identifier; /* Subscription Identifier of a match; 0: none */
    bool hit_identifiers;    /* several matches have one */
    bool stamped;            /* wants the properties confab-id, -seq, -at */
    bool bare;               /* … and no others: only topic and payload */
    bool enveloped;          /* wants stamped envelopes */
    bool changes;            /* … of changes, too (ASK_CHANGES) */
    bool receipts;           /* wants those properties in PUBACKs, too */
    bool mounted;            /* has a mount, see below */
    bool touched;            /* must be flushed at the end of the turn */
    struct connection *next_touched;
    struct out_queue out;
    struct inflight inflight;
    struct client_catchup *catchup; /* NULL: the connection is live */
    /* NULL: the session ends with the connection. */
    struct stored_session *stored;
    /* Ids of its QoS 2 messages not yet released; NULL: none. */
    struct inbound *inbound;
    struct topic_aliases *aliases_in, *aliases_out; /* NULL: none */
    /* The client's Topic Alias Maximum; 0: no aliases. */
    uint16_t alias_maximum;
    uint16_t resend; /* newest message in flight that must be sent again */
    /* SUBACKs that wait for the store; retained messages wait for them. */
    uint16_t subacks_due;
    struct packet_terms terms;
    uint64_t publisher; /* hash of token and client id; 0 before CONNECT */

    /* transport */
    struct transport transport;
    bool peer_is_admin; /* UNIX socket, right uid */
    bool has_place;     /* has a slot in hub.budget; UNIX sockets need none */
    bool is_unidentified; /* counted in hub.unidentified */
    bool has_address;     /* counted in hub.strangers, as client_address */
    bool is_spare;        /* in worker.spare, since spare_since_us */
    struct client_address client_address;
    int64_t spare_since_us;
    ev_io readable, writable;
    /* For CONNECT, then for keep-alive or hold, then for lingering. */
    ev_timer timer;
    double keep_alive_s; /* 1.5 times the client's Keep Alive; 0: off */
    int64_t heard_us;    /* worker.mono_us when it last sent something */
    uint32_t packet_max; /* largest packet accepted from it */
    bool is_client;      /* its holder is a token, no longer an address */
    uint64_t address;    /* held.h; 0: its address has no share of its own */
    /* held.h: whose share its memory counts in; NULL: nobody's. */
    struct holder *holder;
    struct {
        char *data; /* NULL: none */
        size_t len, cap;
    } in; /* read and not consumed yet */

    /* identity */
    enum role role;
    bool pinned;           /* identity is set, so its worker is known */
    bool in_lobby;         /* lobby.h watches its socket, not `readable` */
    uint32_t lobby_events; /* events that the lobby waits for */
    bool id_assigned;      /* the server assigned the client id */
    bool opening;          /* CONNECT waits for the store */
    /* … and for the session to be read; or NULL. */
    struct session_restore *restore;
    bool asked_expiry; /* CONNECT had a Session Expiry Interval other than 0 */
    /* Granted expiry differs from the requested one: CONNACK says so. */
    bool expiry_differs;
    uint32_t session_expiry_s; /* 0: the session ends with the connection */
    uint32_t will_delay_s;
    /* Server Keep Alive in CONNACK; 0: the client's value holds. */
    uint16_t server_keep_alive_s;
    bool plan_counted;  /* counted in hub.token_connections */
    uint64_t resume_at; /* log position of the stored session */
    /* Since CONNECT, shared by equal callers (caller_share()); before, NULL. */
    const struct caller *caller;
    int64_t key_end_us; /* since 1970: its key was rotated; 0: it was not */
    /* `<tenant>/<mount>/` in front of the client's topics (client_mount.h); data
     * NULL: none. Owned. */
    struct slice mount;
    char *identity; /* token, NUL, client id: the key of the session */
    size_t identity_len, token_len;
    struct message *will;
    UT_hash_handle session; /* in worker.sessions by identity */
    char peer[56];
    uint32_t discarded; /* bytes discarded while lingering */
    uint64_t number;    /* order in worker.connections, never used twice */
    int64_t opened_us;  /* wall-clock time of its CONNACK */

    /* what it published that has no answer yet */
    STAILQ_HEAD(, publish) unacked; /* QoS 1 and 2, in order of arrival */
    uint32_t unacked_count, unacked_qos2;
    /* Ours; a v5 client that exceeds it is disconnected. */
    uint16_t receive_maximum;
    uint32_t commands; /* with the writer, QoS 0 included */
    uint32_t messages; /* … of these, the messages it published */
    uint64_t command_bytes;
    /* Fan-out has to reach this id before a SUBSCRIBE or UNSUBSCRIBE takes effect:
     * that of the last message it published or, of an UNSUBSCRIBE, of the last
     * there was when it came. */
    uint64_t awaited_id;
    /* SUBACK, UNSUBACK, PUBCOMP that wait for the store. */
    uint32_t answers_due;
    /* Its next packet waits until its own messages are fanned out. */
    bool behind_own;
    bool in_behind; /* in worker.behind */
    /* … its next SUBSCRIBE waits for one with the same filter (subscribe.h). */
    bool behind_store;
    bool leaving; /* sent DISCONNECT, and waits for its answers */
    enum close_reason leaves_as;
    /* Not read from: out of credits, too many answers queued, or held. */
    bool stalled;
    /* In worker.starving: credits of its worker or its token are used up. */
    bool starving;
    /* In turn_share.waiting: its token's share of the turn is used up. */
    bool awaits_turn;
    bool held; /* MQTT 3 client over its hourly limit: PUBACK is delayed */
    uint32_t held_retry_s;

    /* subscriptions */
    LIST_HEAD(, session_filter) filters;
    uint32_t filter_count; /* ended ones included */
    uint32_t ended_filters;
    uint64_t filter_cost;
    TAILQ_HEAD(, retained_scan) scans;
    bool in_backlog; /* in turn_share.owed */
    /* The connection has ended but is still in the index; counted in
     * worker.dead_count. */
    bool in_index;
    uint32_t shares; /* shared groups it is a member of, or joins */
    /* Groups that have not answered yet: its SUBSCRIBE waits. */
    uint32_t joining;
    /* Groups that wait for room in its queue. */
    LIST_HEAD(, share_member) shares_paused;

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
/* The caller since CONNECT, borrowed from the connection. */
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

/* Takes `fd` (non-blocking) on success, with a plain transport: start
 * another one before connection_attach(). The caller has counted it in
 * hub.connections. The connection belongs to no worker yet. NULL: out of
 * memory. */
struct connection *connection_new(int fd, bool peer_is_admin,
                                  const char *peer);
/* Frees a connection that belongs to no worker, and closes its socket. */
void connection_free(struct connection *c);

/* Attaches it to this worker and handles the input it brought along. Closes
 * it if memory is short. Call it in the worker's thread. */
void connection_attach(struct connection *c, struct worker *w);
/* Detaches it from its worker, before another one attaches it. */
void connection_detach(struct connection *c);

/* Ends it. `text` (static, may be NULL) adds to the reason's text. Sends
 * DISCONNECT if the protocol version and the reason have one, and publishes
 * the will if the reason says so. May be called at any depth of the stack,
 * and more than once. */
void connection_close(struct connection *c, enum close_reason reason,
                      const char *text);
/* The client sent DISCONNECT. Stops reading, and closes the connection for
 * `reason` (CLIENT, CLIENT_WILL) once everything it sent before has been
 * answered: at once, if the writer has none of its commands. */
void connection_leave(struct connection *c, enum close_reason reason);
/* The close reason for a reason code of a decoder or a rule. */
enum close_reason connection_reason_of(uint8_t code);

/* CONNECT was accepted: starts the keep-alive timer. */
void connection_opened(struct connection *c);

/* Writes queued output until the socket is full. */
void connection_flush(struct connection *c);
/* Call it after adding to `out`: queues the connection for a flush at the
 * end of the turn. */
void connection_touch(struct connection *c);
/* Flushes all touched connections of this worker, and resets its arenas. */
void connection_flush_touched(struct worker *w);

/* Queues a packet other than PUBLISH: an answer or a DISCONNECT. false: out
 * of memory. */
bool connection_answer(struct connection *c, const void *packet, size_t size);
/* The same for answers of a session, flushed at the end of the turn. Closes
 * the connection if memory is short. size 0: the packet exceeds the client's
 * Maximum Packet Size, and nothing is sent. */
void connection_say(struct connection *c, const void *packet, size_t size);

/* The socket can be read. Only lobby.h calls it. */
void connection_readable(struct connection *c);

/* Ends it for a shutdown, without waiting for the client. */
void connection_end(struct connection *c);

/* Stops reading until connection_resume(). */
void connection_stall(struct connection *c);
/* Credits have returned: resumes reading once enough have, or completes
 * connection_leave(). */
void connection_credit(struct connection *c);
/* Its turn has come (turn_share_wait()): reads from it. */
void connection_take_turn(struct connection *c);
/* Resumes connections whose SUBSCRIBE or UNSUBSCRIBE waited for the fan-out
 * of their own messages. */
void connection_resume_behind(struct worker *w);
/* Resumes reading, first from bytes read earlier, unless something else
 * stalls it. */
void connection_resume(struct connection *c);

/* Stops reading for `seconds`, then calls events->hold_over() (MQTT 3). */
void connection_hold(struct connection *c, double seconds);

#endif
