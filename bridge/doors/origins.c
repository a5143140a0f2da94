#include "bridge/doors/origins.h"

#include <string.h>
#include <strings.h>

#include "base/tenant_setting.h"
#include "store/directory.h"

static bool is_same(struct slice a, struct slice b)
{
    return a.len == b.len && strncasecmp(a.data, b.data, a.len) == 0;
}

bool origin_is_listed(struct slice origin, struct slice list)
{
    const char *at = list.data, *end = at + list.len;

    while (at < end) {
        const char *blank = memchr(at, ' ', (size_t)(end - at));
        const char *stop = blank == NULL ? end : blank;
        if (stop > at && is_same(origin, slice_of(at, (size_t)(stop - at))))
            return true;
        at = stop + 1;
    }
    return false;
}

static bool is_own(const struct http_request *q, struct slice origin)
{
    const char *p = origin.data;
    const char *mark = origin.len > 0 ? memmem(p, origin.len, "://", 3) : NULL;
    struct slice host;

    return mark != NULL && http_header(q, "Host", &host) &&
           is_same(slice_of(mark + 3, origin.len - (size_t)(mark + 3 - p)),
                   host);
}

void origin_look_up(struct call *c, struct store_reader *r)
{
    struct tenant_settings settings;
    struct slice origin;

    if (store_tenant_settings(r, c->arguments[0], &settings) != STORE_OK)
        return; /* most tenants have none */
    const struct slice list =
        tenant_setting(&settings, tenant_setting_name(TENANT_CORS_ORIGINS));
    if (list.len == 0 || slice_eq(list, slice_str("*")))
        return;
    c->origin = ORIGIN_LISTED;
    if (!http_header(c->q, "Origin", &origin))
        return;
    if (http_header_lines(c->q, "Origin") > 1 ||
        (!origin_is_listed(origin, list) && !is_own(c->q, origin)))
        c->origin = ORIGIN_OTHER;
}

bool origin_refused(struct call *c)
{
    if (c->origin != ORIGIN_OTHER)
        return false;
    answer_error(c, 403,
                 "pages of this Origin may not use this tenant "
                 "(cors.origins)");
    return true;
}
