/* What the files of the HTTP server share; nobody else includes this.
 *
 *   http_head.c, http_chunks.c   what the bytes mean; pure
 *   http_request.c               a request and its answer, as handlers see them
 *   http_answer.c                the head of an answer
 *   http_connection.c            a socket: reading, handling, sending
 *   http_deadlines.c             who waited too long, and who makes room
 *   http_server.c                threads, accepting, start and stop
 *
 * A connection belongs to one thread for life. All here is that thread's, except
 * what is atomic and http_post_resumed(). */
#ifndef CONFAB_BRIDGE_HTTP_PRIVATE_H
#define CONFAB_BRIDGE_HTTP_PRIVATE_H

#include <ev.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "base/client_addresses.h"
#include "base/connection_budget.h"
#include "bridge/http.h"
#include "bridge/http_chunks.h"
#include "bridge/http_head.h"

#define HTTP_READ_SIZE (64U * 1024)
#define HTTP_DISCARD_MAX (8U * 1024 * 1024)
#define HTTP_DISCARD_MS 2000
/* Places a thread has beyond limits.connections, for /health: who comes last
 * gets the place of who waited longest. */
#define HTTP_RESERVE 16U
#define HTTP_RESERVE_MS 5000

struct http_thread;

/* ---- a request ----------------------------------------------------------- */

struct http_request {
    struct http_server *server;
    struct http_connection *connection;
    enum http_method method;
    bool is_1_0, keeps_alive;
    struct slice path, query;
    char *decoded; /* holds the segments */
    struct slice segments[HTTP_SEGMENTS_MAX];
    size_t segment_count;
    bool segments_bad;
    struct http_field *fields; /* names end in NUL */
    size_t field_count;
    struct joined *joined; /* fields that came in several lines */
    void *state;

    struct buffer body;
    size_t body_max;
    uint64_t body_seen, body_left; /* left: of Content-Length */
    int64_t body_at_ms;            /* when the last of it came */
    bool is_chunked, too_long;
    struct http_chunks chunks;
    int64_t discard_until_ms;

    /* the answer */
    struct buffer headers;
    unsigned status; /* 0: none yet */
    const char *content_type;
    bool has_content; /* there is a body, of these bytes or … */
    struct buffer content;
    size_t content_sent;
    ssize_t (*read)(void *arg, char *out, size_t max); /* … as long as it is */
    void (*release)(void *arg);
    void *arg;
    bool close_after;
    bool begun;
    struct http_request *next_resumed;
};

/* Copies what it needs of the head; `head_bytes` is what it was read from. NULL:
 * out of memory. */
struct http_request *http_request_new(struct http_connection *c,
                                      const struct http_head *head,
                                      struct slice head_bytes);
void http_request_free(struct http_request *q);
/* {"error":text} with the server's common headers. */
void http_request_refuse(struct http_request *q,
                         const struct http_refusal *refusal);

/* ---- the head of an answer: http_answer.c -------------------------------- */

/* Is the connection kept afterwards? */
bool http_answer_keeps(const struct http_request *q);
/* Does the answer have a body on the wire, and in chunks? */
bool http_answer_sends_content(const struct http_request *q);
bool http_answer_is_chunked(const struct http_request *q);
/* Appends the head of q's answer. */
void http_answer_put_head(struct http_thread *t, const struct http_request *q,
                          struct buffer *out);
/* Appends a whole answer that says why there was no other, and that the
 * connection ends. */
void http_answer_put_refusal(struct http_thread *t,
                             const struct http_refusal *refusal,
                             struct buffer *out);

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

struct http_connection {
    struct http_thread *thread;
    ev_io io;
    int fd;
    enum http_phase phase;
    unsigned list;
    int64_t
        since_ms; /* in this phase; while answering: of the last progress */
    TAILQ_ENTRY(http_connection) in_list;
    STAILQ_ENTRY(http_connection) in_more;
    bool wants_more; /* in t->more */
    struct client_address address;
    bool has_address, has_place;
    const struct http_refusal *refusal; /* it is in the reserve */
    struct buffer in; /* what came and could not be worked on yet */
    size_t in_used;
    struct buffer out; /* what the socket did not take: of heads, of blocks */
    size_t out_sent;
    bool
        leaves_input; /* close in two steps: the client may still be sending */
    uint64_t discarded;
    struct http_request *request;
    struct sockaddr_storage peer;
};
TAILQ_HEAD(http_connections, http_connection);
STAILQ_HEAD(http_more, http_connection);

/* Takes fd. */
void http_connection_begin(struct http_thread *t, int fd,
                           const struct sockaddr_storage *peer);
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
/* Works on what was sent ahead. */
void http_connection_go_on(struct http_connection *c);

/* ---- deadlines: http_deadlines.c ----------------------------------------- */

/* Ends what has waited too long. */
void http_deadlines_check(struct http_thread *t);
/* Ends connections whose places others have got. */
void http_deadlines_pay(struct http_thread *t);
/* Ends the one that waited longest in the reserve. false: none waits. */
bool http_deadlines_clear_reserve(struct http_thread *t);
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
    int64_t now_ms;
    struct http_connections lists[LIST_COUNT];
    struct http_more more;
    unsigned reserve_used;
    unsigned waiting, stalled; /* connections that could be given up */
    atomic_uint spare;         /* their sum, for the others to see */
    atomic_uint owed;          /* of them, those whose places are taken */
    _Atomic(struct http_request *) resumed; /* a stack */
    struct buffer head;      /* scratch: the head of an answer */
    struct http_head parsed; /* scratch: of a request */
    char date[48];           /* the header */
    int64_t date_s;
    char scratch[HTTP_READ_SIZE];    /* what was read */
    char block[HTTP_READ_SIZE + 64]; /* what is sent */
};

struct http_server {
    struct http_handler handler;
    struct connection_budget *budget;
    struct client_addresses *addresses;
    uint64_t most_of_address, most_of_loopback; /* 0: no limit */
    int64_t idle_ms, head_ms, body_ms, write_ms;
    char keep_alive[64]; /* the headers of an answer after which it is kept */
    uint16_t port;
    atomic_int fd; /* the listening socket; -1: closed */
    atomic_bool quiesced, stopping;
    atomic_uint accepting; /* threads that watch fd */
    atomic_uint pending;
    struct http_thread **threads;
    unsigned count;
};

/* Any thread. */
void http_post_resumed(struct http_request *q);
void http_wake(struct http_thread *t);
/* t's thread: epoll reports nothing of fd any more. Before closing a socket that
 * lives on in a duplicate: epoll knows sockets, not descriptors. */
void http_forget(struct http_thread *t, int fd);

/* At the end of a turn: frees what was closed in it. */
void http_reap(struct http_thread *t);

#endif
