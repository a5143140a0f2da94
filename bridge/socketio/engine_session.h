/* A session of Engine.IO 4 on the server's side, over polling or a WebSocket, with the
 * upgrade from one to the other. A pure state machine: no sockets, no clock. Its owner
 * tells it what came and what time it is, and does what the hooks say.
 *
 * Times are ms of any clock that only goes forward. Every call that has one first does
 * what has become due; engine_session_tick() does nothing else.
 *
 * Order: packets reach the client in the order of engine_session_send(), and the owner
 * in the order in which the client sent them, also across an upgrade. What is sent
 * while a client polls waits until engine_session_flush(), so that packets of one turn
 * travel in one answer; every call with a time flushes.
 *
 * Two requests on different connections may overtake each other, and a poll what was sent
 * over the WebSocket before it: of what is at hand, an owner tells the latter first. So a client that closes
 * by POST before its poll has come is answered NOOP by that poll, within a second; keep
 * the session in reach until engine_session_is_over().
 *
 * Hooks may call engine_session_send(), _give(), _close() and _end(), nothing else. After
 * `ended` all calls do nothing and refuse, but for that poll, until
 * engine_session_release(), which must not be called by a hook.
 *
 * Threads: one. Memory: this struct, and what waits for a poll: at most queue_max
 * bytes, counted with what each packet takes besides its bytes. */
#ifndef CONFAB_BRIDGE_SOCKETIO_ENGINE_SESSION_H
#define CONFAB_BRIDGE_SOCKETIO_ENGINE_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/token.h"
#include "bridge/socketio/engine_frame.h"
#include "bridge/socketio/engine_packet.h"

/* Why a session ended. X(NAME, close code of its WebSocket, reason sent with it) */
#define ENGINE_ENDS(X)                                                        \
    X(CLIENT, 1000, "") /* it sent CLOSE */                                   \
    X(SERVER, 1000, "") /* engine_session_close() by its owner */             \
    X(SHUTDOWN, 1001, "the server stops: connect again")                      \
    X(LOST, 0, "") /* the connection of a poll, POST or WebSocket */          \
    X(PING_TIMEOUT, 1008, "no pong within pingTimeout")                       \
    X(CONNECT_TIMEOUT, 1008, "no namespace was connected")                    \
    X(BAD_PACKET, 1008, "a packet breaks the protocol")                       \
    X(DUPLICATE, 1008, "two polls or two POSTs at once")                      \
    X(TOO_BIG, 1009, "a message is longer than maxPayload")                   \
    X(QUEUE_FULL, 1008, "too much waits to be read by the client")            \
    X(NO_MEMORY, 1013, "out of memory: try again later")

enum engine_end {
#define X(NAME, code, reason) ENGINE_END_##NAME,
    ENGINE_ENDS(X)
#undef X
};

enum engine_transport { ENGINE_POLLING, ENGINE_WEBSOCKET };

struct engine_settings {
    uint32_t ping_interval_ms;
    uint32_t ping_timeout_ms;
    uint32_t upgrade_timeout_ms; /* from a second transport to its UPGRADE */
    size_t max_payload;          /* bytes of a POST's body or a message */
    size_t queue_max;            /* bytes that wait for a poll */
};

struct engine_hooks {
    /* Answer the held GET: 200, text/plain, `payload` (borrowed). */
    void (*answer_poll)(void *arg, struct slice payload);
    /* Send this frame over the WebSocket; take a reference to keep it. false: the
     * WebSocket's own queue is full. */
    bool (*send)(void *arg, struct engine_frame *frame);
    /* Close the WebSocket; code 0: without a close frame. It is not the session's any
     * more; report nothing of it. */
    void (*close_socket)(void *arg, uint16_t code, const char *reason);
    /* The data of a MESSAGE; borrowed. */
    void (*message)(void *arg, struct slice data, bool is_binary);
    /* Once. A held GET has been answered, the WebSocket closed. */
    void (*ended)(void *arg, enum engine_end why);
};

/* ---- private */

enum engine_socket_state {
    ENGINE_SOCKET_NONE,
    ENGINE_SOCKET_NEW,    /* must send PING probe */
    ENGINE_SOCKET_PROBED, /* must send UPGRADE */
    ENGINE_SOCKET_MAIN
};

