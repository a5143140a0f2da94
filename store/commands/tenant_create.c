#include "store/command/tenant.h"

#include "base/plan_limits.h"
#include "base/tenant_setting.h"
#include "store/commands/commands.h"
#include "store/commands/token_command.h"

static enum store_err tenant_create_apply(struct transaction *t,
                                          struct command *c)
{
    const struct tenant_create *a = c->args;

    struct buffer limits = BUFFER_INIT;
    enum store_err err = STORE_OK;
    bool any;

    if (!token_command_limits(NULL, a->set, a->set_count, &limits, &any))
        c->result = RESULT_INVALID;
    else if (!buffer_ok(&limits))
        err = STORE_NOMEM;
    else
        err = token_command_create(t, c, a->tenant, a->plan,
                                   buffer_slice(&limits), true);
    buffer_release(&limits);
    return err;
}

static void tenant_create_decide(struct transaction *t,
                                 const struct command *c)
{
    (void)c;
    admission_measure_room(t, 0);
}

static const char *wrong_limits(const struct tenant_create *a)
{
    struct slice name, value, key;
    const char *wrong = NULL;

    for (size_t i = 0; wrong == NULL && i < a->set_count; i++)
        wrong = tenant_setting_split(a->set[i], &name, &value) &&
                        plan_limit_name(name, &key)
                    ? plan_limit_wrong(key, value)
                    : "set: limits.KEY=value expected; other settings are for "
                      "tenant_set";
    return wrong;
}

static const char *tenant_create_check(struct command *c,
                                       const struct config *config)
{
    struct tenant_create *a = c->args;

    if (a->plan.len == 0)
        a->plan = slice_str(config_newest(config)->tokens_operator_plan);
    const char *wrong = wrong_limits(a);
    return wrong != NULL ? wrong
                         : token_command_check_new(a->tenant, a->plan, config);
}

static void tenant_create_answer(const struct command *c,
                                 struct json_writer *w)
{
    const struct tenant_create *a = c->args;

    json_member_string(w, "tenant", a->tenant);
    json_member_string(w, "plan", a->plan);
}

static const struct command_field fields[] = {
    {"tenant", FIELD_TOKEN, FIELD_REQUIRED,
     offsetof(struct tenant_create, tenant), 0, TOKEN_MAX,
     "tenant: 1 to 64 of A-Z a-z 0-9 _ - expected"},
    {"plan", FIELD_TEXT, FIELD_OPTIONAL, offsetof(struct tenant_create, plan),
     0, CONFIG_NAME_MAX, "plan: there is no such plan"},
    {"set", FIELD_FILTERS, FIELD_OPTIONAL, offsetof(struct tenant_create, set),
     offsetof(struct tenant_create, set_count), TENANT_SETTINGS_MAX,
     "set: at most 32 texts like limits.bytes_max=1G"},
    COMMON_NOW,
    COMMON_OPERATION,
};

const struct command_type tenant_create_command = {
    .name = "tenant_create",
    .args_size = sizeof(struct tenant_create),
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .for_administrators = true,
    .check = tenant_create_check,
    .decide = tenant_create_decide,
    .apply = tenant_create_apply,
    .answer = tenant_create_answer,
};
