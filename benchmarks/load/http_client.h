/* A keep-alive HTTP/1.1 connection with at most one request outstanding. */
#ifndef CONFAB_BENCHMARKS_LOAD_HTTP_CLIENT_H
#define CONFAB_BENCHMARKS_LOAD_HTTP_CLIENT_H

#include "benchmarks/load/loop.h"

struct http_client;

struct http_answer {
    unsigned status;
    const char *body; /* borrowed for the call */
    size_t len;
    int64_t now_ns; /* when it had arrived */
};

struct http_client {
    struct conn conn;
    bool connected;
    bool busy; /* a request is outstanding */
    void (*answered)(struct http_client *h, const struct http_answer *a);
    void *owner;  /* the user's, untouched */
    unsigned tag; /* likewise */
};

/* Sets conn, connected and busy; the rest is the caller's. */
void http_client_open(struct http_client *h, struct loop *l,
                      const struct sockaddr_in *to);

/* Appends everything up to the blank line; `body_len` is left out when the
 * method is GET. */
void http_put_head(struct bytes *to, const char *method, const char *path,
                   const char *host, size_t body_len);

/* Sends now; `h` is connected and not busy. `body` may be empty. */
void http_request(struct http_client *h, const struct bytes *head,
                  const char *body, size_t len);

/* The value of a header in the `len` bytes of a response's head, or NULL;
 * `name` is written ": " included, in any case. Runs up to the CR. */
const char *http_header(const char *head, size_t len, const char *name);

#endif
