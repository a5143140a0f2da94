/* Who is connected, who is to go, and who was refused: `$confab/clients` and
 * `$confab/kick`.
 *
 * Connections belong to their workers, so the workers are asked one after the
 * other: an administrator's PUBLISH travels to a worker as a question, is answered
 * in that worker's turn, and comes back like a result from the writer
 * (publish_ask()). An answer goes as far as 16 KiB of JSON or a look at
 * CLIENT_QUERY_LOOKS connections reach; it says where to go on, and whoever asks
 * comes again with that. Clients that connect after the first question are not
 * looked at: neither is a client kicked twice because it came back, nor does a list
 * go on for ever. */
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
/* A client id is listed up to here, and its full length said. */
#define CLIENT_QUERY_ID_MAX 1024

/* A question. Administrators are not meant by it, and of connections that have not said
 * CONNECT only those that are kicked by their address. */
struct client_query {
    bool kicks;    /* ends them; else lists them */
    bool refused;  /* lists what was refused of late, to whom (refusals.h); the
                      numbers below are those of refusals then */
    bool is_exact; /* `client` is an id, not a pattern in which * stands for
                      any text */
    bool full;     /* lists whole tokens */
    /* All that are given must hold; data NULL: any. An empty token is that of
     * nameless clients. Borrowed as long as the publish lives. */
    struct slice token, client, address;
    unsigned worker;       /* who is asked */
    uint64_t after, until; /* connections with numbers in between */
};

/* Where to go on, `worker.after.until`; empty: from the beginning. false: it is
 * not one that an answer gave. */
bool client_query_begin(struct client_query *r, const struct hub *hub,
                        struct slice from);

/* A part of the worker's turn: answers a question. true: more are waiting. */
bool client_query_turn(struct worker *w);
/* The worker has ended: what is in its mailbox is answered so. */
void client_query_release(struct worker *w);

/* Is `address` that of a connection whose peer is `peer`: host:port, or a host,
 * whatever its port (of IPv6 in brackets or not)? */
bool client_query_is_address(struct slice address, struct slice peer);

/* Does `pattern`, in which * stands for any text, fit all of it? */
bool client_query_matches(struct slice pattern, struct slice text);

#endif
