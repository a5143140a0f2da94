#include "bridge/http_head.h"

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

/* No blanks and no controls. Bytes above 0x7f are let through: people write
 * names as they are. */
static bool is_target(struct slice s)
{
    const unsigned char *p = s.data;

    for (size_t i = 0; i < s.len; i++)
        if (p[i] <= ' ' || p[i] == 0x7f)
            return false;
    return true;
}

/* RFC 9110 §5.5: NUL, CR and LF must not pass; other controls are nothing a
 * field of ours has. */
static bool is_value(struct slice s)
{
    const unsigned char *p = s.data;

    for (size_t i = 0; i < s.len; i++)
        if ((p[i] < ' ' && p[i] != '\t') || p[i] == 0x7f)
            return false;
    return true;
}

/* host [":" port] of RFC 3986 §3.2, without user information. Empty is what a
 * client says that has no name for us. */
static bool is_authority(struct slice s)
{
    const char *p = s.data;

    for (size_t i = 0; i < s.len; i++)
        if (p[i] == '\0' || (!is_token_byte((unsigned char)p[i]) &&
                             strchr(":[]()=;,", p[i]) == NULL))
            return false;
    return true;
}

static struct slice trimmed(const char *p, size_t len)
{
    while (len > 0 && (*p == ' ' || *p == '\t'))
        p++, len--;
    while (len > 0 && (p[len - 1] == ' ' || p[len - 1] == '\t'))
        len--;
    return slice_of(p, len);
}

bool http_name_is(struct slice name, const char *wanted)
{
    return name.len == strlen(wanted) &&
           strncasecmp(name.data, wanted, name.len) == 0;
}

