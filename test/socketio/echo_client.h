/* A session of the test server, with the connections that it has at the moment and the
 * application that its client talks to:
 *
 *   /engine.io/   every message comes back
 *   /socket.io/   namespaces / and /custom. On connect: "auth" with what the client
 *                 said. "message" comes back as "message-back", "message-with-ack" as
 *                 its acknowledgement. "leave" disconnects the client from the
 *                 namespace, "close" closes the session; "burst" with a number n sends
 *                 n times "burst" with 0…n-1.
 *
 * All in the main thread. */
#ifndef CONFAB_TEST_SOCKETIO_ECHO_CLIENT_H
#define CONFAB_TEST_SOCKETIO_ECHO_CLIENT_H

#include <ev.h>
#include <sys/queue.h>

#include "bridge/socketio/socket_session.h"
#include "bridge/stream/format/websocket_input.h"

struct echo_client {
    LIST_ENTRY(echo_client) link;
    bool is_engine;                /* /engine.io/: no Socket.IO */
    struct socket_session session; /* or only its .engine */
    struct ev_loop *loop;
    ev_timer due;
    ev_io poll, socket, socket_write; /* fd -1: none */
    struct websocket_input *input;
    struct buffer output;
    bool ends_after_output;
};

/* Those that the official suites expect, unless the command line has others. */
extern struct engine_settings echo_settings;
extern uint32_t echo_connect_timeout_ms;

/* Takes fd, the connection of the handshake; for a WebSocket it has been accepted.
 * NULL: out of memory. */
struct echo_client *echo_client_new(struct ev_loop *loop, bool is_engine,
                                    enum engine_transport transport, int fd);
/* Takes fd. A further GET, or WebSocket. */
void echo_client_poll(struct echo_client *c, int fd);
void echo_client_attach(struct echo_client *c, int fd);
bool echo_client_post(struct echo_client *c, struct slice body);
void echo_client_post_too_big(struct echo_client *c);
/* Its session has ended and nothing is left to be sent. */
bool echo_client_is_over(const struct echo_client *c);
void echo_client_free(struct echo_client *c);

/* Answers a request that has left HTTP, and closes its connection. */
void echo_answer(int fd, unsigned status, const char *content_type,
                 struct slice body);

#endif
