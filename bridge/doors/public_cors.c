#include "bridge/doors/public_cors.h"

#include <string.h>

#include "bridge/http/call.h"

#define ALLOWED "Content-Type, Last-Event-ID, Idempotency-Key, If-None-Match"

static const char *const headers[] = {
    "Access-Control-Allow-Origin",
    "*",
    "Access-Control-Expose-Headers",
    "X-RateLimit-Remaining, Retry-After, ETag",
    NULL,
};

/* Further headers that we know are allowed to pages that ask for them: of bodies that
 * are compressed, and of keys. */
static void allow_headers(struct call *c)
{
    static const char *const further[] = {"Content-Encoding", "Authorization"};
    char allowed[128] = ALLOWED;

    char methods[64] = "GET, HEAD, POST, ";

    if ((c->methods & HTTP_PATCH) != 0)
        strcat(methods, "PATCH, ");
    if ((c->methods & HTTP_DELETE) != 0)
        strcat(methods, "DELETE, ");
    strcat(methods, "OPTIONS");
    http_add_header(c->q, "Access-Control-Allow-Methods", methods);
    for (size_t i = 0; i < sizeof(further) / sizeof(further[0]); i++)
        if (preflight_asks_for(c->q, further[i])) {
            strcat(allowed, ", ");
            strcat(allowed, further[i]);
        }
    http_add_header(c->q, "Access-Control-Allow-Headers", allowed);
}

const struct cors public_cors = {
    .headers = headers,
    .max_age = "86400",
    .allow_headers = allow_headers,
};
