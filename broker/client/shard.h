/* The data of one worker, which every layer of the broker reads and changes.
 * A worker is a thread with one libev loop; it owns connections, their
 * sessions and the index of their subscriptions. worker.h describes its life
 * and its turns.
 *
 * Layers above this one keep their own data behind a pointer here, allocated
 * together with the worker.
 * Threads: the worker's, unless a comment says otherwise. */
#ifndef CONFAB_BROKER_CLIENT_SHARD_H
#define CONFAB_BROKER_CLIENT_SHARD_H

#include <pthread.h>

#include "base/mailbox.h"
#include "base/subscription_index.h"
#include "broker/client/connection.h"
#include "broker/client/credits.h"
#include "broker/client/held.h"
#include "broker/client/hub.h"
#include "broker/client/refusals.h"
#include "broker/client/stored_session.h"
#include "broker/client/turn_share.h"
#include "broker/client/worker_counters.h"
#include "broker/index/identifiers.h"
#include "broker/io/block.h"
#include "broker/io/image.h"

/* Most batches in its mailbox, and most bytes of their messages, plus one
 * batch. */
#define WORKER_BATCHES_MAX 1024
#define WORKER_BATCH_BYTES_MAX (64U * 1024 * 1024)
#define WORKER_MOVES_MAX 4096
#define WORKER_QUESTIONS_MAX 64
#define WORKER_READ_SIZE 65536
/* Most bytes encoded between two flushes. No live subscriber gets more at
 * once, so one whose socket accepts everything is never taken for a slow
 * one. */
#define WORKER_ENCODED_MAX (OUT_QUEUE_BYTES_MAX / 4)

struct batch;
struct listeners;
struct opening;
struct pending_will;
struct publish_pool;
struct share;
struct sys_values;

/* An MQTT 3 client that was closed at its token's hourly limit. */
struct throttled {
    uint64_t publisher;
    int64_t until_us; /* monotonic */
    uint64_t
        writes_per_hour; /* the limit: with another one it may come back */
};
#define THROTTLED_MAX 1024

struct worker {
    struct hub *hub;
    unsigned number;

    bool started;
    pthread_t thread;

    /* mailboxes; everything else is the thread's own */
    struct mailbox *results;      /* struct command, bounded by the credits */
    struct mailbox *batches;      /* struct batch, a reference each */
    _Atomic uint64_t batch_bytes; /* of those, and of `current` */
    struct mailbox *moves;        /* struct connection */
    /* struct publish of other workers (admin/client_query.h) */
    struct mailbox *questions;
    /* Not 0: the mailbox had no room for a batch; 1 + the head of the last
     * such batch. While it is set the writer sends none, so that order is
     * kept. */
    _Atomic uint64_t missed;
    atomic_uint_fast64_t
        liveness_round; /* hub.liveness_round, as this worker saw it last */
    unsigned dumps;     /* likewise hub.dumps */

    /* data of the layers above */
    const struct connection_events *events; /* static, for all connections */
    struct publish_pool *publishes;         /* publish/publish.h */
    struct share *share;    /* share/share.h; contains the fifth mailbox */
    struct sys_values *sys; /* `$SYS` as last fanned out */
    struct listeners *listeners; /* accept/listener.h */

    struct ev_loop *loop;
    ev_async wake;
    ev_prepare turn;
    ev_check check;
    ev_idle again; /* active: the turn left something to do */
    /* The next turn is due: for a retry, or to continue a phase. */
    ev_timer tick;
    int lobby_fd; /* lobby.h */
    ev_io lobby;
    void (*lobby_readable)(struct connection *c);
    enum hub_phase phase;
    bool is_busy; /* draining, and counted in hub.busy */
    int64_t closing_until_us;

    struct connection_list spare;   /* spare.h; the first is the next to go */
    _Atomic int64_t spare_since_us; /* monotonic, of the first */
    atomic_uint spare_count, spare_owed;

    struct connection_list connections;
    size_t connection_count;
    /* A walk over the connections that continues in later turns: behind
     * number `after`, at `next`, which moves on when that connection leaves
     * the list. */
    struct {
        uint64_t after;
        struct connection *next;
    } walk;
    struct connection *sessions;    /* by identity */
    struct session_filter *filters; /* by connection and filter */
    struct turns turns; /* whose turn it is to be read, and to get backlog */
    struct unsaved_sessions unsaved; /* stored ones, urgent first */
    ev_timer save_tick;
    ev_timer sys_tick; /* the admin worker's */
    ev_timer key_tick;
    int64_t key_end_us;       /* wall clock: no connection's key ends before */
    size_t sys_subscriptions; /* filters of this worker that match `$SYS` */
    bool save_all;
    /* CONNECTs that wait for the store, by identity; session_open.c's. */
    struct opening *openings;
    TAILQ_HEAD(, session_restore) restores;
    struct pending_will *wills; /* by client */
    TAILQ_HEAD(, pending_will) due_wills;
    size_t wills_submitted; /* wills with the writer */
    /* Of all its connections, for commands with the writer. */
    struct credits credits;
    /* Not read: credits of worker or token are used up. */
    struct connection_list starving;
    /* Not read: wait for fan-out of their own messages. */
    struct connection_list behind;
    SLIST_HEAD(, connection) dead;
    size_t dead_count; /* of ended connections that are still in the index */
    struct connection *touched;

    struct subscription_index *index;
    uint64_t stamp;
    struct identifiers identifiers; /* of the message at hand */
    struct connection **hits; /* has room for all connections in the index */
    size_t hit_count, hit_cap;

    uint64_t head; /* every message up to this id was fanned out */
    /* > head: batches are missing, reads the log up to here. */
    uint64_t catchup_to;
    bool recheck_tokens;
    bool fanning_out;      /* the message with id `head` is being fanned out */
    struct batch *current; /* being fanned out, up to current_at */
    size_t current_at;
    size_t encoded; /* bytes since the last flush */

    struct block_pool pool;
    struct arena arenas[IMAGE_SHAPES];
    struct buffer scratch; /* for one packet being built */
    struct buffer mounted; /* topics of one packet (client_mount.h) */
    char *read_buffer;     /* 2 * WORKER_READ_SIZE */
    struct refusals refusals;
    uint64_t held[HELD_POOL_COUNT]; /* bytes held for all clients together */
    struct holder *holders;         /* of these, by address or token */

    struct throttled throttled[THROTTLED_MAX];

    int64_t real_us, mono_us; /* of this turn */
    struct counters counters;
    _Atomic uint64_t subscriptions, shared_subscriptions;
    _Atomic uint64_t clients; /* connected clients, without administrators */
    /* Of these, the ones with a stored session. */
    _Atomic uint64_t clients_stored;
    _Atomic uint64_t closed[CLOSE_REASON_COUNT];
};

/* ---- any thread */

/* Wakes its loop. */
void worker_wake(struct worker *w);

/* ---- the worker's thread */

/* The turn left something to do: begins the next one at once. */
void worker_again(struct worker *w);
/* The store failed: begins the next turn after a short delay. */
void worker_try_later(struct worker *w);
/* Hands a connection over to the worker of its session, with its unread
 * bytes. false: that worker has no room; the connection stays. */
bool worker_move(struct worker *to, struct connection *c);
/* The last id in the log. Acknowledged messages have ids up to that; fan-out
 * may be behind. Opens a short read transaction. false: the store cannot be
 * read. */
bool worker_read_log_head(const struct worker *w, uint64_t *ret_head);

#endif
