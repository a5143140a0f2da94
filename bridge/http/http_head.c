#include "bridge/http/http_head.h"

#include <string.h>
#include <strings.h>

#define METHOD_MAX 32U

/* ---- bytes --------------------------------------------------------------- */

/* RFC 9110 §5.6.2: letters, digits and !#$%&'*+-.^_`|~ as a bit for each. */
static bool is_token_byte(unsigned char c)
{
    static const uint32_t bits[8] = {0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff};

    return (bits[c >> 5] >> (c & 31) & 1) != 0;
}

static size_t token_length(const char *p, size_t len)
{
    size_t n = 0;

    while (n < len && is_token_byte((unsigned char)p[n]))
        n++;
    return n;
}

/* No blanks, no control characters. Bytes above 0x7f are allowed: people write names as
 * they are. */
static bool is_target(struct slice s)
{
    const unsigned char *p = s.data;

    for (size_t i = 0; i < s.len; i++)
        if (p[i] <= ' ' || p[i] == 0x7f)
            return false;
    return true;
}

/* RFC 9110 §5.5: NUL, CR and LF must not pass; no field that we use has other control
 * characters. */
static bool is_value(struct slice s)
{
    const unsigned char *p = s.data;

    for (size_t i = 0; i < s.len; i++)
        if ((p[i] < ' ' && p[i] != '\t') || p[i] == 0x7f)
            return false;
    return true;
}

/* host [":" port] of RFC 3986 §3.2, without user information. It may be empty: a client
 * without a name for us sends that. */
static bool is_authority(struct slice s)
{
    const char *p = s.data;

    for (size_t i = 0; i < s.len; i++)
        if (p[i] == '\0' || (!is_token_byte((unsigned char)p[i]) &&
                             strchr(":[]()=;,", p[i]) == NULL))
            return false;
    return true;
}

/* The next element of a comma-separated list, trimmed. */
static bool next_element(struct slice *list, struct slice *ret)
{
    if (list->len == 0)
        return false;
    const char *p = list->data, *comma = memchr(p, ',', list->len);
    const size_t n = comma == NULL ? list->len : (size_t)(comma - p);
    *ret = slice_trim(slice_of(p, n));
    *list = comma == NULL ? slice_of(NULL, 0)
                          : slice_of(comma + 1, list->len - n - 1);
    return true;
}

bool http_list_has(struct slice list, const char *word)
{
    struct slice one;

    while (next_element(&list, &one))
        if (http_name_is(one, word))
            return true;
    return false;
}

/* ---- the request line ---------------------------------------------------- */

static bool refuse_head(struct http_refusal *ret, unsigned status,
                        const char *text)
{
    *ret = (struct http_refusal){status, text};
    return false;
}

/* Reduces "http://host:port/path", as proxies get it, to "/path". A server must accept
 * it, too (RFC 9112 §3.2.2). */
static bool cut_authority(struct slice *target, struct slice *ret_authority)
{
    const char *p = target->data;
    const size_t scheme =
        target->len >= 7 && strncasecmp(p, "http://", 7) == 0    ? 7
        : target->len >= 8 && strncasecmp(p, "https://", 8) == 0 ? 8
                                                                 : 0;
    if (scheme == 0)
        return false;
    size_t n = scheme;
    while (n < target->len && p[n] != '/' && p[n] != '?')
        n++;
    *ret_authority = slice_of(p + scheme, n - scheme);
    *target = slice_of(p + n, target->len - n);
    return ret_authority->len > 0 && is_authority(*ret_authority);
}

bool http_head_may_begin(struct slice in)
{
    const char *p = in.data;
    const size_t method = token_length(p, in.len);

    return method <= METHOD_MAX &&
           (method == in.len || (method > 0 && p[method] == ' '));
}

bool http_head_begin(struct http_head *h, struct slice method,
                     struct slice target, bool is_1_0,
                     struct http_refusal *ret)
{
    memset(h, 0, offsetof(struct http_head, fields));
    h->method = method;
    h->target = target;
    h->is_1_0 = is_1_0;
    if (method.len == 0 || method.len > METHOD_MAX ||
        token_length(method.data, method.len) != method.len || target.len == 0)
        return refuse_head(ret, 400,
                           "request line: must be like GET /health HTTP/1.1");
    if (target.len > HTTP_TARGET_MAX)
        return refuse_head(ret, 414, "request target: longer than 8192 bytes");
    if (!is_target(target))
        return refuse_head(
            ret, 400,
            "request target: must be without blanks and control "
            "characters");
    if (*(const char *)target.data == '/' || http_name_is(method, "CONNECT") ||
        (slice_eq(target, slice_str("*")) &&
         http_name_is(method, "OPTIONS")) ||
        cut_authority(&h->target, &h->authority))
        return true;
    return refuse_head(ret, 400, "request target: must begin with /");
}

/* ---- meaning of the fields ----------------------------------------------- */