/* The next element of a comma-separated list, without blanks. */
static bool next_element(struct slice *list, struct slice *ret)
{
    if (list->len == 0)
        return false;
    const char *p = list->data, *comma = memchr(p, ',', list->len);
    const size_t n = comma == NULL ? list->len : (size_t)(comma - p);
    *ret = trimmed(p, n);
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

/* ---- lines --------------------------------------------------------------- */

static enum http_head_state refuse(struct http_refusal *ret, unsigned status,
                                   const char *text)
{
    *ret = (struct http_refusal){status, text};
    return HTTP_HEAD_REFUSED;
}

/* Cuts a line off *rest, without CRLF or LF. false: no whole line is there. */
static bool next_line(struct slice *rest, struct slice *ret)
{
    const char *p = rest->data;
    const char *lf = rest->len == 0 ? NULL : memchr(p, '\n', rest->len);

    if (lf == NULL)
        return false;
    const size_t n = (size_t)(lf - p);
    *ret = slice_of(p, n > 0 && p[n - 1] == '\r' ? n - 1 : n);
    *rest = slice_of(lf + 1, rest->len - n - 1);
    return true;
}

/* "http://host:port/path" as proxies get it; a server must take it, too (RFC
 * 9112 §3.2.2). Leaves "/path". */
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

static bool version_of(struct slice s, unsigned *ret_major, bool *ret_is_1_0)
{
    const char *p = s.data;

    if (s.len != 8 || memcmp(p, "HTTP/", 5) != 0 || p[5] < '0' || p[5] > '9' ||
        p[6] != '.' || p[7] < '0' || p[7] > '9')
        return false;
    *ret_major = (unsigned)(p[5] - '0');
    *ret_is_1_0 = p[7] == '0';
    return true;
}

static enum http_head_state request_line(struct slice line,
                                         struct http_head *h,
                                         struct slice *ret_authority,
                                         struct http_refusal *ret_refusal)
{
    static const char bad[] =
        "request line: must be like GET /health HTTP/1.1";
    const char *p = line.data, *end = p + line.len;
    const size_t method = token_length(p, line.len);
    unsigned major;

    if (method == 0 || method > METHOD_MAX || p + method == end ||
        p[method] != ' ')
        return refuse(ret_refusal, 400, bad);
    const char *target = p + method + 1;
    const char *blank = memchr(target, ' ', (size_t)(end - target));
    if (blank == NULL || blank == target)
        return refuse(ret_refusal, 400, bad);
    h->method = slice_of(p, method);
    h->target = slice_of(target, (size_t)(blank - target));
    if (h->target.len > HTTP_TARGET_MAX)
        return refuse(ret_refusal, 414,
                      "request target: longer than 8192 bytes");
    if (!is_target(h->target) ||
        !version_of(slice_of(blank + 1, (size_t)(end - blank - 1)), &major,
                    &h->is_1_0))
        return refuse(ret_refusal, 400, bad);
    if (major != 1)
        return refuse(ret_refusal, 505, "HTTP version: must be 1.1 or 1.0");
    if (*target == '/' || http_name_is(h->method, "CONNECT") ||
        (h->target.len == 1 && *target == '*' &&
         http_name_is(h->method, "OPTIONS")) ||
        cut_authority(&h->target, ret_authority))
        return HTTP_HEAD_WHOLE;
    return refuse(ret_refusal, 400, "request target: must begin with /");
}

static enum http_head_state field_line(struct slice line, struct http_head *h,
                                       struct http_refusal *ret_refusal)
{
    const char *p = line.data;
    const size_t name = token_length(p, line.len);

    if (h->field_count == HTTP_FIELDS_MAX)
        return refuse(ret_refusal, 431, "header: more than 100 lines");
    /* A blank before the colon, or a line that goes on with the one before it,
     * is read in different ways by different servers (RFC 9112 §5.1, §5.2). */
    if (name == 0 || name == line.len || p[name] != ':')
        return refuse(ret_refusal, 400,
                      "header: each line must be like Name: value, without "
                      "blanks in or after the name");
    const struct slice value = trimmed(p + name + 1, line.len - name - 1);
    if (!is_value(value))
        return refuse(ret_refusal, 400,
                      "header: values must be without control characters");
    h->fields[h->field_count++] =
        (struct http_field){slice_of(p, name), value};
    return HTTP_HEAD_WHOLE;
}

/* ---- what the fields say ------------------------------------------------- */

static bool length_of(struct slice text, uint64_t *ret)
{
    const char *p = text.data;
    uint64_t v = 0;

    if (text.len == 0)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        /* more than anybody can send; later 413 */
        v = v > UINT64_MAX / 20 ? UINT64_MAX / 2
                                : v * 10 + (uint64_t)(p[i] - '0');
    }
    *ret = v;
    return true;
}

/* Transfer codings: chunked once, and nothing else. */
static enum http_head_state codings(struct slice list, struct http_head *h,
                                    struct http_refusal *ret_refusal)
{
    struct slice one;

    if (list.len == 0)
        return refuse(ret_refusal, 400, "Transfer-Encoding: must be chunked");
    while (next_element(&list, &one)) {
        if (!http_name_is(one, "chunked"))
            return refuse(ret_refusal, 501,
                          "Transfer-Encoding: only chunked is understood");
        if (h->is_chunked)
            return refuse(ret_refusal, 400,
                          "Transfer-Encoding: must be chunked once");
        h->is_chunked = true;
    }
    return HTTP_HEAD_WHOLE;
}

/* Two lengths, or a length and chunks: what lies behind could be taken for a
 * request of its own by one of two readers (RFC 9112 §6.3, request smuggling). */
static enum http_head_state framing(struct http_head *h, size_t lengths,
                                    size_t encodings, size_t hosts,
                                    struct http_refusal *ret_refusal)
{
    if (hosts > 1 || (hosts == 0 && !h->is_1_0))
        return refuse(ret_refusal, 400,
                      "Host: there must be exactly one (RFC 9112 §3.2)");
    if (lengths > 1)
        return refuse(ret_refusal, 400, "Content-Length: must stand once");
    if (lengths > 0 && encodings > 0)
        return refuse(
            ret_refusal, 400,
            "Content-Length and Transfer-Encoding: send one of them");
    if (encodings > 0 && h->is_1_0)
        return refuse(ret_refusal, 400,
                      "Transfer-Encoding: not known in HTTP/1.0");
    return HTTP_HEAD_WHOLE;
}

