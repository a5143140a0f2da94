/* Users, rooms and members of tenants: their rows, and reading them. Commands change
 * them (store/command/people.h). docs/design/2026-11-30-directory.md.
 *
 * The messages of a room are those of the thing `<tenant>/rooms/<room id>`; they come
 * and go by the commands about messages and things.
 *
 * All functions that read need a snapshot. Slices of rows point into the map, and are
 * valid until store_reader_end(). Ids that cannot be any are NOTFOUND. */
#ifndef CONFAB_STORE_PEOPLE_H
#define CONFAB_STORE_PEOPLE_H

#include "base/topic.h"
#include "store/directory.h"

#define ROOM_ID_MAX 128       /* bytes of UTF-8 */
#define ROOM_ROLE_MAX 32      /* likewise */
#define PEOPLE_JSON_MAX 16384 /* bytes of attributes, of settings */
#define PASSWORD_HASH_MAX 127 /* bytes (base/password_pool.h) */
#define ROOM_TOPIC_MAX (TOKEN_MAX + sizeof("/rooms/") - 1 + ROOM_ID_MAX)

/* X(NAME, word). Rows have the numbers: add at the end. */
#define ROOM_KINDS(X)                                                         \
    X(ROOM, "room")                                                           \
    X(DM, "dm")                                                               \
    X(GROUP, "group")                                                         \
    X(CHANNEL, "channel")                                                     \
    X(ORDER, "order")                                                         \
    X(SUPPORT, "support")                                                     \
    X(DIRECT, "direct")                                                       \
    X(AGENT, "agent")

enum room_kind {
#define X(name, word) ROOM_KIND_##name,
    ROOM_KINDS(X)
#undef X
        ROOM_KIND_COUNT
};
const char *room_kind_word(enum room_kind kind);
bool room_kind_of_word(struct slice word, enum room_kind *ret_kind);

/* ---- ids; pure --------------------------------------------------------------- */

/* 1 to ROOM_ID_MAX bytes that can be printed, none of them / + #: it is a level of
 * a topic. For users: user_id_valid() (store/directory.h). */
bool room_id_valid(struct slice room);
/* `<tenant>/rooms/<room id>`; returns its length. Both ids are valid. */
size_t room_topic(struct slice tenant, struct slice room,
                  char out[ROOM_TOPIC_MAX]);

/* The other way round. false: messages of that topic are of no room. */
bool room_of_topic(struct slice topic, struct slice *ret_tenant,
                   struct slice *ret_room);

/* Rooms that must exist only once for something get an id that follows from it, so
 * that two requests at the same time mean the same room: the first `room_put` with
 * PUT_ABSENT makes it, the other is told EXISTS. The id is the kind's word, `_` and 24
 * characters of a hash. */
#define ROOM_ID_FOR_SIZE 40
/* For two users, in whichever order. */
void room_id_for_pair(enum room_kind kind, struct slice one,
                      struct slice other, char out[ROOM_ID_FOR_SIZE]);
/* For any text: the number of an order. */
void room_id_for_text(enum room_kind kind, struct slice text,
                      char out[ROOM_ID_FOR_SIZE]);

/* ---- users ------------------------------------------------------------------- */

struct user_row {
    struct slice tenant, user;
    struct slice attributes; /* a JSON object as it was sent */
    struct slice password; /* its hash; empty: none, nobody can log in by it */
    struct slice name;     /* unique in the tenant, bytewise; empty: none */
    int64_t created_us, changed_us;
};

enum store_err store_user(struct store_reader *r, struct slice tenant,
                          struct slice user, struct user_row *ret_row);
enum store_err store_user_by_name(struct store_reader *r, struct slice tenant,
                                  struct slice name, struct user_row *ret_row);
/* The next one whose id is greater than `after` (empty: the first), bytewise. */
enum store_err store_user_next(struct store_reader *r, struct slice tenant,
                               struct slice after, struct user_row *ret_row);

/* ---- rooms ------------------------------------------------------------------- */

struct room_row {
    struct slice tenant, room;
    enum room_kind kind;
    struct slice settings; /* a JSON object as it was sent */
    struct slice creator;  /* a user id; empty: none. That user may be gone */
    int64_t created_us, changed_us;
    uint64_t members; /* how many it has now */
};

#define ROOM_SLOW_MODE_MAX 21600 /* seconds */
/* Seconds that a user must wait between messages to the room: its setting `slowMode`, a
 * whole number up to that; 0, anything else or none: it has no slow mode. Pure. */
uint32_t room_slow_mode(const struct room_row *room);

enum store_err store_room(struct store_reader *r, struct slice tenant,
                          struct slice room, struct room_row *ret_row);
/* The next one whose id is greater than `after` (empty: the first), bytewise. */
enum store_err store_room_next(struct store_reader *r, struct slice tenant,
                               struct slice after, struct room_row *ret_row);

/* ---- members ----------------------------------------------------------------- */

/* For a moment there may be members of a user or room that is being deleted. */
struct member_row {
    struct slice tenant, room, user;
    struct slice role;
    int64_t joined_us;
    uint64_t acked_seq, read_seq; /* of the room's messages; 0: none */
    int64_t posted_us; /* its last message, in rooms with slow mode; 0: none */
};

enum store_err store_member(struct store_reader *r, struct slice tenant,
                            struct slice room, struct slice user,
                            struct member_row *ret_row);
/* The room's next member whose user id is greater than `after` (empty: the first). */
enum store_err store_member_next(struct store_reader *r, struct slice tenant,
                                 struct slice room, struct slice after,
                                 struct member_row *ret_row);
/* The next room that the user is a member of, greater than `after` (empty: the
 * first). */
enum store_err store_room_of_next(struct store_reader *r, struct slice tenant,
                                  struct slice user, struct slice after,
                                  struct slice *ret_room);

/* A user's rooms, the one with the newest message first; rooms without messages come
 * last, by id. They are sorted when they are read: an index in this order would cost
 * every message a write per member. So it looks at RECENT_ROOMS_WALK rooms at most,
 * the first by id: *ret_all is false if the user has more. */
#define RECENT_ROOMS_WALK 4096
struct recent_room {
    struct slice room;
    uint64_t last_id; /* of its newest message; 0: it has none */
};
enum store_err store_recent_rooms(struct store_reader *r, struct slice tenant,
                                  struct slice user, struct recent_room *list,
                                  size_t most, size_t *ret_count,
                                  bool *ret_all);

#endif
