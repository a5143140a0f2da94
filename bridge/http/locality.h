/* Did somebody on this machine send a request, or a page from elsewhere, or a
 * proxy for the rest of the world? In open mode any name is a token, so that is
 * all that keeps a developer's data from the pages he visits: a browser says
 * where a page is from (Origin), and under which name it found the server
 * (Host; DNS rebinding points a foreign name at 127.0.0.1). A proxy says that
 * it is one. Who can send what he likes from this machine is local anyway. */
#ifndef CONFAB_BRIDGE_HTTP_LOCALITY_H
#define CONFAB_BRIDGE_HTTP_LOCALITY_H

#include <stdbool.h>

#include "base/slice.h"
#include "bridge/http/http.h"

/* `localhost`, a name below it, 127.0.0.0/8 or ::1, with a port or without
 * (RFC 6761 §6.3, RFC 9110 §7.2): "LOCALHOST:80", "app.localhost", "[::1]:8080". */
bool host_is_loopback(struct slice host);
/* A serialized origin (RFC 6454 §6.2) of such a host; `null` is not. */
bool origin_is_loopback(struct slice origin);
/* Forwarded, X-Forwarded-*, Via, X-Real-IP: headers that proxies add. */
bool is_proxy_header(const char *name);

/* Why the request is not local, e.g. "its Origin is another site"; NULL: it
 * is. A request without Host (HTTP/1.0) or Origin is no browser's. */
const char *why_not_local(const struct http_request *q);

#endif
