/* A client's connection passes from the bridge, which got it with an HTTP
 * request, to the broker: over the UNIX socket CLIENTS_NAME in the data folder,
 * which the broker listens on. One connection and one record each; the
 * descriptor travels with it (SCM_RIGHTS). It is an ordinary client afterwards.
 *
 * Nothing here blocks. */
#ifndef CONFAB_BASE_NET_HANDOVER_H
#define CONFAB_BASE_NET_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define HANDOVER_SOCKET_TYPE SOCK_SEQPACKET

/* Passes a duplicate of `fd`, of which an HTTP request for MQTT over WebSocket
 * has been read; who passes it answers that request. false: nobody takes it
 * now, errno says why. */
bool handover_send(const char *path, int fd);

/* Takes one from a connection that was accepted; the caller's, close-on-exec
 * and non-blocking. -1 with EAGAIN: it is not there yet; else it will never be:
 * EPROTO when what came is no hand-over of this version. */
int handover_receive(int connection);

#endif