struct engine_session {
    char sid[TOKEN_MADE + 1]; /* public */

    /* private */
    const struct engine_settings *settings;
    const struct engine_hooks *hooks;
    void *arg;
    enum engine_socket_state socket;
    bool is_held;    /* a GET waits for its answer */
    bool is_posting; /* the body of a POST comes */
    bool is_closing; /* a client that polls has not got the last packets yet */
    bool has_ended;
    enum engine_end end; /* of a session that is closing or has ended */
    int64_t ping_at;     /* the next one; INT64_MAX: a pong is due first */
    int64_t pong_due;    /* INT64_MAX: none is; so below */
    int64_t upgrade_due; /* for a WebSocket that is not MAIN */
    int64_t closing_due;
    int64_t farewell_due; /* until then a poll is answered, after the end */
    struct engine_frame **queue; /* what waits for a poll, or the upgrade */
    size_t queue_len, queue_cap, queue_bytes;
};

/* ---- life */

/* settings and hooks are borrowed until release. `transport` is that of the handshake:
 * for polling the handshake itself is a held GET; for a WebSocket it has been
 * accepted. Sends the OPEN packet. */
void engine_session_init(struct engine_session *s,
                         const struct engine_settings *settings,
                         const struct engine_hooks *hooks, void *arg,
                         enum engine_transport transport, int64_t now);
void engine_session_release(struct engine_session *s);

/* Does what has become due. */
void engine_session_tick(struct engine_session *s, int64_t now);
/* When the next call is needed at the latest; INT64_MAX: never. */
int64_t engine_session_deadline(const struct engine_session *s);
bool engine_session_has_ended(const struct engine_session *s);
/* It has ended, and its client needs no answer any more. */
bool engine_session_is_over(const struct engine_session *s);
/* Bytes of memory besides the struct. */
size_t engine_session_held(const struct engine_session *s);

/* ---- polling: requests with this sid */

/* A GET has come. true: it is held, or has been answered by the hook. false: answer 400;
 * a second one at the same time ends the session. */
bool engine_session_poll(struct engine_session *s, int64_t now);
/* The connection of the held GET was closed: ends the session. */
void engine_session_poll_lost(struct engine_session *s);

/* The head of a POST has come. false: answer 400; a second one at the same time ends
 * the session. */
bool engine_session_post_begin(struct engine_session *s, int64_t now);
/* Its body. true: answer 200 "ok". false: answer 400, the session has ended or
 * polls no more. */
bool engine_session_post(struct engine_session *s, struct slice body,
                         int64_t now);
/* It is longer than max_payload: answer 413. Ends the session. */
void engine_session_post_too_big(struct engine_session *s);
/* Its connection was closed: ends the session. */
void engine_session_post_lost(struct engine_session *s);

/* ---- the WebSocket */

/* A WebSocket with this sid has been accepted. false: close it; the session has one
 * already, or has ended. */
bool engine_session_attach(struct engine_session *s, int64_t now);
/* A whole message has come. */
void engine_session_receive(struct engine_session *s, struct slice message,
                            bool is_binary, int64_t now);
/* Its connection was closed by the client or the network. `why`: LOST, or what was
 * wrong with what came (BAD_PACKET, TOO_BIG). During an upgrade the session goes on
 * polling. */
void engine_session_socket_lost(struct engine_session *s, enum engine_end why);

/* ---- to the client */

/* Takes no reference of the caller's. */
void engine_session_send(struct engine_session *s, struct engine_frame *frame);
/* The same for one that failed to be made: ends the session if it is NULL. Takes the
 * reference. */
void engine_session_give(struct engine_session *s, struct engine_frame *frame);
/* Answers the held GET if anything waits. */
void engine_session_flush(struct engine_session *s);
/* Sends what waits, then ends the session: at once, but a client that polls and has
 * no GET here gets the last packets with its next one, within ping_timeout_ms. */
void engine_session_close(struct engine_session *s, enum engine_end why);

/* Ends the session at once: what waits is dropped. For a client that breaks rules. */
void engine_session_end(struct engine_session *s, enum engine_end why);

/* The close code and reason of an end. */
uint16_t engine_end_code(enum engine_end why);
const char *engine_end_reason(enum engine_end why);

#endif
