#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/version.h"
#include "bridge/outgoing/fetch_private.h"

#define CONNECT_MS 10000
#define HEADERS_MAX 32768
#define TOO_LARGE 100 /* CURLE_TOO_LARGE of libcurl 8.6 and later */

/* ---- the request --------------------------------------------------------- */

/* RFC 9110 §5.6.2 */
static bool is_token_char(char c)
{
    return strchr("!#$%&'*+-.^_`|~0123456789"
                  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
                  c) != NULL;
}

/* "Name: value" without anything that would end the line. libcurl leaves a header
 * out that has no value. */
static bool header_is_valid(const char *line)
{
    const char *p = line;

    while (*p != '\0' && is_token_char(*p))
        p++;
    if (p == line || strncmp(p, ": ", 2) != 0 || p[2] == '\0')
        return false;
    for (p += 2; *p != '\0'; p++)
        if (((unsigned char)*p < ' ' && *p != '\t') || *p == 0x7f)
            return false;
    return true;
}

static bool method_is_valid(const char *method)
{
    const char *p = method;

    while (*p >= 'A' && *p <= 'Z')
        p++;
    return p > method && *p == '\0' && strcmp(method, "HEAD") != 0;
}

static bool request_is_valid(const struct fetch_request *q, char *ret_text)
{
    if (!fetch_url_check(q->url, ret_text))
        return false;
    if (!method_is_valid(q->method)) {
        snprintf(ret_text, FETCH_TEXT_MAX, "the method is not valid");
        return false;
    }
    if (memchr(q->owner.data != NULL ? q->owner.data : "", '\0',
               q->owner.len) != NULL) {
        snprintf(ret_text, FETCH_TEXT_MAX, "the owner has a NUL");
        return false;
    }
    for (size_t i = 0; i < q->header_count; i++)
        if (!header_is_valid(q->headers[i])) {
            snprintf(ret_text, FETCH_TEXT_MAX,
                     "header %zu is not valid: it must be Name: value", i + 1);
            return false;
        }
    return true;
}

static bool add_header(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);

    if (longer == NULL)
        return false;
    *list = longer;
    return true;
}

/* The caller's, and none that libcurl would add by itself. */
static bool copy_headers(struct fetch *f, const struct fetch_request *q)
{
    bool has_type = false;

    for (size_t i = 0; i < q->header_count; i++) {
        has_type |= strncasecmp(q->headers[i], "content-type:", 13) == 0;
        f->bytes += strlen(q->headers[i]);
        if (!add_header(&f->headers, q->headers[i]))
            return false;
    }
    return add_header(&f->headers, "Expect:") &&
           (has_type || add_header(&f->headers, "Content-Type:"));
}

static char *copy_bytes(struct slice s)
{
    char *copy = malloc(s.len + 1);

    if (copy == NULL)
        return NULL;
    if (s.len > 0)
        memcpy(copy, s.data, s.len);
    copy[s.len] = '\0';
    return copy;
}

static bool copy_request(struct fetch *f, const struct fetch_request *q)
{
    f->request = *q;
    f->request.url = f->request.method = NULL; /* the caller's */
    f->request.headers = NULL;
    f->request.owner = slice_of(NULL, 0);
    f->bytes = sizeof(*f) + strlen(q->url) + q->owner.len + q->body.len;
    f->url = strdup(q->url);
    f->host = fetch_url_host(q->url);
    f->method = strdup(q->method);
    f->owner = copy_bytes(q->owner);
    f->body = copy_bytes(q->body);
    f->request.body = slice_of(f->body, q->body.len);
    return f->url != NULL && f->host != NULL && f->method != NULL &&
           f->owner != NULL && f->body != NULL && copy_headers(f, q);
}

struct fetch *fetch_new(const struct fetch_request *q,
                        enum fetch_outcome *ret_outcome, char *ret_text)
{
    if (!request_is_valid(q, ret_text)) {
        *ret_outcome = FETCH_INVALID;
        return NULL;
    }
    struct fetch *f = calloc(1, sizeof(*f));
    if (f != NULL && copy_request(f, q))
        return f;
    if (f != NULL)
        fetch_free(f);
    *ret_outcome = FETCH_NO_MEMORY;
    snprintf(ret_text, FETCH_TEXT_MAX, "%s",
             fetch_outcome_text(FETCH_NO_MEMORY));
    return NULL;
}

void fetch_free(struct fetch *f)
{
    curl_slist_free_all(f->headers);
    buffer_release(&f->kept);
    free(f->url);
    free(f->host);
    free(f->method);
    free(f->owner);
    free(f->body);
    free(f);
}

/* ---- libcurl's callbacks: the fetcher's thread --------------------------- */

/* Asked here, too, so that little is called back after a cancel. */
static bool is_cancelled(const struct fetch *f)
{
    return (atomic_load(&f->wanted) & WANT_CANCEL) != 0;
}

