/* What commands about users, rooms and members take (store/command.h, store/people.h).
 * All count against their tenant's bytes. UNKNOWN_TOKEN, REVOKED: of the tenant; INVALID:
 * see the fields; BYTES, SHARE, FULL: what it holds. Slices are borrowed until done(). */
#ifndef CONFAB_STORE_COMMAND_PEOPLE_H
#define CONFAB_STORE_COMMAND_PEOPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define ROOM_PUT_MEMBERS_MAX 256 /* in one command; more with member_put */
#define PEOPLE_MERGE_MAX 64      /* members of an object that is merged */

/* What must be so before, looked at in the transaction that writes: of several
 * requests at the same time with PUT_ABSENT one succeeds. */
enum put_condition {
    PUT_ANY,
    PUT_ABSENT, /* EXISTS: it is there */
    PUT_PRESENT /* NOT_FOUND: it is not */
};

/* COMMAND_USER_PUT: makes or changes a user. EXISTS: the condition, another user has the
 * name, or one of this id is still being deleted. */
struct user_put {
    struct slice tenant, user;
    uint32_t condition; /* enum put_condition */
    struct slice
        attributes; /* a JSON object, ≤ PEOPLE_JSON_MAX; empty: as they
                                are; of a new user {} */
    bool
        merge; /* the attributes' members replace, or are added to, those that are
                   there; null removes one (RFC 7396, first level). TOO_LARGE */
    struct slice name;     /* unique in the tenant; empty: as it is */
    bool no_name;          /* takes it away */
    struct slice password; /* hash of base/password_pool.h; empty: as it is */
    bool no_password;      /* takes it away */

    bool made; /* result: the user is new */
};

/* COMMAND_USER_DELETE, with its memberships, in steps (c->more). Messages stay.
 * NOT_FOUND. */
struct user_delete {
    struct slice tenant, user;
};

/* COMMAND_ROOM_PUT: makes or changes a room. EXISTS: the condition, or one of this id is
 * still being deleted. NOT_FOUND: the condition, or a member or a new room's creator is no
 * user. */
struct room_put {
    struct slice tenant, room;
    uint32_t condition;
    uint32_t kind;         /* enum room_kind; of a new one, else ignored */
    struct slice settings; /* as attributes of a user */
    bool merge;
    struct slice creator;  /* of a new one, else ignored: a user, or among the
                              members when users are made */
    struct slice *members; /* user ids that become members; who is one stays as
                              they are */
    size_t member_count;
    struct slice role;         /* theirs; empty: member */
    struct slice creator_role; /* of the creator among them; empty: `role` */
    bool make_users; /* members that are no users become users with {} */

    bool made; /* result: the room is new */
};

/* COMMAND_ROOM_DELETE, with its members and messages, in steps (c->more). NOT_FOUND. */
struct room_delete {
    struct slice tenant, room;
};

/* COMMAND_MEMBER_PUT: makes or changes a member. NOT_FOUND: the condition, or there is no
 * such room or user. A new member has acked and read what the room has now. */
struct member_put {
    struct slice tenant, room, user;
    uint32_t condition;
    struct slice role; /* empty: as it is; of a new one `member` */
    uint64_t acked_seq,
        read_seq;   /* raised to that, never lowered, to the room's
                                     last seq at most */
    bool make_user; /* who is no user becomes one with {} */

    bool made; /* result: the member is new */
};

/* COMMAND_MEMBER_DELETE. NOT_FOUND. */
struct member_delete {
    struct slice tenant, room, user;
};

#endif
