/* A front door: an HTTP API with paths, errors, CORS rules and limits of its own. A
 * door is one constant table in a folder of bridge/doors/, listed in bridge/bridge.c.
 * Doors never include each other.
 *
 * Several doors share one port. router.h compiles their routes at start and reports
 * conflicts. If two doors have the same path, `claims` decides whose request it is. */
#ifndef CONFAB_BRIDGE_HTTP_DOOR_H
#define CONFAB_BRIDGE_HTTP_DOOR_H

#include "bridge/http/http.h"

struct call;
struct front; /* what the bridge gives to every door: bridge/doors/front.h */

/* Flags of a route. Bits from ROUTE_OWN on belong to the door. */
/* Answered even when there are too many connections. The first route of a path decides
 * for the path. */
#define ROUTE_VITAL 1U
/* In open mode, for local requests only: the door's authenticate() checks it, see
 * access.h. */
#define ROUTE_LOCAL_ONLY 2U
/* `?key=` may have a ticket: access.h. */
#define ROUTE_TICKETS 4U
/* Only where the door is alone: where it is not, others have the path. */
#define ROUTE_ALONE 8U
#define ROUTE_OWN 256U

/* One method of one path. The segments of `pattern` are text or, in braces, arguments:
 * "/{token}/chat/{thing}". A bare * as the last segment stands for one or more
 * segments. Text has precedence over an argument, and an argument over *. GET also
 * answers HEAD, and OPTIONS is answered from the door's CORS rules, unless there are
 * routes for these. */
struct route {
    const char *pattern;
    enum http_method method;
    unsigned flags;
    const char *query; /* names of parameters, see query_check() */
    enum http_next (*handle)(struct call *c);
    /* Called when the headers have been read: how many bytes of body to keep; 0 if
     * the caller may not send one. NULL: none. */
    size_t (*body_max)(struct call *c);
};

struct cors {
    const char *const *headers; /* for every answer: name, value, …, NULL */
    /* For answers to preflights: Access-Control-Allow-Methods, -Allow-Headers,
     * -Max-Age (NULL: not sent). */
    const char *methods, *request_headers, *max_age;
    /* Adds Access-Control-Allow-Headers instead of request_headers. May be NULL. */
    void (*allow_headers)(struct call *c);
};

/* Members may be NULL where that is explained or has an obvious meaning. Handlers run in
 * HTTP threads. */
struct door {
    const char *name; /* as in [door:NAME] and in messages */
    const struct route *routes;
    size_t route_count;
    /* The first segments of all paths of this door, ending in NULL: those its routes
     * (but for ROUTE_ALONE) begin with as text, and others for which it answers 404. */
    const char *const *reserved;
    const struct cors
        *cors; /* NULL: pages of other origins may read nothing */

    /* Makes what the door keeps until stop(). false: out of memory. Main thread. */
    bool (*start)(struct front *front, void **ret_state);
    void (*stop)(void *state); /* no request is left by then */
    /* Once before the first request comes, in the main thread, so that what it sends on
     * the link comes before what requests send; then once a second in the reporter's. */
    void (*tick)(void *state);
    /* The server stops: ends the door's own threads, so that no request waits for them.
     * The link still takes commands. state may be NULL, as in stop(). Main thread. */
    void (*halt)(void *state);

    /* Asked if another door has the same path: is this request mine? The headers have
     * been read. Of two such doors one may have no claims(): it gets all requests
     * that the other does not claim. */
    bool (*claims)(const struct http_request *q);
    /* Called before any answer, also when c->route is NULL (no such path or method):
     * who calls, and may they call at all? Fills c->caller. false: refused and
     * answered. */
    bool (*authenticate)(struct call *c);
    /* Adds headers to every answer besides CORS, e.g. what is left of a limit. */
    void (*headers)(struct call *c);
    /* Answers with an error in the door's shape; `text` is for the client, borrowed.
     * NULL: {"error":"<text>"}. */
    void (*error)(struct call *c, unsigned status, const char *text);
    /* Answers 404 for a path that no door has. */
    void (*no_path)(struct call *c);
};

/* A door with its place in the URL space. */
struct mount {
    const struct door *door;
    void *state;        /* made by start() */
    const char *prefix; /* "" or "/x/y", before all its paths */
    bool is_alone;      /* no other door is at its address */
};

#endif
