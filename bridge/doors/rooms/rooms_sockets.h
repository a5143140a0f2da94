/* The sessions of Socket.IO that are open, by their session id: a request of a client
 * that polls may come to any HTTP thread, and goes to the streamer that has its
 * session. Any thread, unless said otherwise. */
#ifndef CONFAB_BRIDGE_DOORS_ROOMS_ROOMS_SOCKETS_H
#define CONFAB_BRIDGE_DOORS_ROOMS_ROOMS_SOCKETS_H

#include <pthread.h>
#include <sys/queue.h>

#include "bridge/doors/front.h"
#include "bridge/socketio/engine_session.h"

#define ROOMS_SOCKET_BUCKETS 4096

struct rooms_client;

LIST_HEAD(rooms_client_list, rooms_client);

struct rooms_sockets {
    struct front *front;
    struct slice tenant; /* borrowed from the settings */
    struct engine_settings engine;
    uint32_t connect_timeout_ms;
    pthread_mutex_t mutex; /* guards the buckets */
    struct rooms_client_list buckets[ROOMS_SOCKET_BUCKETS];
};

/* NULL: out of memory. Main thread. */
struct rooms_sockets *rooms_sockets_new(struct front *front,
                                        struct slice tenant);
void rooms_sockets_free(struct rooms_sockets *s); /* none open; NULL is fine */

/* The session is in reach from now on, until it leaves. */
void rooms_sockets_enter(struct rooms_sockets *s, struct rooms_client *c);
void rooms_sockets_leave(struct rooms_sockets *s, struct rooms_client *c);
/* The streamer of the session. false: there is none with that id. */
bool rooms_sockets_streamer(struct rooms_sockets *s, struct slice sid,
                            unsigned *ret_streamer);
/* In that streamer's thread: the session, for as long as the callback runs. NULL: it
 * has ended. */
struct rooms_client *rooms_sockets_find(struct rooms_sockets *s,
                                        struct slice sid);

/* GET and POST /socket.io/ */
enum http_next rooms_socket(struct call *c);
size_t rooms_socket_body_max(struct call *c);

#endif
