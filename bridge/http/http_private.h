/* What the files of the HTTP front share; nobody else includes this. Each file calls
 * only those above it:
 *
 *   http_head.c         what libmicrohttpd leaves unchecked in a head; pure
 *   http_thread.c       waking a thread, forgetting sockets, freeing connections
 *   http_request.c      a request and its answer, as handlers see them
 *   http_refusal.c      answers that the library cannot send
 *   http_engine.c       libmicrohttpd: reads requests, sends answers
 *   http_connection.c   a socket and the phase it is in
 *   http_admit.c        which connections are admitted
 *   http_deadlines.c    which have waited too long, and which make room
 *   http_dump.c         a thread's line for SIGUSR1
 *   http_server.c       threads, accepting, start and stop
 *
 * While a connection is in use it has a libmicrohttpd daemon of its own, which runs
 * when our loop says so. Therefore an error of the library belongs to a known
 * connection, deadlines can depend on the phase, and a turn has a bound. The library
 * works on a duplicate of the socket, so that we decide when the connection is closed.
 *
 * A connection belongs to one thread for life. Everything here is for that thread only,
 * except what is atomic and http_post_resumed(). */
#ifndef CONFAB_BRIDGE_HTTP_HTTP_PRIVATE_H
#define CONFAB_BRIDGE_HTTP_HTTP_PRIVATE_H

#include <ev.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "base/address_list.h"
#include "base/complaint.h"
#include "base/net/client_addresses.h"
#include "base/net/connection_budget.h"
#include "base/net/proxy_wait.h"
#include "bridge/http/http.h"
#include "bridge/http/http_head.h"

#define HTTP_READ_SIZE (64U * 1024)
#define HTTP_DISCARD_MAX (8U * 1024 * 1024)
#define HTTP_DISCARD_MS 2000
/* A client that has its last answer and goes on sending is read from for as long as
 * nginx does (lingering_timeout, lingering_time). */
#define HTTP_LINGER_SILENT_MS 5000
#define HTTP_LINGER_MS 30000
/* Places of a thread beyond limits.connections, for /health. A new connection gets the
 * place of the one that has waited longest. */
#define HTTP_RESERVE 16U
#define HTTP_RESERVE_MS 5000
/* A connection without a request for so long loses its daemon. */
#define HTTP_REST_MS 250

struct http_thread;
struct http_connection;

/* Tells the client that the head of its answer cannot be sent. */
#define HTTP_UNSENDABLE                                                       \
    "the server could not send its answer: its log says which header was "    \
    "in the way"

/* ---- a request ----------------------------------------------------------- */

struct http_request {
    struct http_server *server;
    struct http_connection *connection;
    enum http_method method;
    bool is_1_0, keeps_alive;
    struct slice sent_target; /* a copy */
    struct slice path, query;
    char *decoded;         /* holds the segments */
    struct slice segments; /* each followed by a NUL */
    bool segments_bad;
    struct http_field
        *fields; /* point to the library's bytes; names end in NUL */
    size_t field_count;
    struct joined *joined; /* fields that came in several lines */
    struct in6_addr client;
    bool is_forwarded; /* … by a trusted proxy, which said so in a header */
    void *state;

    struct buffer body;
    size_t body_max;
    uint64_t body_seen;
    int64_t body_at_ms; /* when its last part came */
    bool is_chunked, too_long;
    int64_t discard_until_ms;

    /* the answer */
    struct buffer headers; /* name NUL value NUL … */
    unsigned status;       /* 0: none yet */
    const char *content_type;
    bool has_content; /* there is a body: these bytes, or … */
    struct buffer content;
    ssize_t (*read)(void *arg, char *out,
                    size_t max); /* … what this returns */
    void (*release)(void *arg);
    void *arg;
    bool close_after;
    bool unsendable;   /* a header's value has a line break */
    bool begun, waits; /* for http_resume() */
    bool again;        /* for http_handle_again() */
    struct http_request *next_resumed;
};

/* Copies the target as it was sent. NULL: out of memory. */
struct http_request *http_request_new(struct http_connection *c,
                                      const char *target);
/* false: out of memory. */
bool http_request_set_head(struct http_request *q,
                           const struct http_head *head);
void http_request_free(struct http_request *q);
/* Replaces an answer that has a header which cannot be sent by a 500, and logs it.
 * `header`: its name; NULL: the first one with a line break in its value. */
