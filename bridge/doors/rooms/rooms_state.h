/* What the door keeps, and what its handlers have in common. */
#ifndef CONFAB_BRIDGE_DOORS_ROOMS_ROOMS_STATE_H
#define CONFAB_BRIDGE_DOORS_ROOMS_ROOMS_STATE_H

#include "bridge/doors/front.h"
#include "bridge/rooms/rooms_json.h"

struct address_rates;
struct password_pool;
struct rooms_sockets;
struct tenant_keeper;

struct rooms_state {
    struct front *front;
    struct slice tenant; /* borrowed from the settings */
    struct tenant_keeper *keeper;
    struct password_pool *passwords;
    struct rooms_sockets *sockets;
    struct address_rates *registrations, *logins, *creations;
};

static inline struct rooms_state *rooms_of(const struct call *c)
{
    return c->state;
}

#define ROOMS_BODY_MAX (100U * 1024) /* bytes, as upstream */
size_t rooms_body_max(struct call *c);

/* ---- answers ------------------------------------------------------------------- */

/* 200 with `json`, indented; takes its memory. */
enum http_next rooms_answer(struct call *c, struct buffer *json);
/* {"success":true} */
enum http_next rooms_answer_success(struct call *c);
/* For the door's table. */
void rooms_error(struct call *c, unsigned status, const char *text);
void rooms_no_path(struct call *c);
/* 503: the store cannot be read. */
enum http_next rooms_answer_unreadable(struct call *c);
/* Answers 404 for the room or user; `uid` is shown. */
enum http_next rooms_answer_no_room(struct call *c, struct slice uid);
enum http_next rooms_answer_no_user(struct call *c, struct slice uid);
#define ROOMS_UNAUTHORIZED "401 Unauthorized"
enum http_next rooms_answer_unauthorized(struct call *c, const char *text);
/* 429 with Retry-After. */
enum http_next rooms_answer_too_often(struct call *c, uint32_t retry_s,
                                      const char *text);

/* ---- who calls ----------------------------------------------------------------- */

/* Whoever has a key or JWT of the tenant that is for a user and may read the tenant's
 * rooms, in `?token=` or else in `Authorization: Bearer`. A token that does not hold is
 * none, as upstream: who has none may read. */
enum rooms_who {
    ROOMS_KNOWN, /* *ret_user is who it is; c->caller and c->identity are set */
    ROOMS_ANONYMOUS, /* *ret_user is empty */
    ROOMS_REFUSED /* answered: ?token= is no single string, or the store failed */
};
enum rooms_who rooms_identify(struct call *c, struct store_reader *r,
                              struct rooms_user *ret_user);

#endif
