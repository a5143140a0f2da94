#include "bridge/doors/public_cors.h"

#include <strings.h>

#include "bridge/http/call.h"

#define ALLOWED "Content-Type, Last-Event-ID, Idempotency-Key, If-None-Match"

static const char *const headers[] = {
    "Access-Control-Allow-Origin",
    "*",
    "Access-Control-Expose-Headers",
    "X-RateLimit-Remaining, Retry-After, ETag",
    NULL,
};

/* Of further headers only one that we know is allowed: Content-Encoding, for pages
 * that compress their bodies. */
static void allow_headers(struct call *c)
{
    static const char name[] = "content-encoding";
    struct slice asked;
    bool encodes = false;

    if (http_header(c->q, "Access-Control-Request-Headers", &asked))
        for (size_t i = 0; i + sizeof(name) - 1 <= asked.len && !encodes; i++)
            encodes = strncasecmp((const char *)asked.data + i, name,
                                  sizeof(name) - 1) == 0;
    http_add_header(c->q, "Access-Control-Allow-Headers",
                    encodes ? ALLOWED ", Content-Encoding" : ALLOWED);
}

const struct cors public_cors = {
    .headers = headers,
    .methods = "GET, HEAD, POST, OPTIONS",
    .max_age = "86400",
    .allow_headers = allow_headers,
};
