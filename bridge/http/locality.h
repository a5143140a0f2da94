/* Whether a request comes from this machine itself, and neither from a page of another
 * site nor through a proxy. In open mode every name is a token, so this check is all
 * that keeps a developer's data from the pages they visit. A browser states where a page
 * is from (Origin), and by which name it found the server (Host; DNS rebinding points a
 * foreign name at 127.0.0.1). A proxy states that it is one. Whoever can send arbitrary
 * requests from this machine is local anyway. */
#ifndef CONFAB_BRIDGE_HTTP_LOCALITY_H
#define CONFAB_BRIDGE_HTTP_LOCALITY_H

#include <stdbool.h>

#include "base/slice.h"
#include "bridge/http/http.h"

/* `localhost`, a name below it, 127.0.0.0/8 or ::1, with or without a port (RFC 6761
 * §6.3, RFC 9110 §7.2): "LOCALHOST:80", "app.localhost", "[::1]:8080". */
bool host_is_loopback(struct slice host);
/* Whether a serialized origin (RFC 6454 §6.2) has such a host; `null` has none. */
bool origin_is_loopback(struct slice origin);
/* Forwarded, X-Forwarded-*, Via, X-Real-IP: headers that proxies add. */
bool is_proxy_header(const char *name);

/* Why the request is not local, e.g. "its Origin is another site"; NULL: it is local. A
 * request without Host (HTTP/1.0) or Origin does not come from a browser. */
const char *why_not_local(const struct http_request *q);

#endif
