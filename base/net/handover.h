/* Passes a client's connection from the bridge, which received it with an HTTP
 * request, to the broker, over the UNIX socket CLIENTS_NAME in the data
 * folder, on which the broker listens. Each hand-over is one connection to
 * that socket with one record, which carries the descriptor (SCM_RIGHTS).
 * Afterwards the client is an ordinary one.
 *
 * Nothing here blocks. */
#ifndef CONFAB_BASE_NET_HANDOVER_H
#define CONFAB_BASE_NET_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define HANDOVER_SOCKET_TYPE SOCK_SEQPACKET

/* `client`: who it is for, which the socket need not know: it may be a proxy's.
 * Passes a duplicate of `fd`, from which an HTTP request for MQTT over
 * WebSocket has been read; the caller answers that request. false: the broker
 * does not accept it now; errno says why. */
bool handover_send(const char *path, int fd,
                   const struct sockaddr_storage *client);

/* Receives a descriptor from an accepted connection. It is the caller's,
 * close-on-exec and non-blocking. -1 with EAGAIN: it has not arrived yet; any
 * other error is final: EPROTO if the record is not a hand-over of this
 * version. */
int handover_receive(int connection, struct sockaddr_storage *ret_client);

#endif