void fetch_touch(struct fetch *f)
{
    struct ev_loop *loop = f->idle.data;

    if (f->request.idle_ms == 0)
        return;
    if (f->paused || !f->connected)
        ev_timer_stop(loop, &f->idle);
    else
        ev_timer_again(loop, &f->idle);
}

static void note_refused(struct fetch *f, const struct sockaddr *address,
                         const char *why)
{
    char text[INET6_ADDRSTRLEN] = "?";

    if (address->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr,
                  text, sizeof(text));
    else if (address->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr,
                  text, sizeof(text));
    snprintf(f->refused, sizeof(f->refused), "%s is %s", text, why);
}

static curl_socket_t on_open_socket(void *arg, curlsocktype purpose,
                                    struct curl_sockaddr *a)
{
    struct fetch *f = arg;
    const char *why = address_refusal(f->policy, &a->addr);

    if (purpose != CURLSOCKTYPE_IPCXN)
        return CURL_SOCKET_BAD;
    if (why != NULL) {
        note_refused(f, &a->addr, why);
        return CURL_SOCKET_BAD;
    }
    f->tried_address = true;
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* The connection is there, new or kept, and the request is sent next. */
static int on_connected(void *arg, char *peer, char *own, int peer_port,
                        int own_port)
{
    struct fetch *f = arg;

    (void)peer;
    (void)own;
    (void)peer_port;
    (void)own_port;
    f->connected = true;
    fetch_touch(f);
    return is_cancelled(f) ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

static bool copy_value(char *to, size_t size, const char *line, size_t len,
                       const char *name)
{
    const size_t name_len = strlen(name);

    if (len <= name_len || strncasecmp(line, name, name_len) != 0)
        return false;
    line += name_len;
    len -= name_len;
    while (len > 0 && (line[0] == ' ' || line[0] == '\t')) {
        line++;
        len--;
    }
    while (len > 0 && strchr(" \t\r\n", line[len - 1]) != NULL)
        len--;
    if (len >= size)
        len = size - 1;
    memcpy(to, line, len);
    to[len] = '\0';
    return true;
}

static struct fetch_headers headers_of(const struct fetch *f)
{
    return (struct fetch_headers){
        .status = f->status,
        .content_type = slice_str(f->content_type),
        .retry_after = slice_str(f->retry_after),
    };
}

/* The empty line behind an answer's headers. false: it ends here. */
static bool headers_complete(struct fetch *f)
{
    long status = 0;

    curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200) /* 100 Continue and the like: another head follows */
        return true;
    f->status = (int)status;
    f->headers_done = true;
    if (status >= 300 && status < 400) {
        f->failure = FETCH_REDIRECTED;
        return false;
    }
    const struct fetch_headers h = headers_of(f);
    if (f->request.on_headers != NULL)
        f->request.on_headers(f->request.arg, f, &h);
    return true;
}

static void read_header(struct fetch *f, const char *line, size_t len)
{
    if (len >= 5 && memcmp(line, "HTTP/", 5) == 0)
        f->content_type[0] = f->retry_after[0] = '\0';
    else if (!copy_value(f->content_type, sizeof(f->content_type), line, len,
                         "content-type:"))
        copy_value(f->retry_after, sizeof(f->retry_after), line, len,
                   "retry-after:");
}

static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
    struct fetch *f = arg;
    const size_t len = size * n;

    if (is_cancelled(f))
        return 0;
    fetch_touch(f);
    f->header_bytes += len;
    if (f->header_bytes > f->request.headers_max) {
        f->failure = FETCH_HEADERS_TOO_LARGE;
        return 0;
    }
    if (f->headers_done) /* a trailer behind the body */
        return len;
    if (len == 0 || line[0] == '\r' || line[0] == '\n')
        return headers_complete(f) ? len : 0;
    read_header(f, line, len);
    return len;
}

static void keep(struct fetch *f, const char *data, size_t len)
{
    const size_t room = f->request.body_keep - f->kept.len;

    buffer_put(&f->kept, data, len < room ? len : room);
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    struct fetch *f = arg;
    const size_t len = size * n;

    if (is_cancelled(f))
        return 0;
    if (f->request.body_max != 0 && len > f->request.body_max - f->body_len) {
        f->failure = FETCH_BODY_TOO_LARGE;
        return 0;
    }
    if (len > 0 && f->request.on_data != NULL &&
        f->request.on_data(f->request.arg, f, slice_of(data, len)) ==
            FETCH_PAUSE) {
        f->paused = true;
        fetch_touch(f);
        return CURL_WRITEFUNC_PAUSE;
    }
    fetch_touch(f);
    f->body_len += len;
    if (f->request.on_data == NULL)
        keep(f, data, len);
    return len;
}

/* ---- beginning ----------------------------------------------------------- */

static void set_method(struct fetch *f)
{
    /* Also a POST without a body says so: Content-Length: 0 (RFC 9110 §8.6). */
    if (f->request.body.len > 0 || f->method[0] == 'P') {
        curl_easy_setopt(f->easy, CURLOPT_POSTFIELDS, f->body);
        curl_easy_setopt(f->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                         (curl_off_t)f->request.body.len);
    }
    curl_easy_setopt(f->easy, CURLOPT_CUSTOMREQUEST, f->method);
}

