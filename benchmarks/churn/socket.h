/* TCP connections that may end at any time: what load/loop.h is not, where a
 * closed connection ends the program. Here the owner is told and decides.
 *
 * Threads: one. */
#ifndef CONFAB_BENCHMARKS_CHURN_SOCKET_H
#define CONFAB_BENCHMARKS_CHURN_SOCKET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "benchmarks/wire/bytes.h"

struct socket;

struct socket_events {
    void (*opened)(struct socket *s);
    /* Bytes arrived at `now_ns`. Returns how many were used up; the rest
     * comes again, in front of what arrives next. May close the socket. */
    size_t (*data)(struct socket *s, const char *data, size_t len,
                   int64_t now_ns);
    /* The other side closed it, or could not be reached; `why` is for people.
     * It is closed already. */
    void (*closed)(struct socket *s, const char *why);
};

/* Embedded as the first member of what uses it. Zero it to begin. */
struct socket {
    struct poll *poll; /* NULL: closed */
    const struct socket_events *events;
    int fd;
    bool connecting;
    bool waits_to_write; /* the kernel's buffer is full */
    bool paused;         /* reads only what socket_read_some() is told to */
    bool queued;         /* on poll->unsent */
    struct socket *next_unsent;
    struct bytes out;  /* not yet written */
    struct bytes rest; /* read and not yet used up */
};

struct poll {
    int epoll;
    char *scratch;
    struct socket *unsent;
    unsigned open; /* sockets */
};

void poll_init(struct poll *p);

/* Begins to connect. Not to be called from an event: one of the same turn may
 * still be meant for the connection before. `receive_buffer` in bytes, 0: as
 * large as the kernel likes. */
void socket_open(struct socket *s, struct poll *p,
                 const struct sockaddr_in *to,
                 const struct socket_events *events, int receive_buffer);

static inline bool socket_is_open(const struct socket *s)
{
    return s->poll != NULL;
}

/* Ends it for good: `reset` without handing over what is still under way, as
 * when a device loses its power. No event follows. */
void socket_close(struct socket *s, bool reset);

/* What was appended to s->out goes out when this turn ends. */
void socket_send_later(struct socket *s);

/* Writes what waits, then says that nothing more comes. Reading goes on. */
void socket_finish(struct socket *s);

/* From now on nothing is read but by socket_read_some(). */
void socket_pause(struct socket *s);
void socket_read_some(struct socket *s, size_t most);

/* Waits until something happens or `until_ns`, handles it, writes what is
 * unsent. */
void poll_turn(struct poll *p, int64_t until_ns);

#endif
