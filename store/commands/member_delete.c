#include "store/commands/commands.h"
#include "store/commands/people_command.h"

static enum store_err remove_member(struct transaction *t, struct command *c,
                                    struct token *who, struct room_copy *room)
{
    const struct member_delete *a = c->args;
    bool was;

    enum store_err err =
        member_remove(t, who, a->tenant, a->room, a->user, &was);
    if (err != STORE_OK)
        return err;
    if (!was) {
        c->result = RESULT_NOT_FOUND;
        return STORE_OK;
    }
    room->row.members -= room->row.members > 0;
    return room_store(t, who, &room->row);
}

static enum store_err member_delete_apply(struct transaction *t,
                                          struct command *c)
{
    const struct member_delete *a = c->args;
    struct room_copy room;
    struct token *who;
    bool is_room;

    if (people_tenant_wrong(a->tenant) != NULL ||
        people_room_wrong(a->room) != NULL ||
        people_user_wrong(a->user) != NULL) {
        c->result = RESULT_INVALID;
        return STORE_OK;
    }
    enum store_err err = token_command_look_up(t, c, a->tenant, &who);
    if (err != STORE_OK || who == NULL)
        return err;
    err = people_found(c, room_load(t, a->tenant, a->room, &room), &is_room);
    if (err != STORE_OK || c->result != RESULT_OK)
        return err;
    if (!is_room) {
        c->result = RESULT_NOT_FOUND;
        return STORE_OK;
    }
    err = remove_member(t, c, who, &room);
    room_copy_release(&room);
    return err;
}

static void member_delete_answer(const struct command *c,
                                 struct json_writer *w)
{
    const struct member_delete *a = c->args;

    json_member_string(w, "room", a->room);
    json_member_string(w, "user", a->user);
}

static const struct command_field fields[] = {
    {"tenant", FIELD_TOKEN, FIELD_REQUIRED,
     offsetof(struct member_delete, tenant), 0, TOKEN_MAX,
     "tenant: 1 to 64 of A-Z a-z 0-9 _ - expected"},
    {"room", FIELD_TEXT, FIELD_REQUIRED, offsetof(struct member_delete, room),
     0, ROOM_ID_MAX,
     "room: 1 to 128 bytes that can be printed, without / + #"},
    {"user", FIELD_TEXT, FIELD_REQUIRED, offsetof(struct member_delete, user),
     0, USER_ID_MAX, "user: 1 to 128 bytes that can be printed"},
};

const struct command_type member_delete_command = {
    .name = "member_delete",
    .args_size = sizeof(struct member_delete),
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .for_administrators = true,
    .apply = member_delete_apply,
    .answer = member_delete_answer,
};
