/* A session of Socket.IO 5 on the server's side: namespaces, events and their
 * acknowledgements over a session of Engine.IO, which it contains. As pure as that: what
 * comes from the network goes to `engine` (engine_session.h), time to
 * socket_session_tick(), and the hooks say what to do. A client that breaks the protocol
 * is disconnected (ENGINE_END_BAD_PACKET), as socket.io does.
 *
 * Connection state recovery: a door that has it gives a client a `pid` when it
 * accepts it, and puts an offset behind the arguments of events; a client that comes
 * back says both (socket_recovery_read()), and is accepted with its earlier sid.
 * Without a pid clients do not ask for it.
 *
 * Threads: one. Memory: the struct, the namespaces, at most engine_settings.max_payload
 * bytes of an event whose attachments have not all come, and what Engine.IO holds. */
#ifndef CONFAB_BRIDGE_SOCKETIO_SOCKET_SESSION_H
#define CONFAB_BRIDGE_SOCKETIO_SOCKET_SESSION_H

#include "bridge/socketio/engine_session.h"
#include "bridge/socketio/socket_packet.h"

#define SOCKET_NAMESPACES_MAX 8 /* connected at once; more are refused */

/* EVENT, ACK or a binary one of these with its attachments; all borrowed. */
struct socket_event {
    struct socket_packet packet; /* .json is the array */
    struct slice attachments[SOCKET_ATTACHMENTS_MAX];
};

struct socket_hooks {
    /* As struct engine_hooks says. */
    void (*answer_poll)(void *arg, struct slice payload);
    bool (*send)(void *arg, struct engine_frame *frame);
    void (*close_socket)(void *arg, uint16_t code, const char *reason);
    void (*ended)(void *arg, enum engine_end why);
    /* The client wants this namespace; `auth` is a JSON object, or empty. Answer with
     * socket_session_accept() or _refuse(), now or later. */
    void (*connect)(void *arg, struct slice namespace_name, struct slice auth);
    /* EVENT or BINARY_EVENT. One with an id must be answered by an ACK. */
    void (*event)(void *arg, const struct socket_event *event);
    /* ACK or BINARY_ACK; NULL: they are ignored. */
    void (*ack)(void *arg, const struct socket_event *event);
    /* The client left the namespace and stays connected. */
    void (*left)(void *arg, struct slice namespace_name);
};

struct socket_namespace;

struct socket_session {
    struct engine_session engine;

    /* private */
    const struct socket_hooks *hooks;
    void *arg;
    int64_t connect_due; /* INT64_MAX: a namespace was connected */
    struct socket_namespace *namespaces;
    size_t namespace_count;
    /* An event that waits for attachments; NULL: none. */
    struct socket_assembly *assembly;
};

/* As engine_session_init(); a client must connect a namespace within
 * connect_timeout_ms. */
void socket_session_init(struct socket_session *s,
                         const struct engine_settings *settings,
                         const struct socket_hooks *hooks, void *arg,
                         enum engine_transport transport,
                         uint32_t connect_timeout_ms, int64_t now);
void socket_session_release(struct socket_session *s);
/* In place of engine_session_tick() and _deadline(). */
void socket_session_tick(struct socket_session *s, int64_t now);
int64_t socket_session_deadline(const struct socket_session *s);
/* Bytes of memory besides the struct. */
size_t socket_session_held(const struct socket_session *s);

/* How a namespace is accepted. */
struct socket_accept {
    const char *sid; /* NULL: a new one */
    const char
        *pid; /* NULL: no recovery; in JSON as a string without escapes */
};
/* The answer to connect(). Nothing happens if the client does not wait for it any
 * more. how may be NULL. */
void socket_session_accept(struct socket_session *s,
                           struct slice namespace_name,
                           const struct socket_accept *how);
/* {"message":"<message>"} */
void socket_session_refuse(struct socket_session *s,
                           struct slice namespace_name, const char *message);
/* NULL: the client has not connected it. Valid until it leaves. */
const char *socket_session_sid(const struct socket_session *s,
                               struct slice namespace_name);
/* DISCONNECT from the server: the client stays connected, and does not come back to this
 * namespace by itself. */
void socket_session_leave(struct socket_session *s,
                          struct slice namespace_name);

/* Sends a packet and its attachments to this client. For one packet to many clients make
 * a frame of it (socket_frame_new()), and use engine_session_send(). */
void socket_session_send(struct socket_session *s,
                         const struct socket_event *event);
/* NULL: out of memory. */
struct engine_frame *socket_frame_new(const struct socket_packet *packet);

/* What a client says that comes back: `auth` of connect() has "pid" and "offset",
 * which are appended to `ret` without escapes, one after the other, pid_len bytes and
 * the rest. false: it has not both as strings. */
bool socket_recovery_read(struct slice auth, struct buffer *ret,
                          size_t *ret_pid_len);

#endif
