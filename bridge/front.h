/* What every front door gets: the shared parts of the bridge, a request with
 * its route, and the ways of answering that all doors have in common (CORS,
 * JSON errors, rate-limit headers). One file per door in bridge/doors/. */
#ifndef CONFAB_BRIDGE_FRONT_H
#define CONFAB_BRIDGE_FRONT_H

#include "base/config.h"
#include "bridge/http/http.h"
#include "bridge/link/link.h"
#include "bridge/stream/stream.h"
#include "store/store.h"

struct reads;
struct health;
struct creations;

struct front {
    const struct config *config;
    struct store *store;
    struct link *link;
    struct streams *streams;
    struct reads *reads;         /* read limits (reads.h) */
    struct health *health;       /* health.h */
    struct creations *creations; /* tokens per client address */
    const char *clients_path;    /* where sockets are handed to the broker */
    uint16_t mqtt_port;
    int64_t started_us; /* clock_mono_us() */
};

/* A route's arguments: the decoded segments that stood for {…}. */
#define ROUTE_ARGUMENTS_MAX 2
struct call {
    struct front *front;
    struct http_request *q;
    const struct route *route;                   /* NULL: no such path */
    struct slice arguments[ROUTE_ARGUMENTS_MAX]; /* token, thing */
    /* X-RateLimit-Remaining of the answer: set by the door as it learns it. */
    bool is_counted;    /* an endpoint of a token: send the header */
    bool is_local_only; /* see struct route */
    bool hides_cors;    /* the answer is not for pages from elsewhere */
    uint64_t remaining; /* UINT64_MAX: unlimited, sent as 2147483647 */
    void *own; /* the door's, malloc()ed or NULL; freed with the call */
    void (*release)(void *own); /* instead of free(); NULL: free */
};

/* X-macro-free table, one row per path: see router.c. `pattern` has `{}` for
 * an argument: "/{}/chat/{}/latest". GET also answers HEAD. */
struct route {
    const char *pattern;
    enum http_method method;
    bool is_counted;    /* first argument is a token whose limits apply */
    bool is_local_only; /* in open mode, answers only local requests */
    const char *query;  /* names of parameters, see query_check() */
    enum http_next (*handle)(struct call *c);
    size_t (*body_max)(struct call *c); /* NULL: nothing kept */
};

/* http_handler for http_start(); arg: the struct front. */
extern const struct http_handler router;

/* ---- answers: each sends CORS and rate-limit headers --------------------- */

enum http_next answer(struct call *c, unsigned status,
                      const char *content_type, struct buffer *body);
enum http_next answer_json(struct call *c, unsigned status,
                           struct buffer *body);
/* {"error":"<text>"}, which no cache may keep (RFC 9111 §4.2.2 lets them keep
 * some errors otherwise). */
enum http_next answer_error(struct call *c, unsigned status, const char *fmt,
                            ...) __attribute__((format(printf, 3, 4)));
/* Answers 400 if the query has what the route does not know. */
bool query_refused(struct call *c);
/* The headers alone, for answers of other shapes. */
void answer_headers(struct call *c);
/* Cross-origin headers of every answer, as name/value pairs ending in NULL. */
extern const char *const cors_headers[];
/* The value of X-RateLimit-Remaining. */
uint64_t shown_remaining(uint64_t remaining);

/* ---- tokens -------------------------------------------------------------- */

/* What may be done under c->arguments[0], looked up in the store. */
struct access {
    const struct plan *plan; /* the token's, or `local` for a name not yet seen
                                in open mode; never NULL on ACCESS_GRANTED */
    struct usage_row usage;  /* zeros when there is none */
    enum {
        ACCESS_GRANTED,
        ACCESS_MALFORMED,
        ACCESS_UNKNOWN,
        ACCESS_FOREIGN, /* a name that only open mode admits, and the request
                           is not local (locality.h) */
        ACCESS_BROKEN
    } state;
};
/* A token that was created on purpose is a secret, and valid wherever a request
 * comes from. */
void access_look_up(const struct call *c, struct store_reader *r,
                    struct access *ret_access);
/* Answers 400, 401, 403 or 503 unless granted. */
bool access_refused(struct call *c, const struct access *a);
/* In open mode: answers 403 to a request that is not local, without the headers
 * that would let a page read it. false: it is local, or the mode is not open. */
bool foreign_refused(struct call *c);
/* Sets c->remaining to the writes left. */
void access_writes_left(struct call *c, const struct access *a);

#endif
