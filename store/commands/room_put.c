#include "store/commands/commands.h"
#include "store/commands/people_command.h"
#include "store/write/account.h"
#include "store/write/erase.h"

static const char *wrong_members(const struct room_put *a)
{
    const char *wrong = NULL;

    if (a->member_count > ROOM_PUT_MEMBERS_MAX)
        return "members: at most 256 at once";
    for (size_t i = 0; wrong == NULL && i < a->member_count; i++)
        wrong = a->make_users ? people_new_user_wrong(a->members[i])
                              : people_user_wrong(a->members[i]);
    return wrong;
}

static const char *what_is_wrong(const struct room_put *a)
{
    const char *wrong = people_tenant_wrong(a->tenant);

    if (wrong == NULL)
        wrong = a->condition == PUT_PRESENT ? people_room_wrong(a->room)
                                            : people_new_room_wrong(a->room);
    if (wrong == NULL && a->condition > PUT_PRESENT)
        return "condition: 0 to 2 expected";
    if (wrong == NULL && a->kind >= ROOM_KIND_COUNT)
        return "kind: there is no such kind of room";
    if (wrong == NULL && people_json_wrong(a->settings, a->merge) != NULL)
        return "settings: a JSON object of at most 16384 bytes expected; of at "
               "most 64 members to merge";
    if (wrong == NULL && a->creator.len > 0)
        wrong = people_user_wrong(a->creator);
    if (wrong == NULL)
        wrong = people_role_wrong(a->role);
    if (wrong == NULL)
        wrong = people_role_wrong(a->creator_role);
    return wrong != NULL ? wrong : wrong_members(a);
}

/* What is there of a room, before and after. */
struct room_change {
    struct room_copy old;
    struct room_row row;
    bool is_there;
    uint64_t last_seq; /* of its messages */
    struct buffer json;
};

/* Of a new room: a user, or one that is made as a member of it. */
static enum store_err look_at_creator(struct transaction *t, struct command *c)
{
    const struct room_put *a = c->args;
    bool is_new;

    for (size_t i = 0; a->make_users && i < a->member_count; i++)
        if (slice_eq(a->members[i], a->creator))
            return STORE_OK;
    return people_member_user(t, c, a->tenant, a->creator, false, &is_new);
}

static enum store_err look(struct transaction *t, struct command *c,
                           struct room_change *x)
{
    const struct room_put *a = c->args;
    char name[PEOPLE_ERASE_NAME_MAX];
    bool is_waiting;

    enum store_err err =
        erase_is_waiting(t, room_erase_name(a->tenant, a->room, name),
                         &is_waiting);
    if (err == STORE_OK && is_waiting)
        c->result = RESULT_EXISTS;
    if (err != STORE_OK || c->result != RESULT_OK)
        return err;
    err = people_found(c, room_load(t, a->tenant, a->room, &x->old),
                       &x->is_there);
    if (err != STORE_OK || c->result != RESULT_OK ||
        !people_condition_holds(c, a->condition, x->is_there))
        return err;
    if (!x->is_there && a->creator.len > 0)
        err = look_at_creator(t, c);
    if (err != STORE_OK || c->result != RESULT_OK)
        return err;
    return people_last_seq(t, c, a->tenant, a->room, &x->last_seq);
}

static enum store_err make_row(struct transaction *t, struct command *c,
                               struct room_change *x)
{
    const struct room_put *a = c->args;

    if (!x->is_there)
        x->old.row = (struct room_row){
            .kind = (enum room_kind)a->kind,
            .creator = a->creator,
            .created_us = people_now_us(t, c),
        };
    x->row = x->old.row;
    x->row.tenant = a->tenant;
    x->row.room = a->room;
    x->row.changed_us = people_now_us(t, c);
    return people_json(c, x->old.row.settings, a->settings, a->merge, &x->json,
                       &x->row.settings);
}

/* ---- its members ------------------------------------------------------------------- */

static struct slice role_of(const struct room_put *a, struct slice user)
{
    if (a->creator_role.len > 0 && slice_eq(user, a->creator))
        return a->creator_role;
    return a->role.len > 0 ? a->role : slice_str(ROLE_DEFAULT);
}

/* What is to be written for one of them. */
struct joining {
    struct member_row member;
    struct user_row user;
    bool is_new, is_new_user;
};

static enum store_err look_at_member(struct transaction *t, struct command *c,
                                     const struct room_change *x, size_t i,
                                     struct joining *ret)
{
    const struct room_put *a = c->args;
    const struct slice id = a->members[i];
    bool is_there;

    enum store_err err = people_member_user(t, c, a->tenant, id, a->make_users,
                                            &ret->is_new_user);
    if (err != STORE_OK || c->result != RESULT_OK)
        return err;
    err = people_found(c, member_load(t, a->tenant, a->room, id, &ret->member),
                       &is_there);
    ret->is_new = !is_there;
    ret->user = people_new_user(t, c, a->tenant, id);
    ret->member = (struct member_row){
        .tenant = a->tenant,
        .room = a->room,
        .user = id,
        .role = role_of(a, id),
        .joined_us = people_now_us(t, c),
        .acked_seq = x->last_seq,
        .read_seq = x->last_seq,
    };
    return err;
}

