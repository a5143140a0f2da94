#include "store/commands/token_command.h"

#include "base/plan_limits.h"
#include "base/reserved_name.h"
#include "base/tenant_setting.h"

enum store_err token_command_look_up(struct transaction *t, struct command *c,
                                     struct slice name,
                                     struct token **ret_token)
{
    *ret_token = NULL;
    if (!token_valid(name) || c->operation.len > OPERATION_MAX) {
        c->result = RESULT_INVALID;
        return STORE_OK;
    }
    const enum store_err err = transaction_token(t, name, ret_token);
    if (err != STORE_CORRUPT)
        return err;
    *ret_token = NULL;
    return transaction_row_damaged(c);
}

/* The rest of the row, which the cache does not keep, is read again. */
enum store_err token_command_rewrite(struct transaction *t,
                                     struct token *token,
                                     const struct token_change *change)
{
    MDB_val k = {token->name_len, token->name}, v;
    char plan[CONFIG_NAME_MAX], limits[PLAN_LIMITS_TEXT_MAX];
    struct token_row row;

    const int rc = mdb_get(t->txn, t->e->db.tokens, &k, &v);
    if (rc != 0)
        return store_from_mdb(rc);
    if (!schema_get_token(k, v, &row) || row.plan.len > sizeof(plan) ||
        row.limits.len > sizeof(limits))
        return STORE_CORRUPT;
    /* Copied: the put may move what the row borrows from. */
    memcpy(plan, row.plan.data, row.plan.len);
    row.plan = slice_of(plan, row.plan.len);
    if (row.limits.len > 0)
        memcpy(limits, row.limits.data, row.limits.len);
    row.limits = slice_of(limits, row.limits.len);
    row.token = slice_of(token->name, token->name_len);
    if (change->revoked_us != 0)
        row.revoked_us = change->revoked_us;
    if (change->suspended_us != 0)
        row.suspended_us = change->suspended_us < 0 ? 0 : change->suspended_us;
    if (change->plan.len > 0)
        row.plan = change->plan;
    if (change->has_limits)
        row.limits = change->limits;
    return token_put(&t->tokens, t->e, t->txn, &t->row, token, &row);
}

bool token_command_limits(const struct plan *own, const struct slice *set,
                          size_t set_count, struct buffer *ret_text,
                          bool *ret_any)
{
    struct slice name, value, key;
    struct plan limits = {0};

    *ret_any = false;
    if (own != NULL)
        limits = *own;
    for (size_t i = 0; i < set_count; i++) {
        if (!tenant_setting_split(set[i], &name, &value) ||
            !plan_limit_name(name, &key))
            continue;
        *ret_any = true;
        if (!plan_limits_set(&limits, key, value))
            return false;
    }
    plan_limits_put(ret_text, &limits);
    return true;
}

static enum command_result create_verdict(struct transaction *t,
                                          const struct token *token,
                                          struct slice plan, bool named)
{
    /* Revoked ones too: names are not given twice. One that came into being in
     * open mode is created now, and keeps what is stored under it; but a tenant
     * does not take over what strangers have published under its name. */
    if (token->exists && (!token->implied || token->revoked_us != 0 || named))
        return RESULT_EXISTS;
    if (settings_plan(&t->settings, plan) == NULL)
        return RESULT_INVALID;
    return t->in.room == 0 ? RESULT_FULL : (enum command_result)t->in.paused;
}

enum store_err token_command_create(struct transaction *t, struct command *c,
                                    struct slice name, struct slice plan,
                                    struct slice limits, bool named)
{
    struct token *token;
    bool known;

    enum store_err err = token_command_look_up(t, c, name, &token);
    if (err != STORE_OK || token == NULL)
        return err;
    err = operation_find(t, c, &known);
    if (err != STORE_OK || known)
        return err;
    const struct token_row row = {
        .token = name,
        .plan = plan.len > 0 ? plan : slice_str(t->settings.default_plan),
        .created_us = c->now_us != 0 ? c->now_us : t->in.now_us,
        .since_id = token->exists ? token->since_id : t->head,
        .named = named,
        .limits = limits,
    };
    c->result = create_verdict(t, token, row.plan, named);
    if (c->result != RESULT_OK)
        return STORE_OK;
    err = token_put(&t->tokens, t->e, t->txn, &t->row, token, &row);
    return err == STORE_OK ? operation_remember(t, c) : err;
}

const char *token_command_check_plan(struct slice plan,
                                     const struct config *config)
{
    return config_plan(config, plan) != NULL ? NULL
                                             : "plan: there is no such plan";
}

const char *token_command_check_new(struct slice name, struct slice plan,
                                    const struct config *config)
{
    return name_is_reserved(name) ? NAME_RESERVED_TEXT
                                  : token_command_check_plan(plan, config);
}
