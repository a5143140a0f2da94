#include "bridge/http/locality.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#define HOST_MAX 253 /* longest DNS name */

static bool is_port(struct slice s)
{
    const char *p = s.data;

    for (size_t i = 0; i < s.len; i++)
        if (p[i] < '0' || p[i] > '9')
            return false;
    return s.len <= 5;
}

/* Copies the host without port and brackets. */
static bool split_host(struct slice s, char *ret_host, bool *ret_is_v6)
{
    const char *p = s.data;
    const char *end = p + s.len;
    const char *colon;

    *ret_is_v6 = s.len > 0 && p[0] == '[';
    if (*ret_is_v6) {
        const char *bracket = memchr(p, ']', s.len);
        if (bracket == NULL)
            return false;
        p++;
        colon = bracket + 1;
        s.len = (size_t)(bracket - p);
    } else {
        colon = s.len > 0 ? memchr(p, ':', s.len) : NULL;
        if (colon == NULL)
            colon = end;
        s.len = (size_t)(colon - p);
    }
    if (s.len == 0 || s.len > HOST_MAX ||
        (colon != end &&
         (*colon != ':' ||
          !is_port(slice_of(colon + 1, (size_t)(end - colon - 1))))))
        return false;
    memcpy(ret_host, p, s.len);
    ret_host[s.len] = '\0';
    return strlen(ret_host) == s.len;
}

bool host_is_loopback(struct slice host)
{
    static const char name[] = "localhost";
    char text[HOST_MAX + 1];
    bool is_v6;
    struct in_addr v4;
    struct in6_addr v6;

    if (!split_host(host, text, &is_v6))
        return false;
    if (is_v6)
        return inet_pton(AF_INET6, text, &v6) == 1 &&
               IN6_IS_ADDR_LOOPBACK(&v6);
    if (inet_pton(AF_INET, text, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    size_t len = strlen(text);
    if (text[len - 1] == '.') /* the root of DNS */
        text[--len] = '\0';
    const size_t tail = sizeof(name) - 1;
    if (len < tail || strcasecmp(text + len - tail, name) != 0)
        return false;
    return len == tail || text[len - tail - 1] == '.';
}

bool origin_is_loopback(struct slice origin)
{
    const char *p = origin.data;
    const char *mark = origin.len > 0 ? memmem(p, origin.len, "://", 3) : NULL;

    if (mark == NULL || mark == p)
        return false; /* "null", or something no browser sends */
    mark += 3;
    return host_is_loopback(slice_of(mark, origin.len - (size_t)(mark - p)));
}

bool is_proxy_header(const char *name)
{
    static const char prefix[] = "X-Forwarded-";

    switch (name[0]) { /* most names, of every request's, end here */
    case 'F':
    case 'f': return strcasecmp(name, "Forwarded") == 0;
    case 'V':
    case 'v': return strcasecmp(name, "Via") == 0;
    case 'X':
    case 'x':
        return strcasecmp(name, "X-Real-IP") == 0 ||
               strncasecmp(name, prefix, sizeof(prefix) - 1) == 0;
    default: return false;
    }
}

/* Counts lines by name; a thread handles one request at a time. */
static _Thread_local struct {
    const char *name;
    unsigned lines;
} counted;

static bool is_second_line(const char *name)
{
    if (strcasecmp(name, counted.name) == 0)
        counted.lines++;
    return counted.lines > 1;
}

/* http_header() returns only one of them. A browser sends one, so if there are two,
 * nobody can tell whose page sent the request (RFC 6454 §7.3). */
static bool has_twice(const struct http_request *q, const char *name)
{
    counted.name = name;
    counted.lines = 0;
    return http_has_header(q, is_second_line);
}

const char *why_not_local(const struct http_request *q)
{
    struct slice value;

    if (http_is_relayed(q) || http_has_header(q, is_proxy_header))
        return "it came through a proxy";
    if (has_twice(q, "Host") ||
        (http_header(q, "Host", &value) && !host_is_loopback(value)))
        return "its Host is not localhost";
    if (has_twice(q, "Origin") ||
        (http_header(q, "Origin", &value) && !origin_is_loopback(value)))
        return "it was made by a page from elsewhere";
    return NULL;
}