void http_request_fail(struct http_request *q, const char *header);
/* Whether the connection is kept open after the answer. */
bool http_request_keeps(const struct http_request *q);
/* The next header of the answer; *at starts at 0. */
bool http_request_next_header(const struct http_request *q, size_t *at,
                              const char **ret_name, const char **ret_value);

/* ---- answers without the library: http_refusal.c ------------------------- */

/* Each writes a complete answer, in JSON and with the common headers, which says that
 * the connection is closed. */
void http_refusal_put(const struct http_connection *c,
                      const struct http_refusal *refusal, struct buffer *out);
/* Writes q's answer, which must not be a stream. */
void http_refusal_put_answer(struct http_thread *t,
                             const struct http_request *q, struct buffer *out);

/* ---- libmicrohttpd: http_engine.c ---------------------------------------- */

struct MHD_Daemon;
struct MHD_Connection;

/* What the library shall do after an event. */
enum http_step {
    STEP_ON,     /* read on, or wait for the handler */
    STEP_ANSWER, /* send c->request's answer */
    STEP_LEAVE   /* close the library's duplicate; c->outcome says why */
};

/* Events from the library, in this order for each request. None of these may stop the
 * daemon. */
struct http_engine_events {
    enum http_step (*head)(struct http_connection *c,
                           const struct http_head *head);
    enum http_step (*body)(struct http_connection *c, struct slice data);
    enum http_step (*end)(struct http_connection *c);
    /* `is_whole`: its answer was sent completely. */
    void (*done)(struct http_connection *c, bool is_whole);
    /* The library is about to send a page of its own: send ours first. 500: it cannot
     * make the head of an answer, and has sent nothing of it. */
    void (*refused)(struct http_connection *c, unsigned status);
    /* Returns STEP_LEAVE; the client is to be told `why`. */
    enum http_step (*leave)(struct http_connection *c,
                            struct http_refusal why);
};

struct http_engine {
    const struct http_engine_events *events;
    struct MHD_Daemon *daemon;         /* NULL: stopped while idle */
    struct MHD_Connection *connection; /* NULL: not yet, or not any more */
    bool is_closed, times_out;
    const char
        *target; /* as sent, in the library's buffer, until its request's
                           head has been read */
    uint64_t bytes_known; /* bytes of the input that we can account for */
    bool is_countable;    /* false after a chunked body: its size is unknown */
};

/* false: no memory or descriptors. */
bool http_engine_start(struct http_connection *c);
/* Reads, handles and sends what it can, and reports events. false: it waits for the
 * client or the handler. */
bool http_engine_run(struct http_connection *c);
/* Shuts the socket down in both directions, unless the library has closed its
 * duplicate: only for connections that end. */
void http_engine_stop(struct http_connection *c);
/* Whether the library has closed its duplicate. */
bool http_engine_is_done(const struct http_connection *c);
/* Stops the daemon of a connection that is between two requests; the socket stays open.
 * Call it until it returns true: at the second call, a second later at the earliest. */
bool http_engine_rest(struct http_connection *c);
/* Number of bytes after the last request; -1: unknown. */
int64_t http_engine_unread(const struct http_connection *c);

/* ---- a connection -------------------------------------------------------- */

enum http_phase {
    PHASE_IDLE,      /* no byte of a request has come */
    PHASE_HEAD,      /* some bytes of a head have come */
    PHASE_BODY,      /* the head is complete */
    PHASE_HANDLING,  /* suspended */
    PHASE_ANSWERING, /* the socket has not accepted all of the answer yet */
    PHASE_LINGERING, /* half-closed: the client gets time to read the answer */
    PHASE_CLOSED,
    PHASE_COUNT
};
/* A connection is in the list of its phase; or in that of the reserve, while it waits
 * there for its request. */
#define LIST_RESERVE PHASE_COUNT
#define LIST_COUNT (PHASE_COUNT + 1)

/* How a connection leaves the library. */
enum http_outcome {
    OUTCOME_NONE,
    OUTCOME_REFUSE,   /* c->why must be sent */
    OUTCOME_REFUSED,  /* … has been sent */
    OUTCOME_CUT,      /* the handler answers without the rest of the body */
    OUTCOME_DETACHED, /* the handler has the socket */
    OUTCOME_FAILED,   /* a part of an answer was sent */
};

