/* HTTP/1.1 as the front doors see it: requests in, answers out (RFC 9110, RFC
 * 9112). How it is done: http_private.h.
 *
 * A request is handled in three ways:
 *   at once      the handler calls http_respond*() and returns HTTP_ANSWERED;
 *   later        it calls http_suspend() first, starts the work, and returns
 *                HTTP_SUSPENDED; whoever finishes calls http_respond*() and
 *                http_resume(), from any thread;
 *   never        it takes the socket with http_detach(), hands it on, and
 *                returns HTTP_DETACHED: the connection left HTTP.
 *
 * Threads:  handlers run in an HTTP thread and must not block on anything but
 *           short reads of the store. A request belongs to its handler, then
 *           to whoever it was suspended for.
 * Bodies:   kept up to body_max bytes; of a longer one 8 MiB or 2 s are read and
 *           thrown away, so that the client sees the answer and not a reset.
 * Limits:   a connection holds a place of limits.connections (base/
 *           connection_budget.h). When there is none left, the one that waited
 *           longest for a request is closed; a few beyond the limit get 503, but
 *           vital requests are answered. What is too large, too slow or no HTTP
 *           is answered here, in JSON and with the handler's common headers. */
#ifndef CONFAB_BRIDGE_HTTP_HTTP_H
#define CONFAB_BRIDGE_HTTP_HTTP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
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

struct connection_budget;
struct http_request;

/* What the server calls. */
struct http_handler {
    void *arg;
    /* Name/value pairs ending in NULL: headers of answers that come from here
     * and not from the handler. May be NULL. */
    const char *const *common_headers;
    /* Is this to be answered even when there are too many connections? Headers
     * are in. NULL: nothing is. */
    bool (*is_vital)(void *arg, const struct http_request *q);
    /* Headers are in; returns how many bytes of a body to keep. */
    size_t (*begin)(void *arg, struct http_request *q);
    /* The whole body is in (see http_body()). */
    enum http_next (*handle)(void *arg, struct http_request *q);
    /* The request is over, answered or not: free http_state(). May be NULL. */
    void (*end)(void *arg, struct http_request *q);
};

struct http_server;

/* Binds `listen`, the value of the setting `key`; nobody is answered yet. threads
 * 0: one per core. NULL: *ret_error. */
struct http_server *http_bind(const char *key, const char *listen,
                              unsigned threads,
                              struct config_error *ret_error);
/* Serves. Handler copied; config and budget borrowed. false: *ret_error; end with
 * http_stop() all the same. */
bool http_start(struct http_server *s, const struct config *config,
                const struct http_handler *handler,
                struct connection_budget *budget,
                struct config_error *ret_error);
uint16_t http_port(const struct http_server *s);
/* Refuses new connections from now on, and keeps none after its answer. */
void http_quiesce(struct http_server *s);
/* Requests that have not been answered yet. Any thread. */
unsigned http_pending(const struct http_server *s);
/* Logs what each thread holds, in a line a moment later. Any thread, before
 * http_stop(). */
void http_dump(struct http_server *s);
/* When every suspended request has been resumed. NULL is fine. */
void http_stop(struct http_server *s);

/* ---- the request: all borrowed until it ends ---------------------------- */

enum http_method http_method(const struct http_request *q);
/* HTTP/1.1 and later ones of its kind: an answer may be chunked. */
bool http_takes_chunks(const struct http_request *q);
/* The path without the query, as sent; of a target like http://host/path the
 * path. */
struct slice http_path(const struct http_request *q);
/* The path's decoded segments, each with a NUL behind it, for
 * http_next_segment(); false: bad percent-encoding (any of them). */
bool http_segments(const struct http_request *q, struct slice *ret_segments);
/* false: no more. "/" has one, which is empty. */
bool http_next_segment(struct slice *segments, struct slice *ret_segment);
/* The query as sent, without '?'. */
struct slice http_query(const struct http_request *q);
/* One header's value without blanks around it, name case-insensitive; false:
 * absent. Several lines of a list (Accept, If-None-Match) are joined by commas,
 * of others the first counts. Host is there once, and that of the target where
 * that has one (RFC 9112 §3.2.2). */
bool http_header(const struct http_request *q, const char *name,
                 struct slice *ret_value);
/* Is there a header whose name `matches`? */
bool http_has_header(const struct http_request *q,
                     bool (*matches)(const char *name));
/* false: longer than the handler wanted to keep. */
bool http_body(const struct http_request *q, struct slice *ret_body);
/* Client's address: 4 or 16 bytes. */
struct slice http_client(const struct http_request *q);
/* Of its answer; 0: it has none (yet). */
unsigned http_status(const struct http_request *q);
/* A slot for the handler's own state. */
void **http_state(struct http_request *q);

/* ---- the answer ---------------------------------------------------------- */

/* Adds a header to the answer; copied. Date, Connection and what says how long
 * the body is are added by themselves. A header that cannot be sent (CR or LF in
 * its value, or more of them than fit the head) makes a 500 of the answer, and a
 * line in the log: it is never left out in silence. */
void http_add_header(struct http_request *q, const char *name,
                     const char *value);
void http_add_header_u64(struct http_request *q, const char *name, uint64_t v);
/* Ends the connection after this answer. */
void http_close_after(struct http_request *q);
/* Takes the memory of `body` (left empty; NULL: no body). `content_type` is
 * static or NULL. A body that failed to grow becomes 500. It is not sent after
 * HEAD, 204 and 304; HEAD says its length, and nothing of one that is NULL. */
void http_respond(struct http_request *q, unsigned status,
                  const char *content_type, struct buffer *body);
/* A body of unknown length: `read` fills up to `max` bytes, returns their
 * number, 0 at the end, -1 on failure (the connection is cut, so the client
 * does not take a part for the whole). HTTP thread; `release` frees arg. */
void http_respond_stream(struct http_request *q, unsigned status,
                         const char *content_type,
                         ssize_t (*read)(void *arg, char *out, size_t max),
                         void (*release)(void *arg), void *arg);

void http_suspend(struct http_request *q);
void http_resume(struct http_request *q);

/* A duplicate of the socket, non-blocking and with TCP_NODELAY, the caller's;
 * -1: none to be had. Its place in limits.connections is given back: whoever
 * takes the connection counts it. */
int http_detach(struct http_request *q);

/* "OK" for 200, … */
const char *http_reason(unsigned status);

#endif
