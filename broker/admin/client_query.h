/* Lists and ends connections, and lists refusals: `$confab/clients` and
 * `$confab/kick`.
 *
 * Connections belong to their workers, so the workers are asked one after
 * the other: an administrator's PUBLISH goes to a worker as a question, is
 * answered in that worker's turn, and comes back like a result of the writer
 * (publish_ask()). An answer has up to 16 KiB of JSON or covers
 * CLIENT_QUERY_LOOKS connections; it says where to continue, and the client
 * sends the next request with that. Clients that connect after the first
 * question are left out, so no client is kicked twice because it reconnects,
 * and a list always ends. */
#ifndef CONFAB_BROKER_ADMIN_CLIENT_QUERY_H
#define CONFAB_BROKER_ADMIN_CLIENT_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct hub;
struct publish;
struct worker;

#define CLIENT_QUERY_LOOKS 4096
#define CLIENT_QUERY_KICKS 128
#define CLIENT_QUERY_BYTES (16 * 1024)
/* Longer client ids are cut in lists, and their full length is given. */
#define CLIENT_QUERY_ID_MAX 1024

/* A question. It never covers administrators, and connections without a
 * CONNECT only if they are kicked by address. */
struct client_query {
    bool kicks; /* ends the connections; else lists them */
    /* Lists recent refusals instead (refusals.h); `after` and `until` are
     * then numbers of refusals. */
    bool refused;
    /* `client` is an id, not a pattern in which * matches any text. */
    bool is_exact;
    bool full; /* lists whole tokens */
    /* All given conditions must hold; data NULL: any. An empty token means
     * clients without one. Borrowed while the publish lives. */
    struct slice token, client, address;
    unsigned worker;       /* the worker that is asked */
    uint64_t after, until; /* connections with numbers in between */
};

/* Parses where to continue, `worker.after.until`; empty: at the beginning.
 * false: no answer contained this text. */
bool client_query_begin(struct client_query *r, const struct hub *hub,
                        struct slice from);

/* A part of the worker's turn: answers a question. true: more are waiting. */
bool client_query_turn(struct worker *w);
/* The worker has ended: answers the questions left in its mailbox with that. */
void client_query_release(struct worker *w);

/* Whether `address` (host:port, or a host with any port; IPv6 with or
 * without brackets) is that of a connection with this `peer`. */
bool client_query_is_address(struct slice address, struct slice peer);

/* Whether `pattern`, in which * matches any text, matches all of `text`. */
bool client_query_matches(struct slice pattern, struct slice text);

#endif
