/* Authentication and topic rules: who a client is, and which topics it may
 * use.
 *
 * The user name of CONNECT is the token. The password is ignored, because
 * the token itself is the secret. Every CONNECT looks its token up in the
 * store, which takes about a microsecond; there is no cache that could
 * become stale. A token revoked later arrives as an event, which closes the
 * connection.
 *
 * The topic rules are pure functions. Any thread may call them. */
#ifndef CONFAB_BROKER_CLIENT_AUTH_H
#define CONFAB_BROKER_CLIENT_AUTH_H

#include "base/caller.h"
#include "base/config.h"
#include "base/slice.h"
#include "store/store.h"

enum role {
    ROLE_TOKEN,    /* topics under `<token>/` only */
    ROLE_NAMELESS, /* open mode without a user name: every topic */
    /* The bridge and the CLI: UNIX socket, the server's uid, no user name. */
    ROLE_ADMIN
};

enum auth_verdict {
    AUTH_OK,
    AUTH_BAD, /* no such token, or not a valid one */
    AUTH_REVOKED,
    AUTH_SUSPENDED,
    AUTH_NAMELESS, /* a user name is required */
    AUTH_STORE     /* the store could not be read */
};

/* user_name    data NULL: none was sent; not for administrators
 * *ret_caller  on AUTH_OK: who it is, with a plan, but no client id; borrows from
 *              user_name
 * Opens a short read transaction. */
/* `own` is where the plan stands if the token has own limits: as long as the caller
 * is used. */
enum auth_verdict auth_connect(const struct config *config,
                               struct store *store, struct slice user_name,
                               struct caller *ret_caller, struct plan *own);

enum publish_verdict {
    PUBLISH_STORE,    /* an ordinary message */
    PUBLISH_EVENT,    /* `$events/<tenant>/<kind>/<thing>`, not stored */
    PUBLISH_RESERVED, /* 0x87: the same, of a kind that only the server sends */
    PUBLISH_COMMAND,  /* administrators: `$confab/<command>` */
    /* Acknowledge and discard: `$…` of clients without a token, and
     * `$SYS/broker/connection/…/state`, which bridges publish about
     * themselves. */
    PUBLISH_DROP,
    PUBLISH_FOREIGN, /* 0x87: another token's topic, or `$SYS` */
    PUBLISH_INVALID /* 0x90: no valid topic, or not a thing of this client's */
};
/* What a client may is caller_may(); what becomes of a topic that it may not
 * have, or that is none, depends on its role. */
enum publish_verdict auth_publish(enum role role, const struct caller *caller,
                                  struct slice topic);

/* Returns 0 or a SUBACK reason code (MQTT 5 §3.9.3): 0x87 not authorized,
 * 0x8f filter invalid. Of `$share/<group>/<filter>` only the filter counts. */
uint8_t auth_subscribe(const struct caller *caller, struct slice filter);

/* Maximum Packet Size for a client of this plan (NULL: an administrator):
 * the plan's payload limit, or AUTH_PAYLOAD_MAX if it has none, plus
 * PACKET_OVERHEAD_MAX for topic and properties. Administrators carry what any plan of
 * the settings allows; the bridge, also what own limits of tenants do (connect.c). */
#define AUTH_PAYLOAD_MAX (16U * 1024 * 1024)
#define PACKET_OVERHEAD_MAX (128U * 1024)
uint32_t auth_packet_max(const struct config *config, const struct plan *plan);

/* Session Expiry Interval granted to a client that requests `asked_s`
 * seconds. */
uint32_t auth_session_expiry(enum role role, const struct plan *plan,
                             uint32_t asked_s);

#endif
