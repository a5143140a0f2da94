#include "store/commands/commands.h"
#include "store/commands/people_command.h"
#include "store/commands/thing_purge.h"
#include "store/write/erase.h"

/* Its messages up to now; what comes behind stays, as with thing_purge. */
static enum store_err purge_messages(struct transaction *t, struct command *c,
                                     const struct room_delete *a)
{
    char text[ROOM_TOPIC_MAX];
    struct thing *thing;

    const struct slice topic =
        slice_of(text, room_topic(a->tenant, a->room, text));
    const enum store_err err = transaction_thing(t, topic, &thing);
    if (err != STORE_OK || thing->state.row.last_seq == 0)
        return err;
    return thing_purge_in_steps(t, c, topic);
}

/* The row first, so that nobody joins any more; then members and messages, in steps. */
static enum store_err remove_rest(struct transaction *t, struct command *c,
                                  const struct room_delete *a,
                                  struct slice name)
{
    enum store_err err = erase_begin_or_go_on(t, c, name, t->head);
    const bool more = c->more;

    if (err == STORE_OK)
        err = purge_messages(t, c, a);
    c->more |= more;
    return err;
}

static enum store_err room_delete_apply(struct transaction *t,
                                        struct command *c)
{
    const struct room_delete *a = c->args;
    char text[PEOPLE_ERASE_NAME_MAX];
    bool is_there, is_waiting;
    struct room_copy room;
    struct token *who;

    if (people_tenant_wrong(a->tenant) != NULL ||
        people_room_wrong(a->room) != NULL) {
        c->result = RESULT_INVALID;
        return STORE_OK;
    }
    enum store_err err = token_command_look_up(t, c, a->tenant, &who);
    if (err != STORE_OK || who == NULL)
        return err;
    const struct slice name = room_erase_name(a->tenant, a->room, text);
    err = people_found(c, room_load(t, a->tenant, a->room, &room), &is_there);
    room_copy_release(&room);
    if (err == STORE_OK && c->result == RESULT_OK)
        err = erase_is_waiting(t, name, &is_waiting);
    if (err != STORE_OK || c->result != RESULT_OK)
        return err;
    if (!is_there && !is_waiting) {
        c->result = RESULT_NOT_FOUND;
        return STORE_OK;
    }
    if (is_there)
        err = room_remove(t, who, a->tenant, a->room);
    return err == STORE_OK ? remove_rest(t, c, a, name) : err;
}

static void room_delete_decide(struct transaction *t, const struct command *c)
{
    (void)c;
    admission_measure_deletions(t);
    admission_measure_room(t, PURGE_ENTRY_SPACE);
}

static void room_delete_answer(const struct command *c, struct json_writer *w)
{
    const struct room_delete *a = c->args;

    json_member_string(w, "room", a->room);
    json_member_u64(w, "removed", c->removed);
    json_member_bool(w, "more", c->more);
}

static const struct command_field fields[] = {
    {"tenant", FIELD_TOKEN, FIELD_REQUIRED,
     offsetof(struct room_delete, tenant), 0, TOKEN_MAX,
     "tenant: 1 to 64 of A-Z a-z 0-9 _ - expected"},
    {"room", FIELD_TEXT, FIELD_REQUIRED, offsetof(struct room_delete, room), 0,
     ROOM_ID_MAX, "room: 1 to 128 bytes that can be printed, without / + #"},
};

const struct command_type room_delete_command = {
    .name = "room_delete",
    .args_size = sizeof(struct room_delete),
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .for_administrators = true,
    .decide = room_delete_decide,
    .apply = room_delete_apply,
    .answer = room_delete_answer,
};