static void set_protocol(struct fetch *f, const char *ca_file)
{
    CURL *e = f->easy;

    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(e, CURLOPT_PROXY, ""); /* nor the environment's */
    curl_easy_setopt(e, CURLOPT_USERAGENT, "Confab/" CONFAB_VERSION);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    /* Otherwise ending a fetch would wait for its name look-up. */
    curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
    /* A file and no folder: libcurl then keeps the CAs it has read for further
     * connections, else reading them takes longer than the handshake. */
    curl_easy_setopt(e, CURLOPT_CAINFO, ca_file);
    curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
}

static void set_callbacks(struct fetch *f)
{
    CURL *e = f->easy;

    curl_easy_setopt(e, CURLOPT_PRIVATE, f);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, f->error);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, f);
    curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, on_connected);
    curl_easy_setopt(e, CURLOPT_PREREQDATA, f);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, f);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, f);
}

bool fetch_begin(struct fetch *f, const struct address_policy *policy,
                 const char *ca_file)
{
    f->easy = curl_easy_init();
    if (f->easy == NULL)
        return false;
    f->policy = policy;
    if (f->request.headers_max == 0)
        f->request.headers_max = HEADERS_MAX;
    if (f->request.connect_ms == 0)
        f->request.connect_ms = CONNECT_MS;
    set_protocol(f, ca_file);
    set_callbacks(f);
    set_method(f);
    curl_easy_setopt(f->easy, CURLOPT_HTTPHEADER, f->headers);
    curl_easy_setopt(f->easy, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)f->request.connect_ms);
    curl_easy_setopt(f->easy, CURLOPT_TIMEOUT_MS, (long)f->request.total_ms);
    /* Only this copies its argument and can fail for want of memory. */
    return curl_easy_setopt(f->easy, CURLOPT_URL, f->url) == CURLE_OK;
}

/* ---- the end ------------------------------------------------------------- */

const char *fetch_outcome_text(enum fetch_outcome outcome)
{
    switch (outcome) {
#define X(name, text)                                                         \
    case name: return text;
        FETCH_OUTCOMES(X)
#undef X
    }
    return "?";
}

enum fetch_outcome fetch_outcome_of(const struct fetch *f, CURLcode result)
{
    if (is_cancelled(f))
        return FETCH_CANCELLED;
    if (f->failure != FETCH_ACCEPTED)
        return f->failure;
    switch ((int)result) {
    /* An answer cut off within its headers is a success to libcurl. */
    case CURLE_OK: return f->headers_done ? FETCH_ANSWERED : FETCH_BROKEN;
    case CURLE_COULDNT_RESOLVE_HOST: return FETCH_NO_NAME;
    case CURLE_COULDNT_CONNECT:
        return f->refused[0] != '\0' && !f->tried_address
                   ? FETCH_ADDRESS_REFUSED
                   : FETCH_NO_CONNECTION;
    case CURLE_OPERATION_TIMEDOUT:
        return f->connected ? FETCH_TOTAL_TIMEOUT : FETCH_CONNECT_TIMEOUT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR: return FETCH_TLS_FAILED;
    case CURLE_OUT_OF_MEMORY: /* also for a line longer than 100 KB */
    case TOO_LARGE:
        return f->connected && !f->headers_done ? FETCH_HEADERS_TOO_LARGE
                                                : FETCH_NO_MEMORY;
    default: return FETCH_BROKEN;
    }
}

/* What there is to say besides the outcome; "": nothing. */
static void put_detail(const struct fetch *f, enum fetch_outcome outcome,
                       char *detail, size_t size)
{
    detail[0] = '\0';
    switch (outcome) {
    case FETCH_ADDRESS_REFUSED:
        snprintf(detail, size, "%s; outgoing.allow makes exceptions",
                 f->refused);
        break;
    case FETCH_REDIRECTED:
        snprintf(detail, size, "answered %d; set the URL that it leads to",
                 f->status);
        break;
    case FETCH_ANSWERED: snprintf(detail, size, "%d", f->status); break;
    case FETCH_NO_NAME:
    case FETCH_NO_CONNECTION:
    case FETCH_TLS_FAILED:
    case FETCH_BROKEN: snprintf(detail, size, "%s", f->error); break;
    default: break;
    }
}

void fetch_end(struct fetch *f, enum fetch_outcome outcome)
{
    char detail[FETCH_TEXT_MAX], text[FETCH_TEXT_MAX];

    put_detail(f, outcome, detail, sizeof(detail));
    snprintf(text, sizeof(text), "%s%s%.190s", fetch_outcome_text(outcome),
             detail[0] != '\0' ? ": " : "", detail);
    const struct fetch_result r = {
        .outcome = outcome,
        .headers = headers_of(f),
        .body = buffer_slice(&f->kept),
        .body_len = f->body_len,
        .text = text,
    };
    f->request.on_end(f->request.arg, &r);
}
