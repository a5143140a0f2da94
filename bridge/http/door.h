/* A front door: an HTTP API with paths, errors, CORS rules and limits of its own.
 * A door is one constant table in a folder of bridge/doors/, listed in
 * bridge/bridge.c; doors never include each other.
 *
 * Several doors share one port. router.h compiles their routes at start and says
 * what conflicts; of a path that two doors have, `claims` decides whose request
 * it is. */
#ifndef CONFAB_BRIDGE_HTTP_DOOR_H
#define CONFAB_BRIDGE_HTTP_DOOR_H

#include "bridge/http/http.h"

struct call;
struct front; /* what the bridge gives every door: bridge/doors/front.h */

/* Flags of a route; those from ROUTE_OWN on are the door's own. */
#define ROUTE_VITAL                                                           \
    1U /* answered though there are too many connections;
                               the first route of a path decides for it */
#define ROUTE_LOCAL_ONLY                                                      \
    2U /* in open mode, to local requests only: for the
                               door's authenticate(), see access.h */
#define ROUTE_OWN 256U

/* One method of one path. The segments of `pattern` are text or, in braces, an
 * argument: "/{token}/chat/{thing}". A last segment that is a bare * stands for
 * one segment or more. Text is taken before an argument, and an argument before
 * the rest. GET also answers HEAD, unless there is a route for that; OPTIONS is
 * answered from the door's CORS rules, likewise. */
struct route {
    const char *pattern;
    enum http_method method;
    unsigned flags;
    const char *query; /* names of parameters, see query_check() */
    enum http_next (*handle)(struct call *c);
    /* Headers are in: how many bytes of a body to keep, 0 for who may not send
     * one. NULL: nothing is kept. */
    size_t (*body_max)(struct call *c);
};

struct cors {
    const char *const *headers; /* of every answer: name, value, …, NULL */
    /* Of the answer to a preflight: Access-Control-Allow-Methods, -Allow-Headers,
     * -Max-Age (NULL: not sent). */
    const char *methods, *request_headers, *max_age;
    /* Adds Access-Control-Allow-Headers in place of request_headers. Or NULL. */
    void (*allow_headers)(struct call *c);
};

/* What is NULL is left out, or is as said. Handlers run in HTTP threads. */
struct door {
    const char *name; /* of [door:NAME], and in messages */
    const struct route *routes;
    size_t route_count;
    /* First segments of paths that are this door's, ending in NULL: all that its
     * routes begin with as text, and others for which it answers 404. */
    const char *const *reserved;
    const struct cors *cors; /* NULL: no page from elsewhere may read */

    /* What it keeps from start to stop; false: out of memory. Main thread. */
    bool (*start)(struct front *front, void **ret_state);
    void (*stop)(void *state); /* no request is left */

    /* Of a path that another door has, too: is this request mine? Headers are in.
     * Of two such doors one may go without, and gets what the other leaves. */
    bool (*claims)(const struct http_request *q);
    /* Before anything is answered, c->route NULL (no such path or method)
     * included: who calls, and may they at all? Fills c->caller. false:
     * answered. */
    bool (*authenticate)(struct call *c);
    /* Headers of every answer besides CORS, e.g. what is left of a limit. */
    void (*headers)(struct call *c);
    /* Answers with an error in the door's shape; `text` is for the client, and
     * borrowed. NULL: {"error":"<text>"}. */
    void (*error)(struct call *c, unsigned status, const char *text);
    /* Answers 404 to a path that no door has. */
    void (*no_path)(struct call *c);
};

/* A door in its place. */
struct mount {
    const struct door *door;
    void *state;        /* what start() made */
    const char *prefix; /* "" or "/x/y", in front of all its paths */
};

#endif
