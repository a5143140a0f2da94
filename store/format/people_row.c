/* Rows of users, rooms and members (store/people.h):
 *   users          [version, attributes, password hash or nil, name or nil,
 *                   created_us, changed_us]
 *   users_by_name  [version, user id]
 *   rooms          [version, kind, settings, created_us, changed_us, creator or nil,
 *                   members]
 *   members        [version, role, joined_us, acked seq, read seq, posted_us: may
 *                   be missing]
 *   rooms_of       nothing
 * Their ids are in their keys alone. */
#include <string.h>

#include "base/json_walk.h"
#include "store/format/row.h"

static const char *const kind_words[ROOM_KIND_COUNT] = {
#define X(name, word) word,
    ROOM_KINDS(X)
#undef X
};

const char *room_kind_word(enum room_kind kind)
{
    return kind_words[kind];
}

bool room_kind_of_word(struct slice word, enum room_kind *ret_kind)
{
    for (unsigned i = 0; i < ROOM_KIND_COUNT; i++)
        if (slice_eq(word, slice_str(kind_words[i]))) {
            *ret_kind = (enum room_kind)i;
            return true;
        }
    return false;
}

/* ---- ids --------------------------------------------------------------------- */

bool room_id_valid(struct slice room)
{
    return room.len <= ROOM_ID_MAX && user_id_valid(room) &&
           memchr(room.data, '/', room.len) == NULL &&
           memchr(room.data, '+', room.len) == NULL &&
           memchr(room.data, '#', room.len) == NULL;
}

size_t room_topic(struct slice tenant, struct slice room,
                  char out[ROOM_TOPIC_MAX])
{
    static const char between[] = "/rooms/";
    const size_t at = tenant.len + sizeof(between) - 1;

    memcpy(out, tenant.data, tenant.len);
    memcpy(out + tenant.len, between, sizeof(between) - 1);
    memcpy(out + at, room.data, room.len);
    return at + room.len;
}

#define BETWEEN "/rooms/"

bool room_of_topic(struct slice topic, struct slice *ret_tenant,
                   struct slice *ret_room)
{
    const size_t between = sizeof(BETWEEN) - 1;
    const char *p = topic.data;
    const char *slash = topic.len > 0 ? memchr(p, '/', topic.len) : NULL;

    if (slash == NULL || topic.len - (size_t)(slash - p) <= between ||
        memcmp(slash, BETWEEN, between) != 0)
        return false;
    const char *room = slash + between;
    *ret_tenant = slice_of(p, (size_t)(slash - p));
    *ret_room = slice_of(room, topic.len - (size_t)(room - p));
    return token_valid(*ret_tenant) && room_id_valid(*ret_room);
}

uint32_t room_slow_mode(const struct room_row *room)
{
    struct slice name, value;
    uint64_t slow = 0;
    size_t at = 0;

    while (json_next_member(room->settings, &at, &name, &value))
        if (json_string_is(name, "slowMode") && !json_read_u64(value, &slow))
            slow = 0;
    return slow <= ROOM_SLOW_MODE_MAX ? (uint32_t)slow : 0;
}

/* ---- users ------------------------------------------------------------------- */

/* The parts of a key that NULs separate: `count` of them, none empty. */
static bool split_key(MDB_val key, struct slice *parts, unsigned count)
{
    const char *at = key.mv_data, *end = at + key.mv_size;

    for (unsigned i = 0; i < count; i++) {
        const char *nul = memchr(at, '\0', (size_t)(end - at));
        if ((nul == NULL) != (i + 1 == count))
            return false;
        const char *part_end = nul != NULL ? nul : end;
        parts[i] = slice_of(at, (size_t)(part_end - at));
        if (parts[i].len == 0)
            return false;
        at = part_end + (nul != NULL);
    }
    return token_valid(parts[0]);
}

void schema_put_user(struct buffer *b, const struct user_row *user)
{
    msgpack_packer p = packer_of(b);

    pack_row(&p, 6);
    pack_str(&p, user->attributes);
    pack_optional(&p, user->password);
    pack_optional(&p, user->name);
    msgpack_pack_int64(&p, user->created_us);
    msgpack_pack_int64(&p, user->changed_us);
}