struct http_connection {
    struct http_thread *thread;
    const struct http_listener *listener; /* through which it came */
    ev_io io;
    int fd;
    enum http_phase phase;
    unsigned list;
    int64_t since_ms; /* begin of this phase; while answering: last progress */
    TAILQ_ENTRY(http_connection) in_list;
    struct client_address address;
    bool has_address, has_place;
    bool is_relayed;   /* peer is from a PROXY header */
    bool is_proxy;     /* peer is trusted, and no client of its own */
    bool leaves_input; /* half-close first: the client may still be sending */
    const struct http_refusal *refusal; /* not NULL: it is in the reserve */
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

/* Takes c, whose socket, peer and places are set, and watches its socket. */
void http_connection_begin(struct http_connection *c);
void http_connection_set_phase(struct http_connection *c,
                               enum http_phase phase);
/* Answers and closes; an incomplete request is dropped. */
void http_connection_refuse(struct http_connection *c,
                            const struct http_refusal *refusal);
/* Passes the body, as far as it has come, to the handler and ends the connection. */
void http_connection_cut_body(struct http_connection *c);
/* Closes c, and frees it at the end of this turn. `reset`: so that the client does not
 * take a part of an answer for the whole. */
void http_connection_close(struct http_connection *c, bool reset);
void http_connection_give_place(struct http_connection *c);
/* A suspended request of c has got its answer. */
void http_connection_resumed(struct http_connection *c);

/* ---- admitting: http_admit.c ----------------------------------------- */

/* Takes fd, and makes a connection of it or refuses it. listener: its number.
 * is_relayed: `peer` is from a PROXY header. */
void http_admit(struct http_thread *t, int fd,
                const struct sockaddr_storage *peer, bool is_relayed,
                int listener);

/* ---- deadlines: http_deadlines.c ----------------------------------------- */

/* Closes connections that have waited too long. */
void http_deadlines_check(struct http_thread *t);
/* Closes connections whose places have been promised to others. */
void http_deadlines_pay(struct http_thread *t);
/* Any thread: make_room of the connection budget; arg: the server. */
bool http_deadlines_make_room(void *arg);

/* ---- threads ------------------------------------------------------------- */

struct http_thread {
    struct http_server *server;
    struct ev_loop *loop;
    struct ev_loop *never_run; /* see http_forget() */
    pthread_t thread;
    bool started, accepting;
    ev_io accepts[HTTP_LISTENERS_MAX];
    ev_async wake;
    ev_timer tick, accept_pause;
    struct complaint no_descriptors;
    struct proxy_waits proxies; /* with http.proxy_protocol: no header yet */
    int64_t now_ms;
    struct http_connections lists[LIST_COUNT];
    unsigned reserve_used;
    unsigned waiting, stalled; /* connections that could be given up */
    atomic_uint spare;         /* the sum of both, for other threads to see */
    atomic_uint owed;          /* how many of them must go: places promised */
    atomic_bool dump;          /* its state shall be logged */
    _Atomic(struct http_request *) resumed; /* a stack */
    struct buffer out;                      /* scratch: an answer of ours */
    struct http_head parsed;                /* scratch: the head being read */
    char date[48];                          /* value of Date */
    int64_t date_s;
    char scratch[HTTP_READ_SIZE]; /* for input that is dropped */
};

/* An address, and what its requests are for. */
struct http_listener {
    struct http_handler handler;
    atomic_int fd; /* the listening socket; -1: closed */
    uint16_t port;
};

struct http_server {
    struct http_listener listeners[HTTP_LISTENERS_MAX];
    unsigned listener_count;
    struct connection_budget *budget;
    struct client_addresses *addresses;
    const struct config *config; /* borrowed: what SIGHUP changes */
    int64_t idle_ms, head_ms, body_ms, write_ms;
    char keep_alive[32];         /* value of the header Keep-Alive */
    struct address_list trusted; /* http.trusted_proxies */
    bool with_header;            /* http.proxy_protocol */
    atomic_bool quiesced, stopping;
    atomic_uint accepting; /* threads that watch the listening sockets */
    atomic_uint pending;
    struct http_thread **threads;
    unsigned wanted, count;
};

/* Any thread: http_thread.c. */
void http_post_resumed(struct http_request *q);
void http_wake(struct http_thread *t);
/* In t's thread: makes epoll forget fd. Call it before closing a socket of which a
 * duplicate lives on, because epoll watches sockets, not descriptors. */
void http_forget(struct http_thread *t, int fd);

/* Logs one line: how many connections are in which phase. */
void http_log_state(const struct http_thread *t);

/* At the end of a turn: frees connections that were closed in it. */
void http_reap(struct http_thread *t);

#endif
