/* Where clients come in: TCP addresses and the UNIX socket in the data folder.
 * The sockets are opened in main; any number of workers accept from them. */
#ifndef CONFAB_BROKER_LISTENER_H
#define CONFAB_BROKER_LISTENER_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/config.h"

struct worker;

/* Opens every address `listen` ("localhost:1883", "[::]:0") stands for, at most
 * `max`; with port 0 all get the one the first was given. false: *ret_error. */
bool listener_open_tcp(const char *listen, int *fds, size_t max,
                       size_t *ret_count, uint16_t *ret_port,
                       struct config_error *ret_error);

/* Opens `<dir>/confab.sock`, replacing one nobody listens on any more. */
bool listener_open_local(const char *dir, int *ret_fd,
                         struct config_error *ret_error);
void listener_remove_local(const char *dir);

/* libev callbacks; io->data and timer->data are the worker. */
void listener_on_accept(struct ev_loop *loop, ev_io *io, int events);
void listener_on_pause_over(struct ev_loop *loop, ev_timer *timer, int events);

#endif
