/* Private to tls.c (connections) and tls_context.c (certificates). */
#ifndef CONFAB_BASE_NET_TLS_CONTEXT_H
#define CONFAB_BASE_NET_TLS_CONTEXT_H

#include <gnutls/gnutls.h>

#include "base/net/tls.h"

/* Sets protocol versions, certificate, and whether a client certificate is
 * requested. The context must outlive the session. false: out of memory. */
bool tls_context_apply(struct tls_context *x, gnutls_session_t session);

#endif
