/* TLS 1.2 and 1.3 for MQTT, with GnuTLS; the one place that includes it.
 *
 * Threads:  a context is shared by all connections that began with it and does
 *           not change; a struct tls belongs to its connection.
 * Renewal:  a new context is loaded and put in place of the old one, which
 *           lives as long as a connection uses it.
 * Resumption is not offered: a resumed session would not show its certificate
 * again to whoever trusts other ones by now. */
#ifndef CONFAB_BASE_NET_TLS_H
#define CONFAB_BASE_NET_TLS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/config.h"

/* Room tls_read() wants: no byte of a record then stays behind in the library,
 * where no poll() would tell of it. */
#define TLS_RECORD_MAX 16384

struct tls_context;
struct tls;

/* Reads the files that mqtt.tls_cert, tls_key and tls_client_ca name. NULL:
 * *ret_error says which of them, and what is wrong. The caller owns a
 * reference. Warns of a certificate that is not valid now. */
struct tls_context *tls_context_load(const struct config *config,
                                     struct config_error *ret_error);
struct tls_context *tls_context_ref(struct tls_context *x);
void tls_context_unref(struct tls_context *x); /* NULL is fine */

/* The one for new connections. */
struct tls_current {
    pthread_mutex_t mutex;
    struct tls_context *context; /* NULL: no TLS */
};

void tls_current_init(struct tls_current *c);
void tls_current_release(struct tls_current *c);
/* Takes a reference. Any thread. */
void tls_current_set(struct tls_current *c, struct tls_context *x);
/* A reference; NULL: none. Any thread. */
struct tls_context *tls_current_get(struct tls_current *c);

/* Server side of a connection on the non-blocking socket `fd`, which stays the
 * caller's. Takes a reference. NULL: out of memory. */
struct tls *tls_new(struct tls_context *x, int fd);
void tls_free(struct tls *t); /* NULL is fine */

/* Like recv() and sendmsg(); the handshake is part of reading. errno EPROTO: it
 * is broken, tls_error() says why. room >= TLS_RECORD_MAX. After EAGAIN
 * tls_write() must be given the same bytes again, more may follow. */
ssize_t tls_read(struct tls *t, char *to, size_t room);
ssize_t tls_write(struct tls *t, const struct iovec *runs, int count);
const char *tls_error(const struct tls *t); /* static; NULL: none */

/* The handshake cannot go on before the socket takes more. */
bool tls_wants_write(const struct tls *t);
/* Sends close_notify; false: the socket takes no more now, call again. */
bool tls_end(struct tls *t);

#endif
