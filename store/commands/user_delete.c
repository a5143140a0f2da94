#include "store/commands/commands.h"
#include "store/commands/people_command.h"
#include "store/write/erase.h"

/* The row first, so that the user joins nothing any more; then memberships, in steps. */
static enum store_err user_delete_apply(struct transaction *t,
                                        struct command *c)
{
    const struct user_delete *a = c->args;
    char text[PEOPLE_ERASE_NAME_MAX];
    struct user_row row;
    struct token *who;
    bool is_there, is_waiting;

    if (people_tenant_wrong(a->tenant) != NULL ||
        people_user_wrong(a->user) != NULL) {
        c->result = RESULT_INVALID;
        return STORE_OK;
    }
    enum store_err err = token_command_look_up(t, c, a->tenant, &who);
    if (err != STORE_OK || who == NULL)
        return err;
    const struct slice name = user_erase_name(a->tenant, a->user, text);
    err = people_found(c, user_load(t, a->tenant, a->user, &row), &is_there);
    if (err == STORE_OK && c->result == RESULT_OK)
        err = erase_is_waiting(t, name, &is_waiting);
    if (err != STORE_OK || c->result != RESULT_OK)
        return err;
    if (!is_there && !is_waiting) {
        c->result = RESULT_NOT_FOUND;
        return STORE_OK;
    }
    if (is_there)
        err = user_remove(t, who, &row);
    return err == STORE_OK ? erase_begin_or_go_on(t, c, name, t->head) : err;
}

static void user_delete_decide(struct transaction *t, const struct command *c)
{
    (void)c;
    admission_measure_deletions(t);
}

static void user_delete_answer(const struct command *c, struct json_writer *w)
{
    const struct user_delete *a = c->args;

    json_member_string(w, "user", a->user);
    json_member_bool(w, "more", c->more);
}

static const struct command_field fields[] = {
    {"tenant", FIELD_TOKEN, FIELD_REQUIRED,
     offsetof(struct user_delete, tenant), 0, TOKEN_MAX,
     "tenant: 1 to 64 of A-Z a-z 0-9 _ - expected"},
    {"user", FIELD_TEXT, FIELD_REQUIRED, offsetof(struct user_delete, user), 0,
     USER_ID_MAX, "user: 1 to 128 bytes that can be printed"},
};

const struct command_type user_delete_command = {
    .name = "user_delete",
    .args_size = sizeof(struct user_delete),
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .for_administrators = true,
    .decide = user_delete_decide,
    .apply = user_delete_apply,
    .answer = user_delete_answer,
};
