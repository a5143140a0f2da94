/* TLS 1.2 and 1.3 for MQTT, with GnuTLS, which only this module includes.
 *
 * Threads:  a context is shared by all connections that began with it and does
 *           not change; a struct tls belongs to its connection.
 * Renewal:  a new context is loaded and put in place of the old one, which
 *           lives as long as a connection uses it.
 * Sessions are not resumed: a resumed session would not present its
 * certificate again, although the trusted CAs may have changed. */
#ifndef CONFAB_BASE_NET_TLS_H
#define CONFAB_BASE_NET_TLS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/config.h"

/* The room that tls_read() needs, so that no byte of a record stays in the
 * library, where poll() would not report it. */
#define TLS_RECORD_MAX 16384

struct tls_context;
struct tls;

/* Reads the files that mqtt.tls_cert, tls_key and tls_client_ca name. NULL:
 * *ret_error says which of them is wrong, and why. The caller owns a
 * reference. Logs a warning if the certificate is not valid now. */
struct tls_context *tls_context_load(const struct config *config,
                                     struct config_error *ret_error);
struct tls_context *tls_context_ref(struct tls_context *x);
void tls_context_unref(struct tls_context *x); /* NULL is fine */

/* The context for new connections. */
struct tls_current {
    pthread_mutex_t mutex;
    struct tls_context *context; /* NULL: no TLS */
};

void tls_current_init(struct tls_current *c);
void tls_current_release(struct tls_current *c);
/* Takes a reference. Any thread. */
void tls_current_set(struct tls_current *c, struct tls_context *x);
/* Returns a new reference; NULL: no TLS. Any thread. */
struct tls_context *tls_current_get(struct tls_current *c);

/* The server side of a connection on the non-blocking socket `fd`, which the
 * caller keeps. Takes a reference. NULL: out of memory. */
struct tls *tls_new(struct tls_context *x, int fd);
void tls_free(struct tls *t); /* NULL is fine */

/* Like recv() and sendmsg(); the handshake is part of reading. errno EPROTO:
 * the connection is broken; tls_error() says why. room >= TLS_RECORD_MAX.
 * After EAGAIN tls_write() must be given the same bytes again; more may follow
 * them. */
ssize_t tls_read(struct tls *t, char *to, size_t room);
ssize_t tls_write(struct tls *t, const struct iovec *runs, int count);
const char *tls_error(const struct tls *t); /* static; NULL: none */

/* The handshake cannot continue until the socket is writable. */
bool tls_wants_write(const struct tls *t);
/* Sends close_notify. false: the socket is not writable now; call again. */
bool tls_end(struct tls *t);

#endif
