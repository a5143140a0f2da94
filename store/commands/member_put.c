#include "store/commands/commands.h"
#include "store/commands/people_command.h"
#include "store/write/account.h"

static const char *what_is_wrong(const struct member_put *a)
{
    const char *wrong = people_tenant_wrong(a->tenant);

    if (wrong == NULL)
        wrong = people_room_wrong(a->room);
    if (wrong == NULL)
        wrong = a->make_user ? people_new_user_wrong(a->user)
                             : people_user_wrong(a->user);
    if (wrong == NULL && a->condition > PUT_PRESENT)
        return "condition: 0 to 2 expected";
    return wrong != NULL ? wrong : people_role_wrong(a->role);
}

struct member_change {
    struct room_copy room;
    struct member_row row;
    struct user_row user;
    bool is_there, is_new_user;
    uint64_t last_seq;
    uint64_t old_cost;
    char role[ROOM_ROLE_MAX];
};

static enum store_err look(struct transaction *t, struct command *c,
                           struct member_change *x)
{
    const struct member_put *a = c->args;
    bool is_room;

    enum store_err err =
        people_found(c, room_load(t, a->tenant, a->room, &x->room), &is_room);
    if (err == STORE_OK && !is_room && c->result == RESULT_OK)
        c->result = RESULT_NOT_FOUND;
    if (err != STORE_OK || c->result != RESULT_OK)
        return err;
    err = people_member_user(t, c, a->tenant, a->user, a->make_user,
                             &x->is_new_user);
    if (err != STORE_OK || c->result != RESULT_OK)
        return err;
    err = people_found(c, member_load(t, a->tenant, a->room, a->user, &x->row),
                       &x->is_there);
    if (err != STORE_OK || c->result != RESULT_OK ||
        !people_condition_holds(c, a->condition, x->is_there))
        return err;
    return people_last_seq(t, c, a->tenant, a->room, &x->last_seq);
}

static uint64_t raised(uint64_t from, uint64_t to, uint64_t most)
{
    if (to > most)
        to = most;
    return to > from ? to : from;
}

static void make_row(struct transaction *t, const struct command *c,
                     struct member_change *x)
{
    const struct member_put *a = c->args;
    struct slice role = a->role.len > 0 ? a->role : slice_str(ROLE_DEFAULT);

    if (x->is_there) {
        x->old_cost = member_cost(t, &x->row);
        x->row.acked_seq = raised(x->row.acked_seq, a->acked_seq, x->last_seq);
        x->row.read_seq = raised(x->row.read_seq, a->read_seq, x->last_seq);
        if (a->role.len == 0)
            role = x->row.role;
    } else {
        x->row = (struct member_row){.joined_us = people_now_us(t, c),
                                     .acked_seq = x->last_seq,
                                     .read_seq = x->last_seq};
    }
    /* Copied: the row of before moves when others are written. */
    if (role.len > sizeof(x->role))
        role.len = sizeof(x->role);
    memcpy(x->role, role.data, role.len);
    x->row.tenant = a->tenant;
    x->row.room = a->room;
    x->row.user = a->user;
    x->row.role = slice_of(x->role, role.len);
    x->user = people_new_user(t, c, a->tenant, a->user);
}

static enum store_err change_member(struct transaction *t, struct command *c,
                                    struct token *who, struct member_change *x)
{
    struct member_put *a = c->args;

    enum store_err err = look(t, c, x);
    if (err != STORE_OK || c->result != RESULT_OK)
        return err;
    make_row(t, c, x);
    uint64_t cost = member_cost(t, &x->row);
    if (x->is_new_user)
        cost += user_cost(t, &x->user);
    if (cost > x->old_cost)
        c->result = directory_verdict(t, who, cost - x->old_cost);
    if (c->result != RESULT_OK)
        return STORE_OK;
    a->made = !x->is_there;
    if (x->is_new_user)
        err = user_store(t, who, &x->user, slice_of("", 0));
    if (err == STORE_OK)
        err = member_store(t, who, &x->row, &x->room.row);
    return err == STORE_OK && a->made ? room_store(t, who, &x->room.row) : err;
}

static enum store_err member_put_apply(struct transaction *t,
                                       struct command *c)
{
    const struct member_put *a = c->args;
    struct member_change x = {.old_cost = 0};
    struct token *who;

    if (what_is_wrong(a) != NULL) {
        c->result = RESULT_INVALID;
        return STORE_OK;
    }
    enum store_err err = key_command_tenant(t, c, a->tenant, &who);
    if (err != STORE_OK || who == NULL)
        return err;
    err = change_member(t, c, who, &x);
    room_copy_release(&x.room);
    return err;
}

static const char *member_put_check(struct command *c,
                                    const struct config *config)
{
    (void)config;
    return what_is_wrong(c->args);
}

static void member_put_answer(const struct command *c, struct json_writer *w)
{
    const struct member_put *a = c->args;

    json_member_string(w, "room", a->room);
    json_member_string(w, "user", a->user);
    json_member_bool(w, "made", a->made);
}

#define AT(member) offsetof(struct member_put, member)
static const struct command_field fields[] = {
    {"tenant", FIELD_TOKEN, FIELD_REQUIRED, AT(tenant), 0, TOKEN_MAX,
     "tenant: 1 to 64 of A-Z a-z 0-9 _ - expected"},
    {"room", FIELD_TEXT, FIELD_REQUIRED, AT(room), 0, ROOM_ID_MAX,
     "room: 1 to 128 bytes that can be printed, without / + #"},
    {"user", FIELD_TEXT, FIELD_REQUIRED, AT(user), 0, USER_ID_MAX,
     "user: 1 to 128 bytes that can be printed"},
    {"condition", FIELD_U32, FIELD_OPTIONAL, AT(condition), 0, PUT_PRESENT,
     "condition: 1: there is none, 2: there is one"},
    {"role", FIELD_TEXT, FIELD_OPTIONAL, AT(role), 0, ROOM_ROLE_MAX,
     "role: at most 32 bytes"},
    {"acked", FIELD_U64, FIELD_OPTIONAL, AT(acked_seq), 0, UINT64_MAX,
     "acked: a seq"},
    {"read", FIELD_U64, FIELD_OPTIONAL, AT(read_seq), 0, UINT64_MAX,
     "read: a seq"},
    {"make_user", FIELD_YES, FIELD_OPTIONAL, AT(make_user), 0, 1,
     "make_user: 1"},
    COMMON_NOW,
};

const struct command_type member_put_command = {
    .name = "member_put",
    .args_size = sizeof(struct member_put),
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .for_administrators = true,
    .check = member_put_check,
    .decide = people_decide,
    .apply = member_put_apply,
    .answer = member_put_answer,
};
