/* HTTP/1.1 for the front doors: requests in, answers out (RFC 9110, RFC 9112). The
 * implementation is explained in http_private.h.
 *
 * A handler deals with a request in one of three ways:
 *   at once      the handler calls http_respond*() and returns HTTP_ANSWERED;
 *   later        it calls http_suspend() first, starts the work, and returns
 *                HTTP_SUSPENDED; when the work is done, any thread calls
 *                http_respond*() and http_resume();
 *   elsewhere    it takes the socket with http_detach(), passes it on, and
 *                returns HTTP_DETACHED: the connection has left HTTP.
 *
 * Threads:  handlers run in an HTTP thread and must not block on anything but
 *           short reads of the store. A request belongs to its handler, then, while
 *           it is suspended, to whoever will answer it.
 * Bodies:   kept up to body_max bytes; of a longer one up to 8 MiB, for up to 2 s, are
 *           read and dropped, so that the client sees the answer instead of a reset.
 * Limits:   a connection takes a place of limits.connections
 *           (base/connection_budget.h). If none is left, the connection that has
 *           waited longest for a request is closed. A few connections beyond the
 *           limit get 503, and vital requests on them are answered. Requests that are
 *           too large, too slow or malformed are answered here, in JSON and with the
 *           handler's common headers. */
#ifndef CONFAB_BRIDGE_HTTP_HTTP_H
#define CONFAB_BRIDGE_HTTP_HTTP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/config.h"

/* Bits, in the order in which Allow lists them. */
enum http_method {
    HTTP_GET = 1,
    HTTP_HEAD = 2,
    HTTP_POST = 4,
    HTTP_PUT = 8,
    HTTP_PATCH = 16,
    HTTP_DELETE = 32,
    HTTP_OPTIONS = 64,
    HTTP_OTHER = 128
};
/* "GET"; NULL for HTTP_OTHER. */
const char *http_method_name(enum http_method method);

enum http_next { HTTP_ANSWERED, HTTP_SUSPENDED, HTTP_DETACHED };

struct address_list;
struct connection_budget;
struct http_request;

/* What the server calls. */
struct http_handler {
    void *arg;
    /* Name/value pairs ending in NULL: headers for answers that are made here, not
     * by the handler. May be NULL. */
    const char *const *common_headers;
    /* Whether to answer this request even when there are too many connections. The
     * headers have been read. NULL: never. */
    bool (*is_vital)(void *arg, const struct http_request *q);
    /* Called when the headers have been read; returns how many bytes of body to keep. */
    size_t (*begin)(void *arg, struct http_request *q);
    /* Called when the whole body has been read (see http_body()). */
    enum http_next (*handle)(void *arg, struct http_request *q);
    /* The request is over, answered or not: free http_state() here. May be NULL. */
    void (*end)(void *arg, struct http_request *q);
};

struct http_server;

/* Binds `listen`, the value of the setting `key`; requests are not answered yet.
 * threads 0: one per core. NULL: *ret_error says why. */
struct http_server *http_bind(const char *key, const char *listen,
                              unsigned threads,
                              struct config_error *ret_error);
/* The same for another address of the server, with the same threads and limits: at most
 * HTTP_LISTENERS_MAX together, numbered from 0, that of http_bind(). Before
 * http_start(). */
#define HTTP_LISTENERS_MAX 16
bool http_bind_another(struct http_server *s, const char *key,
                       const char *listen, struct config_error *ret_error);
/* Before http_start(). `trusted` (copied): proxies whose headers say who a client is,
 * and that connect for many clients. with_header: each connection comes from one of
 * them, and begins with a PROXY header (base/net/proxy_wait.h). */
void http_trust(struct http_server *s, const struct address_list *trusted,
                bool with_header);
/* Starts serving. handlers: one for each listener, copied; config and budget are
 * borrowed. false: *ret_error says why; call http_stop() all the same. */
bool http_start(struct http_server *s, const struct config *config,
                const struct http_handler *handlers,
                struct connection_budget *budget,
                struct config_error *ret_error);
uint16_t http_port(const struct http_server *s); /* of http_bind() */
uint16_t http_listener_port(const struct http_server *s, unsigned listener);
/* From now on refuses new connections and closes each after its current answer. */
void http_quiesce(struct http_server *s);
/* Number of requests that have not been answered yet. Any thread. */
unsigned http_pending(const struct http_server *s);
/* Asks each thread to log one line about what it holds, a moment later. Any thread,
 * before http_stop(). */
