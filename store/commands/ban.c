#include "store/commands/ban_command.h"
#include "store/commands/commands.h"

#include "base/utf8.h"

const char *ban_command_wrong(struct slice tenant, struct slice room,
                              struct slice who)
{
    const char *wrong = people_tenant_wrong(tenant);

    if (wrong == NULL && room.len > 0)
        wrong = people_room_wrong(room);
    if (wrong == NULL && !ban_who_valid(who))
        return BAN_WHO_TEXT;
    return wrong;
}

static const char *what_is_wrong(const struct ban *a)
{
    const char *wrong = ban_command_wrong(a->tenant, a->room, a->who);

    if (wrong == NULL && a->until_us < 0)
        return "until: microseconds since 1970";
    if (wrong == NULL && a->by.len > 0)
        wrong = people_user_wrong(a->by);
    if (wrong == NULL && a->condition > PUT_PRESENT)
        return "condition: 0 to 2 expected";
    if (wrong == NULL && (a->why.len > BAN_REASON_MAX ||
                          !utf8_valid_without_nul(a->why.data, a->why.len)))
        return "why: at most 1024 bytes of UTF-8";
    return wrong;
}

/* A room's bans go with its row, so there must be one. */
static enum store_err look_for_room(struct transaction *t, struct command *c)
{
    const struct ban *a = c->args;
    struct room_copy room;
    bool is_there;

    if (a->room.len == 0)
        return STORE_OK;
    const enum store_err err =
        people_found(c, room_load(t, a->tenant, a->room, &room), &is_there);
    room_copy_release(&room);
    if (err == STORE_OK && c->result == RESULT_OK && !is_there)
        c->result = RESULT_NOT_FOUND;
    return err;
}

static enum store_err put_ban(struct transaction *t, struct command *c,
                              struct token *who)
{
    struct ban *a = c->args;
    struct ban_row old = {.until_us = 0};
    const struct ban_row row = {
        .tenant = a->tenant,
        .room = a->room,
        .who = a->who,
        .until_us = a->until_us,
        .made_us = people_now_us(t, c),
        .by = a->by,
        .why = a->why,
    };
    bool is_there;

    const enum store_err err =
        people_found(c, ban_load(t, a->tenant, a->room, a->who, &old),
                     &is_there);
    if (err != STORE_OK || c->result != RESULT_OK)
        return err;
    const bool holds = is_there && ban_holds(&old, t->in.now_us);
    if (!people_condition_holds(c, a->condition, holds))
        return STORE_OK;
    const int64_t old_until_us = is_there ? old.until_us : 0;
    const uint64_t before = is_there ? ban_cost(t, &old) : 0;
    const uint64_t cost = ban_cost(t, &row);
    if (cost > before)
        c->result = directory_verdict(t, who, cost - before);
    if (c->result != RESULT_OK)
        return STORE_OK;
    a->made = !holds;
    return ban_store(t, who, &row, old_until_us);
}

static enum store_err ban_apply(struct transaction *t, struct command *c)
{
    const struct ban *a = c->args;
    struct token *who;

    if (what_is_wrong(a) != NULL) {
        c->result = RESULT_INVALID;
        return STORE_OK;
    }
    enum store_err err = key_command_tenant(t, c, a->tenant, &who);
    if (err != STORE_OK || who == NULL)
        return err;
    err = look_for_room(t, c);
    return err == STORE_OK && c->result == RESULT_OK ? put_ban(t, c, who)
                                                     : err;
}

static const char *ban_check(struct command *c, const struct config *config)
{
    (void)config;
    return what_is_wrong(c->args);
}

static void ban_answer(const struct command *c, struct json_writer *w)
{
    const struct ban *a = c->args;

    json_member_string(w, "room", a->room);
    json_member_string(w, "who", a->who);
    json_member_bool(w, "made", a->made);
}

#define AT(member) offsetof(struct ban, member)
static const struct command_field fields[] = {
    {"tenant", FIELD_TOKEN, FIELD_REQUIRED, AT(tenant), 0, TOKEN_MAX,
     "tenant: 1 to 64 of A-Z a-z 0-9 _ - expected"},
    {"room", FIELD_TEXT, FIELD_OPTIONAL, AT(room), 0, ROOM_ID_MAX,
     "room: up to 128 bytes that can be printed, without / + #"},
    {"who", FIELD_TEXT, FIELD_REQUIRED, AT(who), 0, USER_ID_MAX, BAN_WHO_TEXT},
    {"until", FIELD_TIME, FIELD_OPTIONAL, AT(until_us), 0, INT64_MAX,
     "until: microseconds since 1970"},
    {"by", FIELD_TEXT, FIELD_OPTIONAL, AT(by), 0, USER_ID_MAX,
     "by: a user id"},
    {"why", FIELD_TEXT, FIELD_OPTIONAL, AT(why), 0, BAN_REASON_MAX,
     "why: at most 1024 bytes of UTF-8"},
    {"condition", FIELD_U32, FIELD_OPTIONAL, AT(condition), 0, PUT_PRESENT,
     "condition: 1: there is none, 2: there is one"},
    COMMON_NOW,
};

const struct command_type ban_command = {
    .name = "ban",
    .args_size = sizeof(struct ban),
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .for_administrators = true,
    .check = ban_check,
    .decide = people_decide,
    .apply = ban_apply,
    .answer = ban_answer,
};
