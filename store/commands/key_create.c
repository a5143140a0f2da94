#include "store/command/key.h"

#include "base/mount.h"
#include "base/utf8.h"
#include "store/commands/commands.h"
#include "store/commands/key_command.h"
#include "store/write/limits.h"

static bool is_text(struct slice s, size_t max)
{
    return s.len <= max && utf8_valid_without_nul(s.data, s.len) &&
           !utf8_has_disallowed(s.data, s.len);
}

/* NULL: it is in order, else what is not. */
static const char *wrong_rights(const struct key_create *a)
{
    struct rights_draft draft;

    rights_draft_clear(&draft);
    for (size_t i = 0; i < a->right_count; i++) {
        const enum right_error err = rights_add_text(&draft, a->rights[i]);
        if (err != RIGHT_OK)
            return right_error_text(err);
    }
    return NULL;
}

static const char *what_is_wrong(const struct key_create *a)
{
    unsigned char begin[KEY_ID_HASH_BYTES];

    if (!token_valid(a->tenant))
        return "tenant: 1 to 64 of A-Z a-z 0-9 _ - expected";
    if (a->hash.len != SECRET_HASH_BYTES)
        return "hash: 32 bytes expected";
    if (a->kind >= SECRET_KIND_COUNT)
        return "kind: there is no such kind of key";
    if (!is_text(a->label, KEY_LABEL_MAX))
        return "label: at most 128 bytes that can be printed";
    if (utf8_has_invisible(a->label.data, a->label.len))
        return "label" INVISIBLE_TEXT;
    if (a->mount.len > 0 && !a->mounted)
        return "mount: without mounted";
    if (a->mounted && !mount_valid(a->mount))
        return "mount: levels of a topic expected, as in home/kitchen";
    if (a->user.len > 0 && !user_id_valid(a->user))
        return "user: at most 128 bytes that can be printed";
    /* A ticket's is that of the key it was made with. */
    if (a->kind != SECRET_TICKET &&
        utf8_has_invisible(a->user.data, a->user.len))
        return "user" INVISIBLE_TEXT;
    if (a->parent.len > 0 && !key_id_parse(a->parent, begin))
        return "parent: a key id expected";
    if (a->kind == SECRET_TICKET && a->expires_us == 0)
        return "expires: a ticket has an end";
    if (a->until_us != 0 && a->kind != SECRET_TICKET)
        return "until: only of a ticket";
    return wrong_rights(a);
}

static enum command_result verdict(const struct transaction *t,
                                   const struct key_create *a)
{
    if (a->plan.len > 0 && settings_plan(&t->settings, a->plan) == NULL)
        return RESULT_INVALID;
    return RESULT_OK;
}

static void make_row(const struct transaction *t, const struct command *c,
                     struct key_row *k)
{
    const struct key_create *a = c->args;

    *k = (struct key_row){
        .hash = a->hash,
        .tenant = a->tenant,
        .kind = (enum secret_kind)a->kind,
        .label = a->label,
        .right_count = a->right_count,
        .mounted = a->mounted,
        .mount = a->mount,
        .user = a->user,
        .plan = a->plan,
        .parent = a->parent,
        .created_us = c->now_us != 0 ? c->now_us : t->in.now_us,
        .expires_us = a->expires_us,
        .until_us = a->until_us,
    };
    for (size_t i = 0; i < a->right_count; i++)
        k->rights[i] = a->rights[i];
}

static bool is_over_limit(const struct transaction *t, struct command *c,
                          const struct token *who)
{
    const struct key_create *a = c->args;

    if (!a->charged || writes_left(who->plan, &who->usage, t->in.now_us) > 0)
        return false;
    c->result = RESULT_RATE;
    c->retry_after_s = window_ends_in_s(&who->usage, t->in.now_us);
    return true;
}

static enum store_err add_charged(struct transaction *t, struct command *c,
                                  struct token *who)
{
    const struct key_create *a = c->args;
    struct key_row row;

