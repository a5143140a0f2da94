/* Between tls.c, the connections, and tls_context.c, the certificates. */
#ifndef CONFAB_BASE_NET_TLS_CONTEXT_H
#define CONFAB_BASE_NET_TLS_CONTEXT_H

#include <gnutls/gnutls.h>

#include "base/net/tls.h"

/* Settles versions, certificate, and what is asked of the client. The context
 * must outlive the session. false: out of memory. */
bool tls_context_apply(struct tls_context *x, gnutls_session_t session);

#endif
