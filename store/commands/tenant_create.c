#include "store/command/tenant.h"
#include "store/commands/commands.h"
#include "store/commands/token_command.h"

static enum store_err tenant_create_apply(struct transaction *t,
                                          struct command *c)
{
    const struct tenant_create *a = c->args;

    return token_command_create(t, c, a->tenant, a->plan, true);
}

static void tenant_create_decide(struct transaction *t,
                                 const struct command *c)
{
    (void)c;
    admission_measure_room(t, 0);
}

static const char *tenant_create_check(struct command *c,
                                       const struct config *config)
{
    struct tenant_create *a = c->args;

    if (a->plan.len == 0)
        a->plan = slice_str(config_newest(config)->tokens_operator_plan);
    return token_command_check_new(a->tenant, a->plan, config);
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