    if (is_over_limit(t, c, who))
        return STORE_OK;
    make_row(t, c, &row);
    const enum store_err err = key_command_add(t, c, who, &row);
    if (err == STORE_OK && c->result == RESULT_OK && a->charged)
        count_write(&who->usage, t->in.now_us, 0);
    return err;
}

static enum store_err key_create_apply(struct transaction *t,
                                       struct command *c)
{
    const struct key_create *a = c->args;
    struct token *who;
    bool is_new;

    if (what_is_wrong(a) != NULL) {
        c->result = RESULT_INVALID;
        return STORE_OK;
    }
    enum store_err err = key_command_tenant(t, c, a->tenant, &who);
    if (err != STORE_OK || who == NULL)
        return err;
    c->result = verdict(t, a);
    if (c->result != RESULT_OK)
        return STORE_OK;
    err = key_command_is_new(t, c, a->tenant, a->hash, &is_new);
    return err == STORE_OK && is_new ? add_charged(t, c, who) : err;
}

static void key_create_decide(struct transaction *t, const struct command *c)
{
    (void)c;
    admission_measure_room(t, 0);
}

static const char *key_create_check(struct command *c,
                                    const struct config *config)
{
    const struct key_create *a = c->args;

    if (a->plan.len > 0 && config_plan(config, a->plan) == NULL)
        return "plan: there is no such plan";
    return what_is_wrong(a);
}

static void key_create_answer(const struct command *c, struct json_writer *w)
{
    const struct key_create *a = c->args;
    char id[KEY_ID_SIZE];

    key_id_make(a->hash.data, id);
    json_member_string(w, "tenant", a->tenant);
    json_member_string(w, "key", slice_str(id));
}

#define AT(member) offsetof(struct key_create, member)
static const struct command_field fields[] = {
    {"tenant", FIELD_TOKEN, FIELD_REQUIRED, AT(tenant), 0, TOKEN_MAX,
     "tenant: 1 to 64 of A-Z a-z 0-9 _ - expected"},
    {"hash", FIELD_BYTES, FIELD_REQUIRED, AT(hash), 0, SECRET_HASH_BYTES,
     "hash: BLAKE2b-256 of the secret, 32 bytes"},
    {"kind", FIELD_U32, FIELD_OPTIONAL, AT(kind), 0, SECRET_KIND_COUNT - 1,
     "kind: a number of base/secret.h"},
    {"label", FIELD_TEXT, FIELD_OPTIONAL, AT(label), 0, KEY_LABEL_MAX,
     "label: at most 128 bytes"},
    {"rights", FIELD_FILTERS, FIELD_OPTIONAL, AT(rights), AT(right_count),
     RIGHTS_MAX, "rights: at most 64 texts like `publish a/#`"},
    {"mounted", FIELD_YES, FIELD_OPTIONAL, AT(mounted), 0, 1, "mounted: 1"},
    {"mount", FIELD_TEXT, FIELD_OPTIONAL, AT(mount), 0, MOUNT_MAX,
     "mount: at most 128 bytes"},
    {"user", FIELD_TEXT, FIELD_OPTIONAL, AT(user), 0, USER_ID_MAX,
     "user: at most 128 bytes"},
    {"plan", FIELD_TEXT, FIELD_OPTIONAL, AT(plan), 0, CONFIG_NAME_MAX,
     "plan: there is no such plan"},
    {"parent", FIELD_TEXT, FIELD_OPTIONAL, AT(parent), 0, KEY_ID_SIZE - 1,
     "parent: a key id"},
    {"expires", FIELD_TIME, FIELD_OPTIONAL, AT(expires_us), 0, INT64_MAX,
     "expires: microseconds since 1970"},
    {"until", FIELD_TIME, FIELD_OPTIONAL, AT(until_us), 0, INT64_MAX,
     "until: microseconds since 1970"},
    {"charged", FIELD_YES, FIELD_OPTIONAL, AT(charged), 0, 1, "charged: 1"},
    COMMON_NOW,
};

const struct command_type key_create_command = {
    .name = "key_create",
    .args_size = sizeof(struct key_create),
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .for_administrators = true,
    .check = key_create_check,
    .decide = key_create_decide,
    .apply = key_create_apply,
    .answer = key_create_answer,
};
