#include "store/commands/commands.h"
#include "store/commands/people_command.h"
#include "store/write/account.h"
#include "store/write/erase.h"

static bool is_hash(struct slice password)
{
    return password.len == 0 ||
           (password.len <= PASSWORD_HASH_MAX && user_id_valid(password));
}

static const char *what_is_wrong(const struct user_put *a)
{
    const char *wrong = people_tenant_wrong(a->tenant);

    if (wrong == NULL)
        wrong = a->condition == PUT_PRESENT ? people_user_wrong(a->user)
                                            : people_new_user_wrong(a->user);
    if (wrong == NULL && people_json_wrong(a->attributes, a->merge) != NULL)
        return "attributes: a JSON object of at most 16384 bytes expected; of "
               "at most 64 members to merge";
    if (wrong == NULL)
        wrong = people_name_wrong(a->name);
    if (wrong == NULL && !is_hash(a->password))
        return "password: a hash expected";
    if (wrong == NULL && a->condition > PUT_PRESENT)
        return "condition: 0 to 2 expected";
    return wrong;
}

/* What is there of a user, before and after. */
struct user_change {
    struct user_row old, row;
    bool is_there;
    struct buffer json;
};

/* Another user's name is not given. */
static enum store_err look_at_name(struct transaction *t, struct command *c,
                                   const struct user_put *a)
{
    struct slice owner;
    bool is_there;

    if (a->name.len == 0)
        return STORE_OK;
    const enum store_err err =
        people_found(c, user_name_load(t, a->tenant, a->name, &owner),
                     &is_there);
    if (err == STORE_OK && is_there && !slice_eq(owner, a->user))
        c->result = RESULT_EXISTS;
    return err;
}

static enum store_err look(struct transaction *t, struct command *c,
                           struct user_change *x)
{
    const struct user_put *a = c->args;
    char name[PEOPLE_ERASE_NAME_MAX];
    bool is_waiting;

    enum store_err err =
        erase_is_waiting(t, user_erase_name(a->tenant, a->user, name),
                         &is_waiting);
    if (err == STORE_OK && is_waiting)
        c->result = RESULT_EXISTS;
    if (err != STORE_OK || c->result != RESULT_OK)
        return err;
    err = people_found(c, user_load(t, a->tenant, a->user, &x->old),
                       &x->is_there);
    if (err != STORE_OK || c->result != RESULT_OK ||
        !people_condition_holds(c, a->condition, x->is_there))
        return err;
    return look_at_name(t, c, a);
}

static struct slice changed_text(struct slice old, struct slice given, bool no)
{
    if (no)
        return slice_of("", 0);
    return given.len > 0 ? given : old;
}

static enum store_err make_row(struct transaction *t, struct command *c,
                               struct user_change *x)
{
    const struct user_put *a = c->args;
    struct user_row *row = &x->row;

    if (!x->is_there)
        x->old = (struct user_row){.created_us = people_now_us(t, c)};
    *row = (struct user_row){
        .tenant = a->tenant,
        .user = a->user,
        .name = changed_text(x->old.name, a->name, a->no_name),
        .password = changed_text(x->old.password, a->password, a->no_password),
        .created_us = x->old.created_us,
        .changed_us = people_now_us(t, c),
    };
    return people_json(c, x->old.attributes, a->attributes, a->merge, &x->json,
                       &row->attributes);
}

static enum store_err change_user(struct transaction *t, struct command *c,
                                  struct token *who, struct user_change *x)
{
    struct user_put *a = c->args;

    enum store_err err = look(t, c, x);
    if (err == STORE_OK && c->result == RESULT_OK)
        err = make_row(t, c, x);
    if (err != STORE_OK || c->result != RESULT_OK)
        return err;
    const uint64_t cost = user_cost(t, &x->row);
    uint64_t old_cost = 0;
    if (x->is_there)
        old_cost = user_cost(t, &x->old);
    if (cost > old_cost)
        c->result = directory_verdict(t, who, cost - old_cost);
    if (c->result != RESULT_OK)
        return STORE_OK;
    a->made = !x->is_there;
    return user_store(t, who, &x->row, x->old.name);
}

static enum store_err user_put_apply(struct transaction *t, struct command *c)
{
    const struct user_put *a = c->args;
    struct user_change x = {.json = BUFFER_INIT};
    struct token *who;

    if (what_is_wrong(a) != NULL) {
        c->result = RESULT_INVALID;
        return STORE_OK;
    }
    enum store_err err = key_command_tenant(t, c, a->tenant, &who);
    if (err != STORE_OK || who == NULL)
        return err;
    err = change_user(t, c, who, &x);
    buffer_release(&x.json);
    return err;
}

static const char *user_put_check(struct command *c,
                                  const struct config *config)
{
    (void)config;
    return what_is_wrong(c->args);
}

static void user_put_answer(const struct command *c, struct json_writer *w)
{
    const struct user_put *a = c->args;

    json_member_string(w, "tenant", a->tenant);
    json_member_string(w, "user", a->user);
    json_member_bool(w, "made", a->made);
}

#define AT(member) offsetof(struct user_put, member)
static const struct command_field fields[] = {
    {"tenant", FIELD_TOKEN, FIELD_REQUIRED, AT(tenant), 0, TOKEN_MAX,
     "tenant: 1 to 64 of A-Z a-z 0-9 _ - expected"},
    {"user", FIELD_TEXT, FIELD_REQUIRED, AT(user), 0, USER_ID_MAX,
     "user: 1 to 128 bytes that can be printed"},
    {"condition", FIELD_U32, FIELD_OPTIONAL, AT(condition), 0, PUT_PRESENT,
     "condition: 1: there is none, 2: there is one"},
    {"attributes", FIELD_TEXT, FIELD_OPTIONAL, AT(attributes), 0,
     PEOPLE_JSON_MAX, "attributes: a JSON object of at most 16384 bytes"},
    {"merge", FIELD_YES, FIELD_OPTIONAL, AT(merge), 0, 1, "merge: 1"},
    {"name", FIELD_TEXT, FIELD_OPTIONAL, AT(name), 0, USER_ID_MAX,
     "name: at most 128 bytes that can be printed"},
    {"no_name", FIELD_YES, FIELD_OPTIONAL, AT(no_name), 0, 1, "no_name: 1"},
    {"password", FIELD_TEXT, FIELD_OPTIONAL, AT(password), 0,
     PASSWORD_HASH_MAX, "password: a hash"},
    {"no_password", FIELD_YES, FIELD_OPTIONAL, AT(no_password), 0, 1,
     "no_password: 1"},
    COMMON_NOW,
};

const struct command_type user_put_command = {
    .name = "user_put",
    .args_size = sizeof(struct user_put),
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .for_administrators = true,
    .check = user_put_check,
    .decide = people_decide,
    .apply = user_put_apply,
    .answer = user_put_answer,
};
