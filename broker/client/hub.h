/* What all workers of one broker share. Set up before their threads start and
 * read only afterwards, but for the atomics and what says how it is guarded. */
#ifndef CONFAB_BROKER_CLIENT_HUB_H
#define CONFAB_BROKER_CLIENT_HUB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/config.h"
#include "base/net/tls.h"
#include "store/store.h"
#include "store/write/writer.h"

struct admin_commands;
struct callers;
struct sys_board;
struct sys_sampler;
struct token_connections;
struct worker;

/* The way down, in this order (broker_stop()). */
enum hub_phase {
    HUB_SERVING,
    HUB_DRAINING, /* accept and read no more, publish the wills, and wait until
                     nothing is left with the writer */
    HUB_CLOSING   /* the writer has ended: send the rest, say goodbye, end */
};

struct hub {
    const struct config *config;
    struct store *store;
    struct writer *writer;
    struct worker **workers; /* [count] is the admin worker */
    unsigned count;
    struct token_connections *token_connections; /* has a lock of its own */
    struct callers *callers;                     /* of connections; likewise */
    struct tls_current tls;                      /* so has this */
    struct sys_board *sys; /* the figures of `$SYS`; this too */
    struct sys_sampler
        *sampler; /* … who takes them; main, then the admin worker */
    const struct admin_commands
        *commands;                    /* `$confab/…` (publish_command.h) */
    struct connection_budget *budget; /* limits.connections; NULL: none */
    /* Of connections that have not said CONNECT; NULL: they are not counted. */
    struct client_addresses *strangers;
    atomic_uint_fast64_t connections;  /* open sockets, all workers */
    atomic_uint_fast64_t unidentified; /* of those, without a CONNECT */
    atomic_uint_fast64_t attached;     /* connection.number given last */
    atomic_uint_fast64_t refused;      /* refusal.number given last */
    atomic_int phase;                  /* enum hub_phase */
    atomic_uint_fast64_t
        liveness_round; /* what workers are to answer with; see
                                         broker_is_alive() */
    atomic_uint dumps;  /* of the state, asked for so far (state_dump.h) */
    atomic_uint busy;   /* workers that are not done with the phase yet */
    /* Appends what `$confab/status` answers; any thread. */
    void (*status)(void *arg, struct buffer *out);
    void *arg;
};

#endif
