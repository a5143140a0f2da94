/* The load generator's one loop: non-blocking TCP connections on epoll.
 *
 * Threads: one. Errors: a connection that the server closes, resets or refuses
 * ends the program (measure/fatal.h): no figure is printed then. */
#ifndef CONFAB_BENCHMARKS_LOAD_LOOP_H
#define CONFAB_BENCHMARKS_LOAD_LOOP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "benchmarks/wire/bytes.h"

struct conn;

struct conn_events {
    const char *what;               /* "SSE reader", for error messages */
    void (*opened)(struct conn *c); /* connected; NULL: nothing to do */
    /* Bytes arrived at `now_ns`. Returns how many were used up; the rest
     * comes again, in front of what arrives next. */
    size_t (*data)(struct conn *c, const char *data, size_t len,
                   int64_t now_ns);
};

/* Embedded as the first member of what uses it. */
struct conn {
    struct loop *loop;
    const struct conn_events *events;
    int fd;
    bool connecting;
    bool waits_to_write; /* the kernel's buffer is full: EPOLLOUT is armed */
    bool queued;         /* on loop->unsent */
    struct conn *next_unsent;
    struct bytes out;  /* not yet written */
    struct bytes rest; /* read and not yet used up */
};

struct loop {
    int epoll;
    char *scratch;       /* every read lands here: one hot buffer for all */
    struct conn *unsent; /* have output to write when the turn ends */
};

void loop_init(struct loop *l);

/* Begins to connect; `c` must stay where it is until it is closed. */
void conn_open(struct conn *c, struct loop *l, const struct sockaddr_in *to,
               const struct conn_events *events);

/* The same from an address of this machine. */
void conn_open_from(struct conn *c, struct loop *l, struct in_addr from,
                    const struct sockaddr_in *to,
                    const struct conn_events *events);

/* Not from within its own `data`. */
void conn_close(struct conn *c);

/* What was appended to c->out since goes out when this turn ends, together
 * with what else is appended until then: one write per connection and turn. */
void conn_send_later(struct conn *c);
/* The same at once. */
void conn_send(struct conn *c);

/* Waits until something happens or `until_ns`, handles what happened, writes
 * what is unsent. */
void loop_turn(struct loop *l, int64_t until_ns);

#endif
