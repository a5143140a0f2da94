#include "bridge/rooms/rooms_json.h"

#include "base/json_walk.h"

static bool is_string(struct slice value)
{
    return value.len >= 2 && *(const char *)value.data == '"';
}

static bool is_true(struct slice value)
{
    return slice_eq(value, slice_str("true"));
}

/* ---- users ------------------------------------------------------------------- */

static void take_attribute(struct rooms_user *u, struct slice name,
                           struct slice value)
{
    if (json_string_is(name, "displayName") && is_string(value))
        u->display_name = value;
    else if (json_string_is(name, "picture") && is_string(value))
        u->picture = value;
    else if (json_string_is(name, "countryCode") && is_string(value))
        u->country_code = value;
    else if (json_string_is(name, "guest"))
        u->is_guest = is_true(value);
    else if (json_string_is(name, "root"))
        u->is_root = is_true(value);
}

void rooms_user_of_row(const struct user_row *row, struct rooms_user *ret)
{
    struct slice name, value;
    size_t at = 0;

    *ret = (struct rooms_user){.uid = row->user};
    while (json_next_member(row->attributes, &at, &name, &value))
        take_attribute(ret, name, value);
    if (!ret->is_guest)
        ret->name = row->name;
}

enum store_err rooms_user_read(struct store_reader *r, struct slice tenant,
                               struct slice uid, struct rooms_user *ret)
{
    struct user_row row;
    const enum store_err err =
        uid.len > 0 ? store_user(r, tenant, uid, &row) : STORE_NOTFOUND;

    if (err == STORE_OK)
        rooms_user_of_row(&row, ret);
    else
        *ret = (struct rooms_user){.uid = uid, .is_gone = true};
    return err;
}

enum store_err rooms_roles_read(struct store_reader *r,
                                const struct room_row *room,
                                const struct rooms_user *user,
                                unsigned *ret_roles)
{
    struct member_row member;
    unsigned roles = 0;

    *ret_roles = 0;
    if (user->is_gone)
        return STORE_OK;
    const enum store_err err =
        store_member(r, room->tenant, room->room, user->uid, &member);
    if (err != STORE_OK && err != STORE_NOTFOUND)
        return err;
    if (user->is_root)
        roles |= ROOMS_IS_ROOT;
    if (err == STORE_OK && slice_eq(member.role, slice_str(ROOMS_ROLE_MOD)))
        roles |= ROOMS_IS_MOD;
    if (slice_eq(room->creator, user->uid))
        roles |= ROOMS_IS_OWNER;
    roles |= user->name.len > 0 ? ROOMS_IS_REGISTERED : ROOMS_IS_GUEST;
    *ret_roles = roles;
    return STORE_OK;
}

static void write_roles(struct json_writer *w, unsigned roles)
{
    static const char *const words[] = {
#define X(name, word) word,
        ROOMS_ROLES(X)
#undef X
    };

    json_member_array(w, "roles");
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if ((roles >> i & 1) != 0)
            json_text(w, words[i]);
    json_array_end(w);
}

static void write_string_or(struct json_writer *w, struct slice string,
                            bool null)
{
    if (string.len > 0)
        json_raw(w, string);
    else if (null)
        json_null(w);
    else
        json_text(w, "");
}

/* Names that were never given: of rows made by other means, and of accounts that are
 * gone, whose messages stay. */
static void write_display_name(struct json_writer *w,
                               const struct rooms_user *u)
{
    json_name(w, "displayName");
    if (u->display_name.len > 0)
        json_raw(w, u->display_name);
    else if (u->uid.len == 0)
        json_text(w, "Device");
    else if (u->is_gone)
        json_text(w, "Deleted user");
    else
        json_string(w, u->name.len > 0 ? u->name : u->uid);
}

void rooms_user_write(struct json_writer *w, const struct rooms_user *user,
                      enum rooms_place place, unsigned roles)
{
    json_object(w);
    json_member_string(w, "uid", user->uid);
    write_display_name(w, user);
    if (place == ROOMS_IN_MESSAGE) {
        json_name(w, "countryCode");
        write_string_or(w, user->country_code, false);
        json_name(w, "picture");
        write_string_or(w, user->picture, false);
    } else {
        json_name(w, "picture");
        write_string_or(w, user->picture, true);
        json_name(w, "countryCode");
        write_string_or(w, user->country_code, place == ROOMS_IN_ANSWER);
    }
    json_member_u64(w, "balance", 0);
    write_roles(w, roles);
    json_object_end(w);
}

/* ---- rooms ------------------------------------------------------------------- */

enum store_err rooms_room_read(struct store_reader *r, struct slice tenant,
                               struct slice uid, struct room_row *ret_row)
{
    const enum store_err err = store_room(r, tenant, uid, ret_row);

    if (err == STORE_OK && ret_row->kind != ROOM_KIND_ROOM)
        return STORE_NOTFOUND;
    return err;
}

void rooms_room_write(struct json_writer *w, const struct room_row *row)
{
    struct slice name, value, title = {0}, description = {0};
    uint64_t slow_mode = 0;
    size_t at = 0;

    while (json_next_member(row->settings, &at, &name, &value)) {
        if (json_string_is(name, "name") && is_string(value))
            title = value;
        else if (json_string_is(name, "description") && is_string(value))
            description = value;
        else if (json_string_is(name, "slowMode"))
            (void)json_read_u64(value, &slow_mode);
    }
    json_object(w);
    json_member_string(w, "uid", row->room);
    json_name(w, "name");
    write_string_or(w, title, false);
    json_name(w, "description");
    write_string_or(w, description, false);
    /* The page holds messages back for so long by itself, and takes 0 for 1. */
    json_member_u64(w, "slowMode", slow_mode > 0 ? slow_mode : 1);
    json_object_end(w);
}

/* ---- messages ---------------------------------------------------------------- */

enum store_err rooms_message_write(struct json_writer *w,
                                   struct store_reader *r,
                                   const struct room_row *room,
                                   const struct message *m,
                                   enum rooms_place place)
{
    struct rooms_user author;
    unsigned roles;

    enum store_err err = rooms_user_read(r, room->tenant, m->sender, &author);
    if (err == STORE_OK || err == STORE_NOTFOUND)
        err = rooms_roles_read(r, room, &author, &roles);
    if (err != STORE_OK)
        return err;
    json_object(w);
    json_member_u64(w, "id", m->id);
    json_member_i64(w, "timestamp", m->at_us / 1000);
    json_member_string(w, "message", m->payload);
    json_name(w, "user");
    rooms_user_write(w, &author, place, roles);
    if (place != ROOMS_IN_ANSWER)
        json_member_string(w, "room", room->room);
    json_object_end(w);
    return STORE_OK;
}
