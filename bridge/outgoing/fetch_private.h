/* What the fetcher's own files share. Each calls only those below it:
 *   fetcher.c      threads, start and end, libcurl's multi handle on the loop
 *   fetch.c        one fetch: libcurl's easy handle and its callbacks
 *   fetch_turns.c  whose turn it is
 *   fetch_url.c    URLs
 *   fetch_ca.c     files of CAs */
#ifndef CONFAB_BRIDGE_OUTGOING_FETCH_PRIVATE_H
#define CONFAB_BRIDGE_OUTGOING_FETCH_PRIVATE_H

#include <curl/curl.h>
#include <ev.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "base/buffer.h"
#include "bridge/outgoing/fetch_turns.h"
#include "bridge/outgoing/fetcher.h"

/* What the fetcher's thread is asked to do. WANT_POSTED: the fetch is in the
 * mailbox, at most once, so the mailbox has room for all. */
enum { WANT_START = 1, WANT_CANCEL = 2, WANT_RESUME = 4, WANT_POSTED = 8 };

struct fetch {
    struct fetcher *fetcher;
    atomic_uint refs; /* the fetcher's until the end, the mailbox's, the
                         caller's */
    atomic_uint wanted;
    struct fetch_request request; /* without its strings; its body is a copy */
    char *url, *method, *owner, *body;
    struct curl_slist *headers;
    char *host;   /* "host:port" */
    size_t bytes; /* what it counts for in fetcher->bytes */

    /* the fetcher's thread */
    TAILQ_ENTRY(fetch) entry; /* of fetcher->fetches */
    struct fetch_turn turn;
    const struct address_policy *policy;
    CURL *easy;        /* NULL: not begun */
    ev_timer idle;     /* its data is the loop */
    bool connected;    /* the request is being sent, or was */
    bool headers_done; /* of an answer other than 1xx */
    bool paused, ended;
    bool tried_address;         /* at least one that the policy allows */
    enum fetch_outcome failure; /* why a callback stopped it; FETCH_ACCEPTED:
                                   none did */
    size_t header_bytes;
    uint64_t body_len;
    struct buffer kept;
    int status;
    char content_type[128], retry_after[64];
    char refused[128];           /* "10.0.0.1 is a private address", or "" */
    char error[CURL_ERROR_SIZE]; /* libcurl's text */
};
TAILQ_HEAD(fetches, fetch);

/* fetch.c. NULL: out of memory, or the request is invalid: *ret_outcome and
 * *ret_text say which. Any thread. */
struct fetch *fetch_new(const struct fetch_request *q,
                        enum fetch_outcome *ret_outcome, char *ret_text);
/* What fetch_new() made; the easy handle is gone already. */
void fetch_free(struct fetch *f);
/* Makes the easy handle. false: out of memory. */
bool fetch_begin(struct fetch *f, const struct address_policy *policy,
                 const char *ca_file);
/* Starts the idle timer anew; stops it while paused or not connected. */
void fetch_touch(struct fetch *f);
/* How it ended: by what a callback found, else by libcurl's result. */
enum fetch_outcome fetch_outcome_of(const struct fetch *f, CURLcode result);
void fetch_end(struct fetch *f, enum fetch_outcome outcome); /* calls on_end */

/* fetch_url.c: "host:port" of a URL that fetch_url_check() accepts, in lower case.
 * NULL: out of memory; free() it. */
char *fetch_url_host(const char *url);

/* fetch_ca.c: the system's CAs, a file's name; static. */
const char *fetch_ca_system(void);
/* A descriptor of an anonymous file that has the system's CAs and those of
 * `ca_file`. -1: *ret_text says why not. */
int fetch_ca_open(const char *ca_file, char *ret_text);

#endif