static enum http_head_state understand(struct http_head *h,
                                       struct slice authority,
                                       struct http_refusal *ret_refusal)
{
    size_t lengths = 0, encodings = 0, hosts = 0;
    bool says_close = false, says_keep = false;

    for (size_t i = 0; i < h->field_count; i++) {
        struct http_field *f = &h->fields[i];
        if (http_name_is(f->name, "Host")) {
            hosts++;
            if (!is_authority(f->value))
                return refuse(ret_refusal, 400,
                              "Host: must be a name with or without a port");
            if (authority.len > 0)
                f->value = authority;
        } else if (http_name_is(f->name, "Content-Length")) {
            lengths++;
            if (!length_of(f->value, &h->length))
                return refuse(ret_refusal, 400,
                              "Content-Length: must be a whole number");
        } else if (http_name_is(f->name, "Transfer-Encoding")) {
            encodings++;
            if (codings(f->value, h, ret_refusal) == HTTP_HEAD_REFUSED)
                return HTTP_HEAD_REFUSED;
        } else if (http_name_is(f->name, "Connection")) {
            says_close |= http_list_has(f->value, "close");
            says_keep |= http_list_has(f->value, "keep-alive");
        } else if (http_name_is(f->name, "Expect")) {
            h->expects_continue =
                !h->is_1_0 && http_name_is(f->value, "100-continue");
        }
    }
    h->keeps_alive = !says_close && (!h->is_1_0 || says_keep);
    return framing(h, lengths, encodings, hosts, ret_refusal);
}

/* ---- all of it ----------------------------------------------------------- */

/* What is there of a request line may already be too much, or none at all. */
static enum http_head_state partial_line(struct slice rest,
                                         struct http_refusal *ret_refusal)
{
    const char *p = rest.data;
    const size_t method = token_length(p, rest.len);

    if (method > METHOD_MAX ||
        (method < rest.len && p[method] != ' ' && p[method] != '\r'))
        return refuse(ret_refusal, 400,
                      "not HTTP: a request must begin like GET /health "
                      "HTTP/1.1");
    if (rest.len > METHOD_MAX + HTTP_TARGET_MAX + sizeof(" HTTP/1.1\r"))
        return refuse(ret_refusal, 414,
                      "request target: longer than 8192 bytes");
    return HTTP_HEAD_PARTIAL;
}

enum http_head_state http_head_parse(struct slice in, struct http_head *h,
                                     size_t *ret_len,
                                     struct http_refusal *ret_refusal)
{
    static const char too_long[] = "header: longer than 16384 bytes";
    struct slice rest = in, line = {0}, authority = {0};

    while (rest.len > 0 &&
           (*(const char *)rest.data == '\n' ||
            (*(const char *)rest.data == '\r' &&
             (rest.len == 1 || ((const char *)rest.data)[1] == '\n'))))
        if (!next_line(&rest, &line))
            break;
    h->field_count = 0;
    h->is_chunked = h->keeps_alive = h->expects_continue = false;
    h->length = 0;
    if (!next_line(&rest, &line)) {
        if (in.len > HTTP_HEAD_MAX)
            return refuse(ret_refusal, 414, too_long);
        return partial_line(rest, ret_refusal);
    }
    if (request_line(line, h, &authority, ret_refusal) == HTTP_HEAD_REFUSED)
        return HTTP_HEAD_REFUSED;
    for (;;) {
        if (!next_line(&rest, &line)) {
            if (in.len > HTTP_HEAD_MAX)
                return refuse(ret_refusal, 431, too_long);
            return HTTP_HEAD_PARTIAL;
        }
        if (in.len - rest.len > HTTP_HEAD_MAX)
            return refuse(ret_refusal, 431, too_long);
        if (line.len == 0)
            break;
        if (field_line(line, h, ret_refusal) == HTTP_HEAD_REFUSED)
            return HTTP_HEAD_REFUSED;
    }
    *ret_len = in.len - rest.len;
    return understand(h, authority, ret_refusal);
}
