/* What a connection reads from and writes to: a socket, TLS over it (tls.h),
 * or WebSocket frames over it (websocket.h). All are byte streams that
 * behave like recv() and sendmsg() on a non-blocking socket, errno included;
 * a plain socket costs nothing more.
 *
 * Threads:  its connection's; moves with it. */
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

/* A plain transport. Takes fd. */
static inline struct transport transport_of(int fd)
{
    return (struct transport){.fd = fd};
}

/* Call it before the first byte. false: out of memory, unchanged. */
bool transport_start_tls(struct transport *t, struct tls_context *context);
bool transport_start_websocket(struct transport *t);

/* room >= TRANSPORT_ROOM_MIN. 0: the client will send no more. -1 with
 * EPROTO: protocol violation, see transport_error(). */
ssize_t transport_read(struct transport *t, char *to, size_t room);
/* At most TRANSPORT_RUNS_MAX runs. Bytes that were not written (all of them
 * after EAGAIN) must come first and unchanged in the next call, at whatever
 * address. */
ssize_t transport_write(struct transport *t, const struct iovec *runs,
                        int count);
const char *transport_error(const struct transport *t); /* static, or NULL */

/* The transport itself has something to write, a pong or a close frame.
 * transport_write(t, NULL, 0) writes it. */
bool transport_owes(const struct transport *t);

/* The epoll events it needs before it can continue. */
uint32_t transport_awaits(const struct transport *t);

/* Both ends close it with a message of their own. */
static inline bool transport_has_goodbye(const struct transport *t)
{
    return t->tls != NULL || t->websocket != NULL;
}

/* Ends our stream after everything written: close frame or close_notify,
 * then FIN. false: not done yet, call it again when the socket has room. */
bool transport_end(struct transport *t);
/* Closes it, with a close frame or close_notify if still possible. May be
 * called again. */
void transport_close(struct transport *t);

#endif