static bool length_of(struct slice text, uint64_t *ret)
{
    const char *p = text.data;
    uint64_t v = 0;

    if (text.len == 0)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        /* more than anybody can send; answered with 413 later */
        v = v > UINT64_MAX / 20 ? UINT64_MAX / 2
                                : v * 10 + (uint64_t)(p[i] - '0');
    }
    *ret = v;
    return true;
}

/* Reads transfer codings: chunked once, and nothing else. */
static bool read_codings(struct http_head *h, struct slice list,
                         struct http_refusal *ret)
{
    struct slice one;

    h->encodings++;
    if (list.len == 0)
        return refuse_head(ret, 400, "Transfer-Encoding: must be chunked");
    while (next_element(&list, &one)) {
        if (!http_name_is(one, "chunked"))
            return refuse_head(
                ret, 501, "Transfer-Encoding: only chunked is understood");
        if (h->is_chunked)
            return refuse_head(ret, 400,
                               "Transfer-Encoding: must be chunked once");
        h->is_chunked = true;
    }
    return true;
}

/* Headers of which one value is read: of two lines a proxy may have looked at the other
 * one. (Those of Authorization and Origin are counted by who reads them, who answer as
 * their door does; lists are joined, http_request.c.) */
#define SINGLES(X)                                                            \
    X("Content-Type")                                                         \
    X("Idempotency-Key")                                                      \
    X("Last-Event-ID")                                                        \
    X("Sec-WebSocket-Key")                                                    \
    X("Sec-WebSocket-Version")

static const struct {
    const char *name;
    const char *refusal;
} singles[] = {
#define X(name) {name, name ": must be there only once"},
    SINGLES(X)
#undef X
};

static bool check_single(struct http_head *h, struct slice name,
                         struct http_refusal *ret)
{
    for (unsigned i = 0; i < sizeof(singles) / sizeof(singles[0]); i++) {
        if (!http_name_is(name, singles[i].name))
            continue;
        if ((h->singles & 1U << i) != 0)
            return refuse_head(ret, 400, singles[i].refusal);
        h->singles |= 1U << i;
    }
    return true;
}

static bool read_field(struct http_head *h, struct http_field *f,
                       struct http_refusal *ret)
{
    if (http_name_is(f->name, "Host")) {
        h->hosts++;
        if (!is_authority(f->value))
            return refuse_head(ret, 400,
                               "Host: must be a name with or without a port");
        if (h->authority.len > 0)
            f->value = h->authority;
    } else if (http_name_is(f->name, "Content-Length")) {
        h->lengths++;
        if (!length_of(f->value, &h->length))
            return refuse_head(ret, 400,
                               "Content-Length: must be a whole number");
    } else if (http_name_is(f->name, "Transfer-Encoding")) {
        return read_codings(h, f->value, ret);
    } else if (http_name_is(f->name, "Connection")) {
        h->says_close |= http_list_has(f->value, "close");
        h->says_keep |= http_list_has(f->value, "keep-alive");
    } else if (http_name_is(f->name, "Expect")) {
        h->expects_continue =
            !h->is_1_0 && http_name_is(f->value, "100-continue");
    } else {
        return check_single(h, f->name, ret);
    }
    return true;
}

bool http_head_add(struct http_head *h, struct slice name, struct slice value,
                   struct http_refusal *ret)
{
    if (h->field_count == HTTP_FIELDS_MAX)
        return refuse_head(ret, 431, "header: more than 100 lines");
    /* Servers differ in how they read a blank before the colon (RFC 9112 §5.1). */
    if (name.len == 0 || token_length(name.data, name.len) != name.len)
        return refuse_head(
            ret, 400,
            "header: each line must be like Name: value, without "
            "blanks in or after the name");
    if (!is_value(value))
        return refuse_head(
            ret, 400, "header: values must be without control characters");
    struct http_field *f = &h->fields[h->field_count++];
    *f = (struct http_field){name, slice_trim(value)};
    return read_field(h, f, ret);
}

/* With two lengths, or a length and chunks, two readers could disagree on where the next
 * request begins (RFC 9112 §6.3, request smuggling). */
bool http_head_end(const struct http_head *h, struct http_refusal *ret)
{
    if (h->hosts > 1 || (h->hosts == 0 && !h->is_1_0))
        return refuse_head(ret, 400,
                           "Host: there must be exactly one (RFC 9112 §3.2)");
    if (h->lengths > 1)
        return refuse_head(ret, 400,
                           "Content-Length: must be there only once");
    if (h->lengths > 0 && h->encodings > 0)
        return refuse_head(
            ret, 400,
            "Content-Length and Transfer-Encoding: send one of them");
    if (h->encodings > 0 && h->is_1_0)
        return refuse_head(ret, 400,
                           "Transfer-Encoding: does not exist in HTTP/1.0");
    return true;
}

bool http_head_keeps_alive(const struct http_head *h)
{
    return !h->says_close && (!h->is_1_0 || h->says_keep);
}
