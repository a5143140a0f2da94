/* What the files of the HTTP front share; nobody else includes this. Each calls
 * those above it only:
 *
 *   http_head.c         what libmicrohttpd leaves unchecked in a head; pure
 *   http_thread.c       waking a thread, forgetting sockets, freeing
 *   http_request.c      a request and its answer, as handlers see them
 *   http_refusal.c      answers that the library cannot be made to send
 *   http_engine.c       libmicrohttpd: reads requests, sends answers
 *   http_connection.c   a socket and the phase it is in
 *   http_admit.c    who is let in
 *   http_deadlines.c    who waited too long, and who makes room
 *   http_dump.c         a thread's line for SIGUSR1
 *   http_server.c       threads, accepting, start and stop
 *
 * Every connection has a libmicrohttpd daemon of its own while it is in use, and
 * the daemon runs when our loop says so: that is how an error of the library is
 * known to belong to a connection, how deadlines can be by phase, and how a turn
 * has a bound. The library works on a duplicate of the socket, so that closing
 * it is ours.
 *
 * A connection belongs to one thread for life. All here is that thread's, except
 * what is atomic and http_post_resumed(). */
#ifndef CONFAB_BRIDGE_HTTP_HTTP_PRIVATE_H
#define CONFAB_BRIDGE_HTTP_HTTP_PRIVATE_H

#include <ev.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "base/complaint.h"
#include "base/net/client_addresses.h"
#include "base/net/connection_budget.h"
#include "bridge/http/http.h"
#include "bridge/http/http_head.h"

#define HTTP_READ_SIZE (64U * 1024)
#define HTTP_DISCARD_MAX (8U * 1024 * 1024)
#define HTTP_DISCARD_MS 2000
/* Who has its last answer and goes on sending is read from as nginx does it
 * (lingering_timeout, lingering_time). */
#define HTTP_LINGER_SILENT_MS 5000
#define HTTP_LINGER_MS 30000
/* Places a thread has beyond limits.connections, for /health: who comes last
 * gets the place of who waited longest. */
#define HTTP_RESERVE 16U
#define HTTP_RESERVE_MS 5000
/* After so long without a request the library's part is given up. */
#define HTTP_REST_MS 250

struct http_thread;
struct http_connection;

/* What the client is told of an answer whose head cannot be sent. */
#define HTTP_UNSENDABLE                                                       \
    "the server could not send its answer: its log says which header was "    \
    "in the way"

/* ---- a request ----------------------------------------------------------- */

struct http_request {
    struct http_server *server;
    struct http_connection *connection;
    enum http_method method;
    bool is_1_0, keeps_alive;
    struct slice sent_target; /* ours */
    struct slice path, query;
    char *decoded;         /* holds the segments */
    struct slice segments; /* each with a NUL behind it */
    bool segments_bad;
    struct http_field *fields; /* the library's bytes; names end in NUL */
    size_t field_count;
    struct joined *joined; /* fields that came in several lines */
    void *state;

    struct buffer body;
    size_t body_max;
    uint64_t body_seen;
    int64_t body_at_ms; /* when the last of it came */
    bool is_chunked, too_long;
    int64_t discard_until_ms;

    /* the answer */
    struct buffer headers; /* name NUL value NUL … */
    unsigned status;       /* 0: none yet */
    const char *content_type;
    bool has_content; /* there is a body, of these bytes or … */
    struct buffer content;
    ssize_t (*read)(void *arg, char *out, size_t max); /* … as long as it is */
    void (*release)(void *arg);
    void *arg;
    bool close_after;
    bool unsendable;   /* a header's value has a line end */
    bool begun, waits; /* for http_resume() */
    struct http_request *next_resumed;
};

/* Copies the target, as it stands on the wire. NULL: out of memory. */
struct http_request *http_request_new(struct http_connection *c,
                                      const char *target);
/* false: out of memory. */
bool http_request_set_head(struct http_request *q,
                           const struct http_head *head);
void http_request_free(struct http_request *q);
/* In place of an answer with a header that cannot be sent: 500, and a line in the
 * log. `header`: its name, NULL: the one with a line end in its value. */
