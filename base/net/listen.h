/* Opens the sockets of a setting `listen`: `address:port`, where the address may be
 * a name or an IPv6 address in brackets. Resolving a name blocks: at start, in
 * main. */
#ifndef CONFAB_BASE_NET_LISTEN_H
#define CONFAB_BASE_NET_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/config.h"

/* Opens every address that `where` ("localhost:1883", "[::]:0") stands for, at most
 * `max`: non-blocking, listening, closed by exec(). With port 0 all get the one the
 * first was given; *ret_port is that. An address the machine does not have is
 * left out as long as there is another; one that is in use or forbidden is an
 * error. false: *ret_error, which names `key`; nothing is open. */
bool listen_open(const char *key, const char *where, int *fds, size_t max,
                 size_t *ret_count, uint16_t *ret_port,
                 struct config_error *ret_error);

#endif