void http_dump(struct http_server *s);
/* Call it when all suspended requests have been resumed. NULL is fine. */
void http_stop(struct http_server *s);

/* ---- the request: everything is borrowed until it ends ------------------ */

enum http_method http_method(const struct http_request *q);
/* Whether an answer may be chunked: HTTP/1.1 or a later 1.x. */
bool http_takes_chunks(const struct http_request *q);
/* The path without the query, as sent; of a target like http://host/path only the
 * path. */
struct slice http_path(const struct http_request *q);
/* The path's decoded segments, each followed by a NUL, for http_next_segment().
 * false: some percent-encoding in it is invalid. */
bool http_segments(const struct http_request *q, struct slice *ret_segments);
/* false: no more. "/" has one, which is empty. */
bool http_next_segment(struct slice *segments, struct slice *ret_segment);
/* The query as sent, without the '?'. */
struct slice http_query(const struct http_request *q);
/* The value of a header, trimmed; name case-insensitive. false: absent. Lines of a
 * list (Accept, If-None-Match) are joined by commas. A header that is read as one value
 * belongs into the table of http_head.c: a request with two lines of it is refused.
 * Otherwise the first line counts, and who calls this counts http_header_lines(). There
 * is exactly one Host, replaced by the target's host if the target has one (RFC 9112
 * §3.2.2). */
bool http_header(const struct http_request *q, const char *name,
                 struct slice *ret_value);
/* How many lines have this name; case-insensitive. */
size_t http_header_lines(const struct http_request *q, const char *name);
/* Whether there is a header for whose name matches() is true. */
bool http_has_header(const struct http_request *q,
                     bool (*matches)(const char *name));
/* false: the body was longer than the handler wanted to keep. */
bool http_body(const struct http_request *q, struct slice *ret_body);
/* The client's address as 16 bytes, IPv4 as ::ffff:a.b.c.d: the connection's, or
 * whom a trusted proxy names. */
struct slice http_client(const struct http_request *q);
/* The same with the port; 0 if nobody named one. */
void http_client_address(const struct http_request *q,
                         struct sockaddr_storage *ret);
/* Whether a PROXY header named the client: it is not local, whatever its address. */
bool http_is_relayed(const struct http_request *q);
/* The status of the answer; 0: no answer (yet). */
unsigned http_status(const struct http_request *q);
/* A slot for the handler's own state. */
void **http_state(struct http_request *q);

/* ---- the answer ---------------------------------------------------------- */

/* Adds a header to the answer; copied. Date, Connection and the headers for the body's
 * length are added automatically. If a header cannot be sent (CR or LF in its value, or
 * more headers than fit), the answer becomes a 500, and the log says so: a header is
 * never left out silently. */
void http_add_header(struct http_request *q, const char *name,
                     const char *value);
void http_add_header_u64(struct http_request *q, const char *name, uint64_t v);
/* Closes the connection after this answer. */
void http_close_after(struct http_request *q);
/* Answers with `body`, whose memory is taken (it is left empty; NULL: no body).
 * `content_type` is static or NULL. A body that failed to grow makes the answer a 500.
 * The body is not sent after HEAD, 204 and 304; the answer to HEAD states its length,
 * or no length if it is NULL. */
void http_respond(struct http_request *q, unsigned status,
                  const char *content_type, struct buffer *body);
/* Answers with a body of unknown length. `read` writes up to `max` bytes and returns
 * their number, 0 at the end, -1 on failure: then the connection is cut, so that the
 * client does not take a part for the whole. HTTP thread; `release` frees arg. */
void http_respond_stream(struct http_request *q, unsigned status,
                         const char *content_type,
                         ssize_t (*read)(void *arg, char *out, size_t max),
                         void (*release)(void *arg), void *arg);

void http_suspend(struct http_request *q);
void http_resume(struct http_request *q);
/* Instead of http_resume(), without an answer: the handler is called once more. */
void http_handle_again(struct http_request *q);

/* Returns a duplicate of the socket, non-blocking and with TCP_NODELAY, which the
 * caller owns; -1: out of descriptors. Its place in limits.connections is freed:
 * whoever takes over the connection counts it. */
int http_detach(struct http_request *q);

/* "OK" for 200, … */
const char *http_reason(unsigned status);

#endif
