/* What all workers of a broker share. Set up before their threads start and
 * read-only afterwards, except for atomics and for members whose comment
 * names a lock. */
#ifndef CONFAB_BROKER_CLIENT_HUB_H
#define CONFAB_BROKER_CLIENT_HUB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/address_list.h"
#include "base/buffer.h"
#include "base/config.h"
#include "base/net/tls.h"
#include "store/store.h"
#include "store/write/writer.h"

struct admin_commands;
struct callers;
struct jwt_memo;
struct sys_board;
struct sys_sampler;
struct token_connections;
struct worker;

/* Phases of a shutdown, in this order (broker_stop()). */
enum hub_phase {
    HUB_SERVING,
    /* Accept and read no more, publish the wills, wait until the writer has
     * answered everything. */
    HUB_DRAINING,
    HUB_CLOSING /* the writer has ended: send what is left, disconnect, end */
};

struct hub {
    const struct config *config;
    struct store *store;
    struct writer *writer;
    struct worker **workers; /* [count] is the admin worker */
    unsigned count;
    struct token_connections *token_connections; /* has its own lock */
    struct callers *callers;                     /* of connections; likewise */
    struct jwt_memo *jwts;  /* verified before; likewise */
    struct tls_current tls; /* has its own lock */
    struct sys_board *sys;  /* the figures of `$SYS`; has its own lock */
    /* Takes these figures; used by main, then by the admin worker. */
    struct sys_sampler *sampler;
    const struct admin_commands
        *commands;                    /* `$confab/…` (publish_command.h) */
    struct connection_budget *budget; /* limits.connections; NULL: none */
    /* mqtt.trusted_proxies, which may send PROXY headers; and these together with
     * http.trusted_proxies: no limit per address holds for them. */
    struct address_list mqtt_proxies, all_proxies;
    /* Connections without a CONNECT, by address; NULL: not counted. */
    struct client_addresses *strangers;
    atomic_uint_fast64_t connections; /* open sockets of all workers */
    /* Of these, the ones without a CONNECT. */
    atomic_uint_fast64_t unidentified;
    atomic_uint_fast64_t attached; /* last connection.number */
    atomic_uint_fast64_t refused;  /* last refusal.number */
    atomic_int phase;              /* enum hub_phase */
    /* The round workers must confirm; see broker_is_alive(). */
    atomic_uint_fast64_t liveness_round;
    atomic_uint dumps; /* state dumps requested so far (state_dump.h) */
    atomic_uint busy;  /* workers that have not finished the phase yet */
    /* Appends the answer to `$confab/status`. Any thread. */
    void (*status)(void *arg, struct buffer *out);
    /* Keeps what the bridge says of its HTTP APIs, valid JSON. Any thread. */
    void (*tell_doors)(void *arg, struct slice json);
    void *arg;
};

#endif