void http_request_fail(struct http_request *q, const char *header);
/* Is the connection kept after its answer? */
bool http_request_keeps(const struct http_request *q);
/* The next header of the answer; *at starts at 0. */
bool http_request_next_header(const struct http_request *q, size_t *at,
                              const char **ret_name, const char **ret_value);

/* ---- answers by hand: http_refusal.c ------------------------------------- */

/* Each is whole, in JSON and with the common headers, and says that the
 * connection ends. */
void http_refusal_put(struct http_thread *t,
                      const struct http_refusal *refusal, struct buffer *out);
/* q's answer, which is not a stream. */
void http_refusal_put_answer(struct http_thread *t,
                             const struct http_request *q, struct buffer *out);

/* ---- libmicrohttpd: http_engine.c ---------------------------------------- */

struct MHD_Daemon;
struct MHD_Connection;

/* What is to be done after an event. */
enum http_step {
    STEP_ON,     /* read on, or wait for the handler */
    STEP_ANSWER, /* send c->request's answer */
    STEP_LEAVE   /* close the library's duplicate: c->outcome says why */
};

/* What the library tells the connection, in this order for each request. None of
 * these may stop it. */
struct http_engine_events {
    enum http_step (*head)(struct http_connection *c,
                           const struct http_head *head);
    enum http_step (*body)(struct http_connection *c, struct slice data);
    enum http_step (*end)(struct http_connection *c);
    /* `is_whole`: its answer was sent. */
    void (*done)(struct http_connection *c, bool is_whole);
    /* It is about to send a page of its own: ours goes first. 500: it cannot make
     * the head of an answer, and has sent nothing of it. */
    void (*refused)(struct http_connection *c, unsigned status);
    /* STEP_LEAVE, to be told `why`. */
    enum http_step (*leave)(struct http_connection *c,
                            struct http_refusal why);
};

struct http_engine {
    const struct http_engine_events *events;
    struct MHD_Daemon *daemon;         /* NULL: at rest */
    struct MHD_Connection *connection; /* NULL: not yet, or not any more */
    bool is_closed, times_out;
    uint64_t bytes_known; /* of those that came: what was made of them */
    bool is_countable;    /* … which a body in chunks does not say */
};

/* false: no memory or descriptors. */
bool http_engine_start(struct http_connection *c);
/* Reads, handles and sends what it can at once, by the events. false: it waits for the client or the handler. */
bool http_engine_run(struct http_connection *c);
/* Ends the socket's both directions, if the library has not closed its
 * duplicate: it is for connections that end. */
void http_engine_stop(struct http_connection *c);
/* Has the library closed its duplicate? */
bool http_engine_is_done(const struct http_connection *c);
/* Where no part of a request has come since the last: true at the second call,
 * a second later at the earliest, when the library's part is gone and the socket
 * goes on. */
bool http_engine_rest(struct http_connection *c);
/* Bytes behind the last request, -1: not known. */
int64_t http_engine_unread(const struct http_connection *c);

/* ---- a connection -------------------------------------------------------- */

enum http_phase {
    PHASE_IDLE,      /* no byte of a request has come */
    PHASE_HEAD,      /* some have */
    PHASE_BODY,      /* the head is there */
    PHASE_HANDLING,  /* suspended */
    PHASE_ANSWERING, /* the socket did not take all of it yet */
    PHASE_LINGERING, /* answered for good: the client gets time to read it */
    PHASE_CLOSED,
    PHASE_COUNT
};
/* A connection is in the list of its phase, or in the reserve's while it waits
 * there for its request. */
#define LIST_RESERVE PHASE_COUNT
#define LIST_COUNT (PHASE_COUNT + 1)

/* How a connection leaves the library. */
enum http_outcome {
    OUTCOME_NONE,
    OUTCOME_REFUSE,   /* c->why is to be sent */
    OUTCOME_REFUSED,  /* … was sent */
    OUTCOME_CUT,      /* the handler answers without the rest of the body */
    OUTCOME_DETACHED, /* the handler has the socket */
    OUTCOME_FAILED,   /* a part of an answer was sent */
};

