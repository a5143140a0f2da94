/* Outgoing HTTP: one thread with one libev loop, in which libcurl's multi
 * interface drives all requests. For webhooks (short requests, a part of the
 * answer's body is enough) and for answers that are read while they come.
 *
 *   fetch  one request and its answer
 *
 * Threads:  fetcher_submit(), fetch_cancel() and fetch_resume() may be called by any
 *           thread, in callbacks too, and never block. All callbacks are called in
 *           the fetcher's thread and must not block.
 * Order:    none between fetches.
 * Protocol: HTTP/1.1 over http or https. Connections are kept for further
 *           requests. Certificates are verified. Redirects are not followed: an
 *           answer 3xx is a failure. Environment variables for proxies, ~/.netrc
 *           and cookies are ignored. Addresses are checked when they are connected
 *           to (address_policy.h). An answer's body is handed out as it was sent:
 *           no compressed body is asked for.
 * Bounds:   struct fetcher_opts for all, struct fetch_request for each. When
 *           it has as many fetches as it may have, the next is refused
 *           (FETCH_QUEUE_FULL). They wait for their turn per owner and host, so
 *           a host that does not answer makes only its own wait. */
#ifndef CONFAB_BRIDGE_OUTGOING_FETCHER_H
#define CONFAB_BRIDGE_OUTGOING_FETCHER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "bridge/outgoing/address_policy.h"

struct ev_loop;
struct fetcher;
struct fetch;

/* What became of a fetch. X(name, text): the text is the beginning of
 * fetch_result.text. */
#define FETCH_OUTCOMES(X)                                                     \
    X(FETCH_ACCEPTED, "accepted") /* by fetcher_submit(); it has not ended */ \
    X(FETCH_ANSWERED, "answered")                                             \
    /* refused before anything was sent */                                    \
    X(FETCH_QUEUE_FULL, "too many outgoing requests are waiting")             \
    X(FETCH_INVALID, "invalid request")                                       \
    X(FETCH_ADDRESS_REFUSED, "address refused")                               \
    /* tried */                                                               \
    X(FETCH_NO_NAME, "host name not found")                                   \
    X(FETCH_NO_CONNECTION, "cannot connect")                                  \
    X(FETCH_TLS_FAILED, "TLS failed")                                         \
    X(FETCH_CONNECT_TIMEOUT, "not connected in time")                         \
    X(FETCH_IDLE_TIMEOUT, "nothing received for too long")                    \
    X(FETCH_TOTAL_TIMEOUT, "not finished in time")                            \
    X(FETCH_REDIRECTED, "redirects are not followed")                         \
    X(FETCH_HEADERS_TOO_LARGE, "the answer's headers are too large")          \
    X(FETCH_BODY_TOO_LARGE, "the answer's body is too large")                 \
    X(FETCH_BROKEN, "connection lost, or not HTTP")                           \
    /* ended by this side */                                                  \
    X(FETCH_CANCELLED, "cancelled")                                           \
    X(FETCH_STOPPED, "the server is stopping")                                \
    X(FETCH_NO_MEMORY, "out of memory")

enum fetch_outcome {
#define X(name, text) name,
    FETCH_OUTCOMES(X)
#undef X
};
const char *fetch_outcome_text(enum fetch_outcome outcome); /* static */

#define FETCH_TEXT_MAX 256

/* An answer's status and the headers that are of use here. Borrowed for the
 * call. */
struct fetch_headers {
    int status;
    struct slice content_type; /* empty: not sent */
    struct slice retry_after;  /* as sent (retry.h); empty: not sent */
};

struct fetch_result {
    enum fetch_outcome outcome;
    struct fetch_headers headers; /* status 0: none came. Of what failed after
                                    the headers, they are set, too */
    struct slice body; /* of what FETCH_ANSWERED: up to body_keep bytes of
                                    it; empty with on_data */
    uint64_t body_len; /* bytes received of it */
    const char *text;  /* one line for people: how it ended, and why */
};

enum fetch_flow { FETCH_CONTINUE, FETCH_PAUSE };

struct fetch_request {
    const char *method; /* "GET", "POST" and the like; HEAD is not supported */
    const char *url;
    struct slice
        owner; /* for whom, e.g. the tenant; counts against per_owner */
    const char *const *headers; /* "Name: value" each, or NULL */
    size_t header_count;
    struct slice body; /* sent with GET, too, unless empty */

