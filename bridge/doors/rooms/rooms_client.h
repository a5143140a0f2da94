/* One client of Socket.IO: its session, and the stream that carries it, parked while the
 * client polls (bridge/stream/stream_client.h). Everything in the streamer's thread, but
 * for rooms_client_new() and _free(). */
#ifndef CONFAB_BRIDGE_DOORS_ROOMS_ROOMS_CLIENT_H
#define CONFAB_BRIDGE_DOORS_ROOMS_ROOMS_CLIENT_H

#include "bridge/doors/rooms/rooms_sockets.h"
#include "bridge/socketio/socket_session.h"
#include "bridge/stream/stream_client.h"

struct rooms_client {
    LIST_ENTRY(rooms_client) in_bucket; /* rooms_sockets.c; while is_known */
    struct rooms_sockets *sockets;
    struct socket_session session;
    struct stream *stream; /* NULL: it has not begun */
    unsigned streamer;
    bool is_known;
    bool is_parked;
    int poll_fd; /* the handshake by polling, until the stream begins; or -1 */
};

extern const struct stream_door rooms_client_door;

/* poll_fd: the connection of a handshake by polling, which is taken; -1: the client has
 * a WebSocket. NULL: out of memory. Its door_state is to be. */
struct rooms_client *rooms_client_new(struct rooms_sockets *sockets,
                                      int poll_fd);
/* For one that was not adopted. Does not close poll_fd. */
void rooms_client_free(struct rooms_client *c);

static inline const char *rooms_client_sid(const struct rooms_client *c)
{
    return c->session.engine.sid;
}

/* ---- requests with its session id */

/* A GET by polling; takes fd. */
void rooms_client_poll(struct rooms_client *c, struct streamer *st, int fd);
/* A WebSocket; takes fd. `head` is the answer to its handshake. */
void rooms_client_attach(struct rooms_client *c, struct streamer *st, int fd,
                         struct slice head);
/* The body of a POST. false: answer 400. */
bool rooms_client_post(struct rooms_client *c, struct slice body);
void rooms_client_post_too_big(struct rooms_client *c);

/* Answers a GET by polling that no session is there for; takes fd. */
void rooms_refuse_poll(struct streamer *st, int fd, const char *json);

#endif
