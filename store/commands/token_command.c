#include "store/commands/token_command.h"

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

/* With the time of its end or another plan. The rest of the row, which the
 * cache does not keep, is read again. */
enum store_err token_command_rewrite(struct transaction *t,
                                     struct token *token, int64_t revoked_us,
                                     struct slice new_plan)
{
    MDB_val k = {token->name_len, token->name}, v;
    char plan[CONFIG_NAME_MAX];
    struct token_row row;

    const int rc = mdb_get(t->txn, t->e->db.tokens, &k, &v);
    if (rc != 0)
        return store_from_mdb(rc);
    if (!schema_get_token(k, v, &row) || row.plan.len > sizeof(plan))
        return STORE_CORRUPT;
    /* Copied: the put may move what the row borrows from. */
    memcpy(plan, row.plan.data, row.plan.len);
    row.plan = slice_of(plan, row.plan.len);
    row.token = slice_of(token->name, token->name_len);
    if (revoked_us != 0)
        row.revoked_us = revoked_us;
    if (new_plan.len > 0)
        row.plan = new_plan;
    return token_put(&t->tokens, t->e, t->txn, &t->row, token, &row);
}

const char *token_command_check_plan(struct slice plan,
                                     const struct config *config)
{
    return config_plan(config, plan) != NULL ? NULL
                                             : "plan: there is no such plan";
}
