#include "bridge/doors/credential.h"

#include <strings.h>

#include "base/secret.h"
#include "bridge/http/url.h"

/* What follows `Bearer` and its blanks. false: another scheme, or nothing. */
static bool take_off_scheme(struct slice value, struct slice *ret_rest)
{
    static const char scheme[] = "Bearer";
    const size_t len = sizeof(scheme) - 1;
    const char *p = value.data;

    if (value.len <= len || strncasecmp(p, scheme, len) != 0 || p[len] != ' ')
        return false;
    size_t at = len;
    while (at < value.len && p[at] == ' ')
        at++;
    *ret_rest = slice_of(p + at, value.len - at);
    return ret_rest->len > 0;
}

enum credential credential_parse(struct slice value, struct slice *ret_secret)
{
    enum secret_kind kind;
    struct slice rest;

    if (!take_off_scheme(value, &rest))
        return CREDENTIAL_NONE;
    if (secret_parse(rest, &kind)) {
        *ret_secret = rest;
        return CREDENTIAL_KEY;
    }
    if (!secret_is_like_jwt(rest))
        return CREDENTIAL_NONE;
    *ret_secret = rest;
    return CREDENTIAL_JWT;
}

bool credential_ticket(struct slice query, char text[CREDENTIAL_TICKET_MAX],
                       struct slice *ret_ticket)
{
    struct slice value;
    size_t len;

    if (!url_query(query, "key", &value))
        return false;
    *ret_ticket = slice_of(text, 0);
    if (value.len < CREDENTIAL_TICKET_MAX &&
        url_decode(value, true, text, &len))
        *ret_ticket = slice_of(text, len);
    return true;
}

/* NONE: there is no key or JWT. */
static enum credential credential_of_header(const struct http_request *q,
                                            struct slice *ret_secret)
{
    struct slice value;

    if (!http_header(q, "Authorization", &value))
        return CREDENTIAL_NONE;
    if (http_header_lines(q, "Authorization") > 1)
        return CREDENTIAL_AMBIGUOUS;
    return credential_parse(value, ret_secret);
}

enum credential credential_of(const struct http_request *q, bool takes_ticket,
                              char text[CREDENTIAL_TICKET_MAX],
                              struct slice *ret_secret)
{
    const enum credential found = credential_of_header(q, ret_secret);
    struct slice ticket;

    if (!takes_ticket || !credential_ticket(http_query(q), text, &ticket))
        return found;
    if (found != CREDENTIAL_NONE)
        return CREDENTIAL_AMBIGUOUS;
    *ret_secret = ticket;
    return CREDENTIAL_TICKET;
}
