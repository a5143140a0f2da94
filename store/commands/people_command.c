#include "store/commands/people_command.h"

#include "base/json.h"
#include "base/json_walk.h"
#include "base/utf8.h"
#include "store/write/erase.h"

/* ---- checking ------------------------------------------------------------------- */

const char *people_tenant_wrong(struct slice tenant)
{
    return token_valid(tenant) ? NULL
                               : "tenant: 1 to 64 of A-Z a-z 0-9 _ - expected";
}

const char *people_user_wrong(struct slice user)
{
    return user_id_valid(user) ? NULL
                               : "user: 1 to 128 bytes that can be printed";
}

const char *people_room_wrong(struct slice room)
{
    return room_id_valid(room)
               ? NULL
               : "room: 1 to 128 bytes that can be printed, without / + #";
}

const char *people_new_user_wrong(struct slice user)
{
    if (utf8_has_invisible(user.data, user.len))
        return "user" INVISIBLE_TEXT;
    return people_user_wrong(user);
}

const char *people_new_room_wrong(struct slice room)
{
    if (utf8_has_invisible(room.data, room.len))
        return "room" INVISIBLE_TEXT;
    return people_room_wrong(room);
}

const char *people_name_wrong(struct slice name)
{
    if (name.len > 0 && !user_id_valid(name))
        return "name: at most 128 bytes that can be printed";
    return utf8_has_invisible(name.data, name.len) ? "name" INVISIBLE_TEXT
                                                   : NULL;
}

const char *people_role_wrong(struct slice role)
{
    if (role.len > 0 && (role.len > ROOM_ROLE_MAX || !user_id_valid(role)))
        return "role: at most 32 bytes that can be printed";
    return utf8_has_invisible(role.data, role.len) ? "role" INVISIBLE_TEXT
                                                   : NULL;
}

static bool is_object(struct slice json)
{
    enum json_type type;

    return json_check(json.data, json.len, &type, NULL) && type == JSON_OBJECT;
}

static size_t count_members(struct slice object)
{
    struct slice name, value;
    size_t at = 0, count = 0;

    while (json_next_member(object, &at, &name, &value))
        count++;
    return count;
}

const char *people_json_wrong(struct slice json, bool merge)
{
    if (json.len == 0)
        return NULL;
    if (json.len > PEOPLE_JSON_MAX)
        return "a JSON object of at most 16384 bytes expected";
    if (!is_object(json))
        return "a JSON object expected";
    if (merge && count_members(json) > PEOPLE_MERGE_MAX)
        return "at most 64 members can be merged at once";
    return NULL;
}

void people_decide(struct transaction *t, const struct command *c)
{
    (void)c;
    admission_measure_room(t, 0);
}

/* ---- looking -------------------------------------------------------------------- */

enum store_err people_found(struct command *c, enum store_err err,
                            bool *ret_is_there)
{
    *ret_is_there = err == STORE_OK;
    if (err == STORE_CORRUPT)
        return transaction_row_damaged(c);
    return err == STORE_NOTFOUND ? STORE_OK : err;
}

bool people_condition_holds(struct command *c, uint32_t condition,
                            bool is_there)
{
    if (condition == PUT_ABSENT && is_there)
        c->result = RESULT_EXISTS;
    if (condition == PUT_PRESENT && !is_there)
        c->result = RESULT_NOT_FOUND;
    return c->result == RESULT_OK;
}

int64_t people_now_us(const struct transaction *t, const struct command *c)
{
    return c->now_us != 0 ? c->now_us : t->in.now_us;
}

/* ---- JSON objects ---------------------------------------------------------------- */

struct json_patch {
    struct slice names[PEOPLE_MERGE_MAX], values[PEOPLE_MERGE_MAX];
    bool used[PEOPLE_MERGE_MAX];
    size_t count;
};

/* Of a name that is there twice the last counts, as in most readers of JSON. */
static void patch_add(struct json_patch *p, struct slice name,
                      struct slice value)
{
    size_t i = 0;