static enum store_err cost_of_members(struct transaction *t, struct command *c,
                                      const struct room_change *x,
                                      uint64_t *cost)
{
    const struct room_put *a = c->args;
    enum store_err err = STORE_OK;
    struct joining one;

    for (size_t i = 0; i < a->member_count; i++) {
        err = look_at_member(t, c, x, i, &one);
        if (err != STORE_OK || c->result != RESULT_OK)
            return err;
        *cost += one.is_new ? member_cost(t, &one.member) : 0;
        *cost += one.is_new_user ? user_cost(t, &one.user) : 0;
    }
    return err;
}

static enum store_err store_members(struct transaction *t, struct command *c,
                                    struct token *who, struct room_change *x)
{
    const struct room_put *a = c->args;
    enum store_err err = STORE_OK;
    struct joining one;

    for (size_t i = 0; err == STORE_OK && i < a->member_count; i++) {
        err = look_at_member(t, c, x, i, &one);
        if (err == STORE_OK && one.is_new_user)
            err = user_store(t, who, &one.user, slice_of("", 0));
        if (err == STORE_OK && one.is_new)
            err = member_store(t, who, &one.member, &x->row);
    }
    return err;
}

/* ---- both -------------------------------------------------------------------------- */

static enum store_err change_room(struct transaction *t, struct command *c,
                                  struct token *who, struct room_change *x)
{
    struct room_put *a = c->args;

    enum store_err err = look(t, c, x);
    if (err == STORE_OK && c->result == RESULT_OK)
        err = make_row(t, c, x);
    if (err != STORE_OK || c->result != RESULT_OK)
        return err;
    uint64_t cost = room_cost(t, &x->row);
    const uint64_t old_cost = x->is_there ? room_cost(t, &x->old.row) : 0;
    err = cost_of_members(t, c, x, &cost);
    if (err != STORE_OK || c->result != RESULT_OK)
        return err;
    if (cost > old_cost)
        c->result = directory_verdict(t, who, cost - old_cost);
    if (c->result != RESULT_OK)
        return STORE_OK;
    a->made = !x->is_there;
    err = store_members(t, c, who, x);
    return err == STORE_OK ? room_store(t, who, &x->row) : err;
}

static enum store_err room_put_apply(struct transaction *t, struct command *c)
{
    const struct room_put *a = c->args;
    struct room_change x = {.json = BUFFER_INIT};
    struct token *who;

    if (what_is_wrong(a) != NULL) {
        c->result = RESULT_INVALID;
        return STORE_OK;
    }
    enum store_err err = key_command_tenant(t, c, a->tenant, &who);
    if (err != STORE_OK || who == NULL)
        return err;
    err = change_room(t, c, who, &x);
    room_copy_release(&x.old);
    buffer_release(&x.json);
    return err;
}

static const char *room_put_check(struct command *c,
                                  const struct config *config)
{
    (void)config;
    return what_is_wrong(c->args);
}

static void room_put_answer(const struct command *c, struct json_writer *w)
{
    const struct room_put *a = c->args;

    json_member_string(w, "tenant", a->tenant);
    json_member_string(w, "room", a->room);
    json_member_bool(w, "made", a->made);
}

#define AT(member) offsetof(struct room_put, member)
static const struct command_field fields[] = {
    {"tenant", FIELD_TOKEN, FIELD_REQUIRED, AT(tenant), 0, TOKEN_MAX,
     "tenant: 1 to 64 of A-Z a-z 0-9 _ - expected"},
    {"room", FIELD_TEXT, FIELD_REQUIRED, AT(room), 0, ROOM_ID_MAX,
     "room: 1 to 128 bytes that can be printed, without / + #"},
    {"condition", FIELD_U32, FIELD_OPTIONAL, AT(condition), 0, PUT_PRESENT,
     "condition: 1: there is none, 2: there is one"},
    {"kind", FIELD_U32, FIELD_OPTIONAL, AT(kind), 0, ROOM_KIND_COUNT - 1,
     "kind: a number of store/people.h"},
    {"settings", FIELD_TEXT, FIELD_OPTIONAL, AT(settings), 0, PEOPLE_JSON_MAX,
     "settings: a JSON object of at most 16384 bytes"},
    {"merge", FIELD_YES, FIELD_OPTIONAL, AT(merge), 0, 1, "merge: 1"},
    {"creator", FIELD_TEXT, FIELD_OPTIONAL, AT(creator), 0, USER_ID_MAX,
     "creator: a user id"},
    {"members", FIELD_FILTERS, FIELD_OPTIONAL, AT(members), AT(member_count),
     ROOM_PUT_MEMBERS_MAX, "members: at most 256 user ids"},
    {"role", FIELD_TEXT, FIELD_OPTIONAL, AT(role), 0, ROOM_ROLE_MAX,
     "role: at most 32 bytes"},
    {"creator_role", FIELD_TEXT, FIELD_OPTIONAL, AT(creator_role), 0,
     ROOM_ROLE_MAX, "creator_role: at most 32 bytes"},
    {"make_users", FIELD_YES, FIELD_OPTIONAL, AT(make_users), 0, 1,
     "make_users: 1"},
    COMMON_NOW,
};

const struct command_type room_put_command = {
    .name = "room_put",
    .args_size = sizeof(struct room_put),
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .for_administrators = true,
    .check = room_put_check,
    .decide = people_decide,
    .apply = room_put_apply,
    .answer = room_put_answer,
};
