/* Users, rooms and messages as the rooms door shows them: in answers to requests, and in
 * events over Socket.IO. One place, so that both spell them alike; where they differ it
 * is because the clients that are there expect it (docs/rooms.md).
 *
 *   user     {"uid","displayName","picture","countryCode","balance":0,"roles":[…]}
 *   room     {"uid","name","description","slowMode"}
 *   message  {"id","timestamp" (ms),"message","user"}, in events also "room"
 *
 * A user row has the name people log in with, in lower case, and the attributes
 * displayName, picture, countryCode, guest, root. A room row has the settings name,
 * description, slowMode. What is not of the type it should be is not there.
 *
 * Functions that read need a snapshot; what they return points into it, and into the
 * arguments. Any thread. */
#ifndef CONFAB_BRIDGE_ROOMS_ROOMS_JSON_H
#define CONFAB_BRIDGE_ROOMS_ROOMS_JSON_H

#include "base/json_write.h"
#include "store/people.h"

#define ROOMS_ROLE_MOD "mod" /* of a member (struct member_row) */

/* Where it is written. */
enum rooms_place {
    ROOMS_IN_ANSWER, /* picture and countryCode: null if there is none */
    ROOMS_IN_EVENT,  /* auth_updated, user_updated, room_users: null and "" */
    ROOMS_IN_MESSAGE /* message, room_messages: "" and "", in another order */
};

/* ---- users ------------------------------------------------------------------- */

struct rooms_user {
    struct slice uid;  /* empty: nobody, as of a device that has no user */
    struct slice name; /* in lower case; empty: none, and of guests */
    /* JSON strings with their quotes; empty: there is none. */
    struct slice display_name, picture, country_code;
    bool is_guest, is_root;
    bool is_gone; /* there is no such user (any more) */
};

void rooms_user_of_row(const struct user_row *row, struct rooms_user *ret);
/* NOTFOUND: *ret can be written all the same, as an account that is gone. */
enum store_err rooms_user_read(struct store_reader *r, struct slice tenant,
                               struct slice uid, struct rooms_user *ret);

/* What a user is in a room, in the order in which `roles` lists them. */
#define ROOMS_ROLES(X)                                                        \
    X(ROOT, "root")                                                           \
    X(MOD, "mod")                                                             \
    X(OWNER, "owner")                                                         \
    X(REGISTERED, "registered")                                               \
    X(GUEST, "guest")
enum {
#define X(name, word) ROOMS_ROLE_NR_##name,
    ROOMS_ROLES(X)
#undef X
};
enum rooms_role {
#define X(name, word) ROOMS_IS_##name = 1 << ROOMS_ROLE_NR_##name,
    ROOMS_ROLES(X)
#undef X
};

/* Bits of enum rooms_role. */
enum store_err rooms_roles_read(struct store_reader *r,
                                const struct room_row *room,
                                const struct rooms_user *user,
                                unsigned *ret_roles);

/* roles: 0 where they are not shown, which is everywhere but in messages. */
void rooms_user_write(struct json_writer *w, const struct rooms_user *user,
                      enum rooms_place place, unsigned roles);

/* ---- rooms ------------------------------------------------------------------- */

#define ROOMS_SLOW_MODE_DEFAULT 3 /* seconds, of rooms that the door makes */
#define ROOMS_SLOW_MODE_MAX 21600 /* likewise */

/* The room, if it is one of the kind ROOM: others are no business of this door. */
enum store_err rooms_room_read(struct store_reader *r, struct slice tenant,
                               struct slice uid, struct room_row *ret_row);
void rooms_room_write(struct json_writer *w, const struct room_row *row);

/* ---- messages ---------------------------------------------------------------- */

/* A message of the room, with its author as he is now, gone or not. Payloads that are
 * not UTF-8 are shown with U+FFFD. */
enum store_err rooms_message_write(struct json_writer *w,
                                   struct store_reader *r,
                                   const struct room_row *room,
                                   const struct message *m,
                                   enum rooms_place place);

#endif
