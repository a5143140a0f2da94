/* A request at its door, and the ways of answering that all doors have in common:
 * each sends the door's CORS headers and what else it sends with every answer. */
#ifndef CONFAB_BRIDGE_HTTP_CALL_H
#define CONFAB_BRIDGE_HTTP_CALL_H

#include "base/caller.h"
#include "bridge/http/door.h"

struct call {
    struct front *front;
    void *state; /* the door's */
    const struct mount *mount;
    struct http_request *q;
    const struct route
        *route;       /* NULL: no such path, or no such method of it */
    unsigned flags;   /* the route's; without one those of the path's first */
    unsigned methods; /* that the path has at this door, for Allow */
    /* The decoded segments that stood for {…}, in order. Of a pattern that ends
     * in * the last is what is left of the path, as it was sent. Borrowed from
     * the request. */
    struct slice *arguments;
    size_t argument_count;
    /* Filled by the door's authenticate(), without a plan; borrowed from the
     * request. What outlives that has it from caller_share(). */
    struct caller caller;
    /* What the caller has left of a limit; UINT64_MAX: unlimited. Set by the door
     * as it learns it, for its headers(). */
    uint64_t remaining;
    bool hides_headers; /* the answer is not for pages from elsewhere: neither
                           CORS nor the door's headers */
    void *own; /* the handler's, malloc()ed or NULL; freed with the call */
    void (*release)(void *own); /* instead of free(); NULL: free */
};

enum http_next answer(struct call *c, unsigned status,
                      const char *content_type, struct buffer *body);
enum http_next answer_json(struct call *c, unsigned status,
                           struct buffer *body);
/* In the door's shape. `fmt` makes at most 511 bytes. */
enum http_next answer_error(struct call *c, unsigned status, const char *fmt,
                            ...) __attribute__((format(printf, 3, 4)));
/* {"error":"<text>"}, which no cache may keep (RFC 9111 §4.2.2 lets them keep
 * some errors otherwise): for doors whose errors look like that. */
void answer_plain_error(struct call *c, unsigned status, const char *text);
/* Answers 400 if the query has what the route does not know. */
bool query_refused(struct call *c);
/* The headers alone, for answers of other shapes. */
void answer_headers(struct call *c);
/* 204 with what pages from elsewhere may send (WHATWG Fetch §4.8). */
enum http_next answer_preflight(struct call *c);
/* 405 with Allow. */
enum http_next answer_wrong_method(struct call *c);

/* Does a browser ask, before it sends a request, whether it may have this header?
 * Name case-insensitive. For claims(): a preflight has none of the headers that
 * it asks for. */
bool preflight_asks_for(const struct http_request *q, const char *name);

#endif