    /* Times in ms; 0: no limit. */
    uint32_t connect_ms; /* name look-up, connecting and TLS; 0: 10 s */
    uint32_t idle_ms;    /* without a byte received, from the time of being
                            connected; does not run while paused */
    uint32_t total_ms;   /* from its turn to the end */
    size_t headers_max;  /* bytes of the answer's headers; 0: 32 KiB */
    uint64_t body_max;   /* bytes of the answer's body; 0: no limit */
    size_t body_keep;    /* bytes of it to keep for on_end */

    void *arg;
    /* Both may be NULL. on_headers: the answer's headers are complete, and it is no
     * redirect. on_data: the next piece of the body, cut anywhere. FETCH_PAUSE: it
     * did not take this piece, which is given again after fetch_resume();
     * nothing more is read from the connection until then. */
    void (*on_headers)(void *arg, struct fetch *f,
                       const struct fetch_headers *h);
    enum fetch_flow (*on_data)(void *arg, struct fetch *f, struct slice data);
    /* Exactly once for each fetch that was submitted; its last callback. */
    void (*on_end)(void *arg, const struct fetch_result *result);
};

struct fetcher_opts {
    const struct address_policy *policy; /* copied */
    const char
        *ca_file; /* PEM, trusted besides the system's; NULL or "" none */
    size_t queue; /* fetches at a time, waiting or not; 0: 4096 */
    size_t
        queue_bytes; /* what they hold of URLs, headers and bodies; 0: 64 MiB */
    unsigned concurrent; /* under way; 0: 256 */
    unsigned per_host;   /* of them to one host and port; 0: 8 */
    unsigned per_owner;  /* 0: 32 */
    /* NULL: nothing. on_start is called by fetcher_start() before the thread
     * begins, on_stop in the thread, after the last on_end. The loop is for whoever
     * does all its work in the fetcher's thread (webhooks.h). */
    void *arg;
    void (*on_start)(void *arg, struct ev_loop *loop);
    void (*on_stop)(void *arg);
};

/* NULL: *ret_text (FETCH_TEXT_MAX bytes) says why: memory, threads, or a ca_file
 * that cannot be read. Reads the files of CAs; main thread. */
struct fetcher *fetcher_start(const struct fetcher_opts *opts, char *ret_text);
/* Ends every fetch (FETCH_STOPPED), joins the thread: no callback runs after it.
 * Other threads may still call in; they are refused. Once. NULL is fine. */
void fetcher_stop(struct fetcher *c);
/* After fetcher_stop(), when no thread can call in any more and every reference
 * to a fetch was given back. NULL is fine. */
void fetcher_free(struct fetcher *c);

/* Copies the request. FETCH_ACCEPTED: on_end will be called, maybe before this
 * returns. FETCH_QUEUE_FULL, FETCH_INVALID, FETCH_STOPPED, FETCH_NO_MEMORY:
 * refused, on_end is not called, and *ret_text (FETCH_TEXT_MAX bytes; may be NULL)
 * says why.
 * ret_fetch  NULL: it is not needed. Otherwise it gets a reference on success,
 *            which fetch_unref() gives back. A fetch counts against opts.queue
 *            until it has ended and its reference was given back */
enum fetch_outcome fetcher_submit(struct fetcher *c,
                                  const struct fetch_request *q,
                                  struct fetch **ret_fetch, char *ret_text);

/* false: *ret_text (FETCH_TEXT_MAX bytes) says what is wrong with a URL: not http
 * or https, no host, with a user name or password, too long, not a URL. What
 * fetcher_submit() checks, for whoever stores a URL. Pure. */
bool fetch_url_check(const char *url, char *ret_text);

/* false: its host is an address, or `localhost`, that the policy refuses; *ret_text says
 * so. Of a name that must be looked up only fetching finds out. Pure. */
bool fetch_url_check_address(const char *url,
                             const struct address_policy *policy,
                             char *ret_text);

/* Ends it with FETCH_CANCELLED, unless it has ended: on_end comes soon. Closes its
 * connection, by which the server knows. A callback may still be running when this
 * returns. Again: nothing. */
void fetch_cancel(struct fetch *f);
/* After FETCH_PAUSE; also when it was returned by a callback that is still running.
 * Otherwise nothing. */
void fetch_resume(struct fetch *f);
void fetch_unref(struct fetch *f); /* NULL is fine */

/* What it holds now; any thread. */
struct fetcher_stats {
    size_t fetches, waiting, under_way, bytes;
};
void fetcher_stats(struct fetcher *c, struct fetcher_stats *ret_stats);

/* Logs them; any thread. */
void fetcher_dump(struct fetcher *c);

#endif
