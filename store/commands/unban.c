#include "store/commands/ban_command.h"
#include "store/commands/commands.h"

/* Also of a room that is gone, and of a damaged row. */
static enum store_err unban_apply(struct transaction *t, struct command *c)
{
    const struct unban *a = c->args;
    struct ban_row row;
    struct token *who;

    if (ban_command_wrong(a->tenant, a->room, a->who) != NULL) {
        c->result = RESULT_INVALID;
        return STORE_OK;
    }
    enum store_err err = token_command_look_up(t, c, a->tenant, &who);
    if (err != STORE_OK || who == NULL)
        return err;
    err = ban_load(t, a->tenant, a->room, a->who, &row);
    if (err == STORE_NOTFOUND) {
        c->result = RESULT_NOT_FOUND;
        return STORE_OK;
    }
    if (err != STORE_OK && err != STORE_CORRUPT)
        return err;
    return ban_remove(t, who, a->tenant, a->room, a->who);
}

static void unban_answer(const struct command *c, struct json_writer *w)
{
    const struct unban *a = c->args;

    json_member_string(w, "room", a->room);
    json_member_string(w, "who", a->who);
}

static const struct command_field fields[] = {
    {"tenant", FIELD_TOKEN, FIELD_REQUIRED, offsetof(struct unban, tenant), 0,
     TOKEN_MAX, "tenant: 1 to 64 of A-Z a-z 0-9 _ - expected"},
    {"room", FIELD_TEXT, FIELD_OPTIONAL, offsetof(struct unban, room), 0,
     ROOM_ID_MAX, "room: up to 128 bytes that can be printed, without / + #"},
    {"who", FIELD_TEXT, FIELD_REQUIRED, offsetof(struct unban, who), 0,
     USER_ID_MAX, BAN_WHO_TEXT},
};

const struct command_type unban_command = {
    .name = "unban",
    .args_size = sizeof(struct unban),
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .for_administrators = true,
    .apply = unban_apply,
    .answer = unban_answer,
};
