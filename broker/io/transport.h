/* What a connection reads and writes with: a socket, TLS on it (tls.h), or
 * WebSocket frames on it (websocket.h). All of them are streams of bytes with
 * the manners of recv() and sendmsg() on a non-blocking socket, and say so in
 * errno; a plain one costs no more than these.
 *
 * Threads:  its connection's; moves along with it. */
#ifndef CONFAB_BROKER_IO_TRANSPORT_H
#define CONFAB_BROKER_IO_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/net/tls.h"

#define TRANSPORT_ROOM_MIN TLS_RECORD_MAX
#define TRANSPORT_RUNS_MAX 256

struct websocket;

struct transport {
    int fd;                      /* -1: closed */
    struct tls *tls;             /* NULL: none */
    struct websocket *websocket; /* NULL: none */
};

/* Takes fd: a plain one. */
static inline struct transport transport_of(int fd)
{
    return (struct transport){.fd = fd};
}

/* Before the first byte; false: out of memory, it is as before. */
bool transport_start_tls(struct transport *t, struct tls_context *context);
bool transport_start_websocket(struct transport *t);

/* room >= TRANSPORT_ROOM_MIN. 0: the client will send no more. -1 with EPROTO:
 * it broke the rules, transport_error() says which. */
ssize_t transport_read(struct transport *t, char *to, size_t room);
/* At most TRANSPORT_RUNS_MAX runs. Bytes it did not take, all after EAGAIN, come
 * first in the next call, unaltered (wherever they are by then). */
ssize_t transport_write(struct transport *t, const struct iovec *runs,
                        int count);
const char *transport_error(const struct transport *t); /* static, or NULL */

/* There is something to write that is not the caller's: a pong, a goodbye.
 * transport_write(t, NULL, 0) writes it. */
bool transport_owes(const struct transport *t);

/* The epoll events it waits for before anything else can happen. */
uint32_t transport_awaits(const struct transport *t);

/* Both ends close it with a message of its own. */
static inline bool transport_has_goodbye(const struct transport *t)
{
    return t->tls != NULL || t->websocket != NULL;
}

/* The end of our stream, behind all that was written: a close frame or
 * close_notify, FIN. false: not yet, call again when there is room. */
bool transport_end(struct transport *t);
/* The end of all; says goodbye if it still can. May be called again. */
void transport_close(struct transport *t);

#endif