struct http_connection {
    struct http_thread *thread;
    ev_io io;
    int fd;
    enum http_phase phase;
    unsigned list;
    int64_t
        since_ms; /* in this phase; while answering: of the last progress */
    TAILQ_ENTRY(http_connection) in_list;
    struct client_address address;
    bool has_address, has_place;
    bool
        leaves_input; /* close in two steps: the client may still be sending */
    const struct http_refusal *refusal; /* it is in the reserve */
    uint64_t discarded;
    int64_t linger_until_ms;
    struct http_engine engine;
    struct http_request *request;
    unsigned answered; /* requests in this turn */
    enum http_outcome outcome;
    struct http_refusal why;
    struct sockaddr_storage peer;
};
TAILQ_HEAD(http_connections, http_connection);

/* Takes c, which has its socket, peer and places, and watches it. */
void http_connection_begin(struct http_connection *c);
void http_connection_set_phase(struct http_connection *c,
                               enum http_phase phase);
/* Answers and closes; whatever there was of a request is dropped. */
void http_connection_refuse(struct http_connection *c,
                            const struct http_refusal *refusal);
/* The handler gets what there is of the body, and the connection ends. */
void http_connection_cut_body(struct http_connection *c);
/* Frees it at the end of this turn. `reset`: the client must not take what it
 * has got for the whole. */
void http_connection_close(struct http_connection *c, bool reset);
void http_connection_give_place(struct http_connection *c);
/* A request of it has its answer. */
void http_connection_resumed(struct http_connection *c);

/* ---- admitting: http_admit.c ----------------------------------------- */

/* Takes fd. */
void http_admit(struct http_thread *t, int fd,
                const struct sockaddr_storage *peer);

/* ---- deadlines: http_deadlines.c ----------------------------------------- */

/* Ends what has waited too long. */
void http_deadlines_check(struct http_thread *t);
/* Ends connections whose places others have got. */
void http_deadlines_pay(struct http_thread *t);
/* Any thread: connection_budget's make_room; arg: the server. */
bool http_deadlines_make_room(void *arg);

/* ---- threads ------------------------------------------------------------- */

struct http_thread {
    struct http_server *server;
    struct ev_loop *loop;
    struct ev_loop *never_run; /* see http_forget() */
    pthread_t thread;
    bool started, accepting;
    ev_io accept;
    ev_async wake;
    ev_timer tick, accept_pause;
    struct complaint no_descriptors;
    int64_t now_ms;
    struct http_connections lists[LIST_COUNT];
    unsigned reserve_used;
    unsigned waiting, stalled; /* connections that could be given up */
    atomic_uint spare;         /* their sum, for the others to see */
    atomic_uint owed;          /* of them, those whose places are taken */
    atomic_bool dump;          /* its state is to be logged */
    _Atomic(struct http_request *) resumed; /* a stack */
    struct buffer out;                      /* scratch: an answer by hand */
    struct http_head parsed;                /* scratch: of a request */
    char date[48];                          /* the header */
    int64_t date_s;
    char scratch[HTTP_READ_SIZE]; /* what is thrown away */
};

struct http_server {
    struct http_handler handler;
    struct connection_budget *budget;
    struct client_addresses *addresses;
    const struct config *config; /* borrowed: what SIGHUP changes */
    int64_t idle_ms, head_ms, body_ms, write_ms;
    char keep_alive[32]; /* value of the header of that name */
    uint16_t port;
    atomic_int fd; /* the listening socket; -1: closed */
    atomic_bool quiesced, stopping;
    atomic_uint accepting; /* threads that watch fd */
    atomic_uint pending;
    struct http_thread **threads;
    unsigned wanted, count;
};

/* Any thread: http_thread.c. */
void http_post_resumed(struct http_request *q);
void http_wake(struct http_thread *t);
/* t's thread: epoll reports nothing of fd any more. Before closing a socket that
 * lives on in a duplicate: epoll knows sockets, not descriptors. */
void http_forget(struct http_thread *t, int fd);

/* A line of log: how many connections are in which phase. */
void http_log_state(const struct http_thread *t);

/* At the end of a turn: frees what was closed in it. */
void http_reap(struct http_thread *t);

#endif
