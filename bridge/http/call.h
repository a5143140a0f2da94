/* A request at its door, and the functions with which all doors answer. Each adds the
 * door's CORS headers and the headers that the door sends with every answer. */
#ifndef CONFAB_BRIDGE_HTTP_CALL_H
#define CONFAB_BRIDGE_HTTP_CALL_H

#include "base/caller.h"
#include "base/config.h"
#include "bridge/http/door.h"

/* Whose pages may read the answers. */
enum call_origin {
    ORIGIN_ANY,    /* as the door says */
    ORIGIN_LISTED, /* the request's Origin, and some others */
    ORIGIN_OTHER   /* not the request's */
};

struct call {
    struct front *front;
    void *state; /* the door's */
    const struct mount *mount;
    struct http_request *q;
    const struct route *route; /* NULL: no such path or method */
    unsigned
        flags; /* the route's; without a route, those of the path's first */
    unsigned methods; /* all methods of the path at this door, for Allow */
    /* The decoded segments that the {…} of the pattern stand for, in order. If the
     * pattern ends in *, the last argument is the rest of the path, as it was sent.
     * Borrowed from the request. */
    struct slice *arguments;
    size_t argument_count;
    /* Set by the door's authenticate(), without a plan; borrowed from the request.
     * For what outlives the request, use caller_share(). */
    struct caller caller;
    /* Who the request's key or JWT is; `caller` is a copy of it. Shared, and given back
     * with the call. NULL: the caller is who the path names. */
    const struct caller *identity;
    /* It came with a ticket, which is used up once it was taken (access.h). */
    bool has_ticket, ticket_taken;
    struct plan own_plan; /* access.h: that of a tenant with own limits */
    /* What the caller has left of a limit; UINT64_MAX: unlimited. The door sets it
     * as soon as it knows, and its headers() reads it. */
    uint64_t remaining;
    bool
        hides_headers; /* leave out CORS and the door's headers: pages of other
                           origins must not read the answer */
    enum call_origin origin;
    void
        *own; /* the handler's data, malloc()ed or NULL; freed with the call */
    void (*release)(void *own); /* called instead of free(); NULL: free() */
};

enum http_next answer(struct call *c, unsigned status,
                      const char *content_type, struct buffer *body);
enum http_next answer_json(struct call *c, unsigned status,
                           struct buffer *body);
/* An error in the door's shape. `fmt` makes at most 511 bytes. */
enum http_next answer_error(struct call *c, unsigned status, const char *fmt,
                            ...) __attribute__((format(printf, 3, 4)));
/* {"error":"<text>"}, for doors whose errors have this shape. It says that caches must
 * not keep it, as they may keep some errors otherwise (RFC 9111 §4.2.2). */
void answer_plain_error(struct call *c, unsigned status, const char *text);
/* true: the query has a parameter that the route does not know; answered with 400. */
bool query_refused(struct call *c);
/* Adds the headers alone, for answers of other shapes. */
void answer_headers(struct call *c);
/* Calls `put` for each CORS header of an answer, as c->origin says: instead of the door's
 * `*` the request's own Origin, or none of them. */
void answer_cors(const struct call *c,
                 void (*put)(void *arg, const char *name, const char *value),
                 void *arg);
/* 204 that says what pages of other origins may send (WHATWG Fetch §4.8). */
enum http_next answer_preflight(struct call *c);
/* 405 with Allow. */
enum http_next answer_wrong_method(struct call *c);

/* Whether this is a preflight that asks for permission to send this header (name
 * case-insensitive). For claims(): a preflight does not carry the headers that it asks
 * for. */
bool preflight_asks_for(const struct http_request *q, const char *name);

#endif
