#include <ctype.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bridge/outgoing/fetch_private.h"

#define URL_MAX 2048

static bool refuse(char *ret_text, const char *why)
{
    snprintf(ret_text, FETCH_TEXT_MAX, "the URL %s", why);
    return false;
}

/* libcurl would accept some of these and send them encoded. */
static bool has_unsafe_byte(const char *url)
{
    for (const char *p = url; *p != '\0'; p++)
        if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f)
            return true;
    return false;
}

static bool has_part(CURLU *u, CURLUPart part)
{
    char *text = NULL;
    const bool has = curl_url_get(u, part, &text, 0) == CURLUE_OK;

    curl_free(text);
    return has;
}

static bool is_web(CURLU *u)
{
    char *scheme = NULL;
    const bool web =
        curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);

    curl_free(scheme);
    return web;
}

static bool check_parts(CURLU *u, char *ret_text)
{
    if (!is_web(u))
        return refuse(ret_text, "must begin with http:// or https://");
    if (has_part(u, CURLUPART_USER) || has_part(u, CURLUPART_PASSWORD))
        return refuse(ret_text,
                      "must not have a user name or password: URLs are shown "
                      "in lists and logs");
    return true;
}

bool fetch_url_check(const char *url, char *ret_text)
{
    if (url == NULL || url[0] == '\0')
        return refuse(ret_text, "is empty");
    if (strlen(url) > URL_MAX)
        return refuse(ret_text, "is longer than 2048 bytes");
    if (has_unsafe_byte(url))
        return refuse(ret_text, "has blanks, control characters or bytes that "
                                "are not ASCII: percent-encode them");
    if (strstr(url, "://") == NULL)
        return refuse(ret_text, "must begin with http:// or https://");
    CURLU *u = curl_url();
    if (u == NULL)
        return refuse(ret_text, "cannot be checked: out of memory");
    /* Unknown schemes, too: the error for them is ours. */
    const CURLUcode rc =
        curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME);
    const bool ok = rc == CURLUE_OK ? check_parts(u, ret_text)
                                    : refuse(ret_text, "is not valid");
    curl_url_cleanup(u);
    return ok;
}

/* RFC 6761 §6.3: the name and those below it are this machine's. */
static bool is_localhost(const char *host)
{
    static const char name[] = "localhost";
    const size_t len = strlen(host), own = sizeof(name) - 1;

    return len >= own && strcasecmp(host + len - own, name) == 0 &&
           (len == own || host[len - own - 1] == '.');
}

/* false: it is a name. */
static bool address_of(const char *host, struct sockaddr_storage *ret)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST}, *found = NULL;

    if (getaddrinfo(is_localhost(host) ? "127.0.0.1" : host, NULL, &hints,
                    &found) != 0)
        return false;
    memcpy(ret, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return true;
}

static char *host_without_port(const char *url)
{
    char *host = NULL, *copy = NULL;
    CURLU *u = curl_url();

    if (u != NULL && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK)
        copy = host[0] == '[' ? strndup(host + 1, strcspn(host + 1, "]"))
                              : strdup(host);
    curl_free(host);
    curl_url_cleanup(u);
    return copy;
}

bool fetch_url_check_address(const char *url,
                             const struct address_policy *policy,
                             char *ret_text)
{
    char *host = host_without_port(url);
    struct sockaddr_storage address = {0};

    if (host == NULL)
        return refuse(ret_text, "cannot be checked: out of memory");
    const char *why = address_of(host, &address)
                          ? address_refusal(policy, (void *)&address)
                          : NULL;
    if (why != NULL)
        snprintf(ret_text, FETCH_TEXT_MAX,
                 "%.100s is %s, to which webhooks are not sent unless "
                 "outgoing.allow says so",
                 host, why);
    free(host);
    return why == NULL;
}

static char *join(const char *host, const char *port)
{
    const size_t size = strlen(host) + 1 + strlen(port) + 1;
    char *joined = malloc(size);

    if (joined == NULL)
        return NULL;
    snprintf(joined, size, "%s:%s", host, port);
    for (char *p = joined; *p != '\0'; p++)
        *p = (char)tolower((unsigned char)*p);
    return joined;
}

char *fetch_url_host(const char *url)
{
    char *host = NULL, *port = NULL, *joined = NULL;
    CURLU *u = curl_url();

    if (u != NULL && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) ==
            CURLUE_OK)
        joined = join(host, port);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(u);
    return joined;
}