bool schema_get_user(MDB_val key, MDB_val v, struct user_row *ret_user)
{
    struct unpack u = unpack_row(v, 6);
    struct slice parts[2];

    if (!split_key(key, parts, 2))
        return false;
    *ret_user = (struct user_row){.tenant = parts[0], .user = parts[1]};
    ret_user->attributes = unpack_str(&u);
    ret_user->password = unpack_optional(&u);
    ret_user->name = unpack_optional(&u);
    ret_user->created_us = unpack_int(&u);
    ret_user->changed_us = unpack_int(&u);
    return !u.failed;
}

void schema_put_user_name(struct buffer *b, struct slice user)
{
    msgpack_packer p = packer_of(b);

    pack_row(&p, 2);
    pack_str(&p, user);
}

bool schema_get_user_name(MDB_val v, struct slice *ret_user)
{
    struct unpack u = unpack_row(v, 2);

    *ret_user = unpack_str(&u);
    return !u.failed && user_id_valid(*ret_user);
}

/* ---- rooms ------------------------------------------------------------------- */

void schema_put_room(struct buffer *b, const struct room_row *room)
{
    msgpack_packer p = packer_of(b);

    pack_row(&p, 7);
    msgpack_pack_uint32(&p, room->kind);
    pack_str(&p, room->settings);
    msgpack_pack_int64(&p, room->created_us);
    msgpack_pack_int64(&p, room->changed_us);
    pack_optional(&p, room->creator);
    msgpack_pack_uint64(&p, room->members);
}

bool schema_get_room(MDB_val key, MDB_val v, struct room_row *ret_room)
{
    struct unpack u = unpack_row(v, 7);
    struct slice parts[2];

    if (!split_key(key, parts, 2))
        return false;
    *ret_room = (struct room_row){.tenant = parts[0], .room = parts[1]};
    ret_room->kind = (enum room_kind)unpack_uint_max(&u, ROOM_KIND_COUNT - 1);
    ret_room->settings = unpack_str(&u);
    ret_room->created_us = unpack_int(&u);
    ret_room->changed_us = unpack_int(&u);
    ret_room->creator = unpack_optional(&u);
    ret_room->members = unpack_uint(&u);
    return !u.failed;
}

/* ---- members ----------------------------------------------------------------- */

void schema_put_member(struct buffer *b, const struct member_row *m)
{
    msgpack_packer p = packer_of(b);

    pack_row(&p, m->posted_us != 0 ? 6 : 5);
    pack_str(&p, m->role);
    msgpack_pack_int64(&p, m->joined_us);
    msgpack_pack_uint64(&p, m->acked_seq);
    msgpack_pack_uint64(&p, m->read_seq);
    if (m->posted_us != 0)
        msgpack_pack_int64(&p, m->posted_us);
}

bool schema_get_member(MDB_val key, MDB_val v, struct member_row *ret_member)
{
    uint32_t elements;
    struct unpack u = unpack_long_row(v, 5, &elements);
    struct slice parts[3];

    if (!split_key(key, parts, 3))
        return false;
    *ret_member = (struct member_row){.tenant = parts[0],
                                      .room = parts[1],
                                      .user = parts[2]};
    ret_member->role = unpack_str(&u);
    ret_member->joined_us = unpack_int(&u);
    ret_member->acked_seq = unpack_uint(&u);
    ret_member->read_seq = unpack_uint(&u);
    ret_member->posted_us = elements > 5 ? unpack_int(&u) : 0;
    return !u.failed;
}

void schema_pair_key(struct slice tenant, struct slice one, struct slice other,
                     struct schema_key *ret_key)
{
    schema_tenant_key(tenant, one, ret_key);
    ret_key->bytes[ret_key->len++] = '\0';
    if (other.len > 0)
        memcpy(ret_key->bytes + ret_key->len, other.data, other.len);
    ret_key->len += other.len;
}

bool schema_split_pair(MDB_val key, struct slice *ret_one,
                       struct slice *ret_other)
{
    struct slice parts[3];

    if (!split_key(key, parts, 3))
        return false;
    *ret_one = parts[1];
    *ret_other = parts[2];
    return true;
}
