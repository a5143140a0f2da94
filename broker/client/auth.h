/* Who a client is and what it may touch.
 *
 * The CONNECT user name is the token (the password is not looked at: a token is
 * secret enough). Tokens are looked up in the store at every CONNECT, which
 * costs about a microsecond; nothing is cached, so nothing can be stale. A
 * revocation after that arrives as an event and closes the connection.
 *
 * The topic rules are pure. Any thread. */
#ifndef CONFAB_BROKER_CLIENT_AUTH_H
#define CONFAB_BROKER_CLIENT_AUTH_H

#include "base/caller.h"
#include "base/config.h"
#include "base/slice.h"
#include "store/store.h"

enum role {
    ROLE_TOKEN,    /* topics under `<token>/` only */
    ROLE_NAMELESS, /* open mode, no user name: the whole topic space */
    ROLE_ADMIN     /* the UNIX socket, right uid, no user name: the bridge */
};

enum auth_verdict {
    AUTH_OK,
    AUTH_BAD, /* no such token, or it cannot be one */
    AUTH_REVOKED,
    AUTH_NAMELESS, /* a user name is needed here */
    AUTH_STORE     /* the store could not be read */
};

/* user_name    data NULL: none was sent; not for administrators
 * *ret_caller  on AUTH_OK: who it is, with a plan, but no client id; borrows from
 *              user_name
 * Opens a short read transaction. */
enum auth_verdict auth_connect(const struct config *config,
                               struct store *store, struct slice user_name,
                               struct caller *ret_caller);

enum publish_verdict {
    PUBLISH_STORE,   /* an ordinary message */
    PUBLISH_EVENT,   /* administrators: `$events/…`, not stored */
    PUBLISH_COMMAND, /* administrators: `$confab/<command>` */
    PUBLISH_DROP,    /* nameless, `$…`, and what bridges say of themselves to
                        `$SYS/broker/connection/…/state`: acknowledge and forget */
    PUBLISH_FOREIGN, /* 0x87: somebody else's, or `$SYS` */
    PUBLISH_INVALID  /* 0x90: not a thing of this client's, not a topic */
};
/* What a client may is caller_may(); what becomes of a topic that it may not
 * have, or that is none, depends on its role. */
enum publish_verdict auth_publish(enum role role, const struct caller *caller,
                                  struct slice topic);

/* 0 or the SUBACK reason code (MQTT 5 §3.9.3): 0x87 foreign, 0x8f invalid. Of
 * `$share/<group>/<filter>` the filter decides. */
uint8_t auth_subscribe(const struct caller *caller, struct slice filter);

/* Largest packet taken from a client of that plan (NULL: an administrator):
 * the payload it may send, or, where nothing limits that, AUTH_PAYLOAD_MAX;
 * and PACKET_OVERHEAD_MAX for topic and properties. */
#define AUTH_PAYLOAD_MAX (16U * 1024 * 1024)
#define PACKET_OVERHEAD_MAX (128U * 1024)
uint32_t auth_packet_max(const struct config *config, const struct plan *plan);

/* Session Expiry Interval of a client that asks for `asked_s`, seconds. */
uint32_t auth_session_expiry(enum role role, const struct plan *plan,
                             uint32_t asked_s);

#endif
