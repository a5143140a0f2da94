/* Who is connected, who is to go, and who was refused: `$confab/clients` and
 * `$confab/kick`.
 *
 * Connections are their workers', so the workers are asked, one after the other:
 * an administrator's PUBLISH under way travels to a worker as a question, is
 * answered in a turn there, and comes back like a result from the writer
 * (publish_ask()). An answer goes as far as 16 KiB of JSON or a look at
 * ROLL_CALL_LOOKS connections reach; it says where to go on, and whoever asks
 * comes again with that. Clients that connect after the first question are not
 * called: neither is a client kicked twice because it came back, nor does a list
 * go on for ever. */
#ifndef CONFAB_BROKER_ADMIN_ROLL_CALL_H
#define CONFAB_BROKER_ADMIN_ROLL_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct connection;
struct hub;
struct publish;
struct worker;

#define ROLL_CALL_LOOKS 4096
#define ROLL_CALL_KICKS 128
#define ROLL_CALL_BYTES (16 * 1024)
/* A client id is listed up to here, and its full length said. */
#define ROLL_CALL_ID_MAX 1024

/* A question. Administrators are not called, and of connections that have not said
 * CONNECT only those that are kicked by their address. */
struct roll_call {
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
bool roll_call_begin(struct roll_call *r, const struct hub *hub,
                     struct slice from);

/* A part of the worker's turn: answers a question. true: more are waiting. */
bool roll_call_turn(struct worker *w);
/* A connection leaves the worker's list. */
void roll_call_forget(struct worker *w, const struct connection *c);
/* The worker has ended: what is in its mailbox is answered so. */
void roll_call_release(struct worker *w);

/* Is `address` that of a connection whose peer is `peer`: host:port, or a host,
 * whatever its port (of IPv6 in brackets or not)? */
bool roll_call_is_address(struct slice address, struct slice peer);

/* Does `pattern`, in which * stands for any text, fit all of it? */
bool roll_call_fits(struct slice pattern, struct slice text);

#endif
