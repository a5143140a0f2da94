/* A fetcher that may connect to loopback, fetches that are waited for, and a name
 * server of the test's. For tests of what sends HTTP. */
#ifndef CONFAB_TEST_UNIT_BRIDGE_FETCH_FIXTURE_H
#define CONFAB_TEST_UNIT_BRIDGE_FETCH_FIXTURE_H

#include <semaphore.h>

#include "base/buffer.h"
#include "bridge/outgoing/fetcher.h"

/* What came of a fetch. Zeroed and sem_init()ed by watched_init(). */
struct watched {
    sem_t headers, data, end; /* posted for each */
    struct fetch *fetch;
    enum fetch_outcome outcome;
    int status, early_status; /* in on_end, on_headers */
    char content_type[128], retry_after[64], text[FETCH_TEXT_MAX];
    struct buffer body; /* of on_end, or collected of on_data */
    uint64_t body_len;
    unsigned pieces, ends;
};

void watched_init(struct watched *w);
void watched_release(struct watched *w);
/* on_end, arg a struct watched. */
void watched_end(void *arg, const struct fetch_result *r);
void watched_headers(void *arg, struct fetch *f,
                     const struct fetch_headers *h);
enum fetch_flow watched_data(void *arg, struct fetch *f, struct slice data);
/* Fails the test after 20 s. */
void wait_sem(sem_t *sem);

/* Allows 127.0.0.0/8; fields of `opts` that are not 0 hold (NULL: none). */
struct fetcher *start_fetcher(const struct fetcher_opts *opts);
void stop_fetcher(struct fetcher *c);

/* "http://127.0.0.1:port/path"; static memory. */
const char *url_of(uint16_t port, const char *path);

/* Names that end in .test are looked up here: the addresses of a name, separated by
 * blanks, one set per look-up (the last is repeated); "wait": the look-up lasts until
 * names_let_go(). Others: the system. */
void name_is(const char *name, const char *first, const char *then);
void names_let_go(void);

/* A port of loopback at which nothing is ever accepted: connecting hangs. */
uint16_t dead_port_open(void);
void dead_port_close(void);

#endif