    while (i < p->count && !slice_eq(p->names[i], name))
        i++;
    if (i == PEOPLE_MERGE_MAX)
        return;
    p->names[i] = name;
    p->values[i] = value;
    p->used[i] = false;
    p->count += i == p->count;
}

static void put_member(struct buffer *b, struct slice name, struct slice value)
{
    if (b->len > 1)
        buffer_put_char(b, ',');
    buffer_put(b, name.data, name.len);
    buffer_put_char(b, ':');
    buffer_put(b, value.data, value.len);
}

static void put_patched(struct buffer *b, struct json_patch *p,
                        struct slice name, struct slice value)
{
    size_t i = 0;

    while (i < p->count && !slice_eq(p->names[i], name))
        i++;
    if (i == p->count) {
        put_member(b, name, value);
        return;
    }
    if (!p->used[i] && !slice_eq(p->values[i], slice_str("null")))
        put_member(b, name, p->values[i]);
    p->used[i] = true;
}

/* RFC 7396, first level. Names are compared as they are written. */
static void merge_objects(struct buffer *b, struct slice old,
                          struct slice given)
{
    struct slice name, value;
    struct json_patch p = {.count = 0};

    for (size_t at = 0; json_next_member(given, &at, &name, &value);)
        patch_add(&p, name, value);
    buffer_put_char(b, '{');
    for (size_t at = 0; json_next_member(old, &at, &name, &value);)
        put_patched(b, &p, name, value);
    for (size_t i = 0; i < p.count; i++)
        if (!p.used[i])
            put_patched(b, &p, p.names[i], p.values[i]);
    buffer_put_char(b, '}');
}

enum store_err people_json(struct command *c, struct slice old,
                           struct slice given, bool merge, struct buffer *room,
                           struct slice *ret)
{
    *ret = given.len > 0 ? given : old;
    if (given.len > 0 && merge) {
        merge_objects(room, old, given);
        if (!buffer_ok(room))
            return STORE_NOMEM;
        if (room->len > PEOPLE_JSON_MAX)
            c->result = RESULT_TOO_LARGE;
        *ret = buffer_slice(room);
    }
    if (ret->len == 0)
        *ret = slice_str("{}");
    return STORE_OK;
}

/* ---- members --------------------------------------------------------------------- */

enum store_err people_last_seq(struct transaction *t, struct command *c,
                               struct slice tenant, struct slice room,
                               uint64_t *ret_seq)
{
    char topic[ROOM_TOPIC_MAX];
    struct thing *thing;

    *ret_seq = 0;
    const size_t len = room_topic(tenant, room, topic);
    const enum store_err err =
        transaction_thing(t, slice_of(topic, len), &thing);
    if (err == STORE_CORRUPT)
        return transaction_row_damaged(c);
    if (err == STORE_OK)
        *ret_seq = thing->state.row.last_seq;
    return err;
}

enum store_err people_member_user(struct transaction *t, struct command *c,
                                  struct slice tenant, struct slice user,
                                  bool make, bool *ret_new)
{
    char name[PEOPLE_ERASE_NAME_MAX];
    struct user_row ignored;
    bool is_there, is_waiting;

    *ret_new = false;
    enum store_err err =
        people_found(c, user_load(t, tenant, user, &ignored), &is_there);
    if (err != STORE_OK || c->result != RESULT_OK || is_there)
        return err;
    if (!make) {
        c->result = RESULT_NOT_FOUND;
        return STORE_OK;
    }
    err =
        erase_is_waiting(t, user_erase_name(tenant, user, name), &is_waiting);
    if (is_waiting)
        c->result = RESULT_EXISTS;
    *ret_new = !is_waiting;
    return err;
}

struct user_row people_new_user(const struct transaction *t,
                                const struct command *c, struct slice tenant,
                                struct slice user)
{
    return (struct user_row){
        .tenant = tenant,
        .user = user,
        .attributes = slice_str("{}"),
        .created_us = people_now_us(t, c),
        .changed_us = people_now_us(t, c),
    };
}
