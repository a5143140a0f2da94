/* The row of settings is read, changed and written whole: it has few. What a value
 * may be was checked by whoever took the command (base/tenant_setting.h); here only
 * bounds are, so that a log with settings of another version can be applied. */
#include <stdlib.h>
#include <string.h>

#include "base/plan_limits.h"
#include "base/tenant_setting.h"
#include "base/vocabulary.h"
#include "store/command/tenant.h"
#include "store/commands/commands.h"
#include "store/commands/key_command.h"
#include "store/commands/token_command.h"
#include "store/write/account.h"
#include "store/write/offer_event.h"
#include "store/write/webhook_write.h"

/* ---- checking ------------------------------------------------------------------ */

static bool well_formed(const struct tenant_set *a)
{
    struct slice name, value;

    for (size_t i = 0; i < a->set_count; i++)
        if (!tenant_setting_split(a->set[i], &name, &value) || name.len == 0 ||
            name.len > TENANT_SETTING_NAME_MAX ||
            value.len > TENANT_SETTING_MAX)
            return false;
    return true;
}

static const char *tenant_set_check(struct command *c,
                                    const struct config *config)
{
    const struct tenant_set *a = c->args;
    struct slice name, value, key;

    if (a->plan.len > 0 && config_plan(config, a->plan) == NULL)
        return "plan: there is no such plan";
    for (size_t i = 0; i < a->set_count; i++) {
        if (!tenant_setting_split(a->set[i], &name, &value))
            return "set: name=value expected";
        const bool is_limit = plan_limit_name(name, &key);
        const enum tenant_setting s = tenant_setting_of_name(name);
        if (!is_limit && s == TENANT_SETTING_COUNT)
            return "set: there is no setting of that name";
        const char *wrong = is_limit ? plan_limit_wrong(key, value)
                                     : tenant_setting_wrong(s, value);
        if (wrong != NULL)
            return wrong;
    }
    return NULL;
}

/* ---- changing ------------------------------------------------------------------ */

static int compare(struct slice a, struct slice b)
{
    const int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* The position of a name, or where it belongs. */
static size_t find(const struct tenant_settings *s, struct slice name,
                   bool *ret_is_there)
{
    size_t i = 0;
    int order = 1;

    for (; i < s->count; i++) {
        order = compare(s->list[i].name, name);
        if (order >= 0)
            break;
    }
    *ret_is_there = i < s->count && order == 0;
    return i;
}

static bool set_one(struct tenant_settings *s, struct slice name,
                    struct slice value)
{
    bool is_there;
    const size_t i = find(s, name, &is_there);
    const size_t behind = s->count - i;

    if (value.len == 0) {
        if (is_there) {
            memmove(&s->list[i], &s->list[i + 1],
                    (behind - 1) * sizeof(s->list[0]));
            s->count--;
        }
        return true;
    }
    if (!is_there) {
        if (s->count == TENANT_SETTINGS_MAX)
            return false;
        memmove(&s->list[i + 1], &s->list[i], behind * sizeof(s->list[0]));
        s->count++;
    }
    s->list[i].name = name;
    s->list[i].value = value;
    return true;
}

static size_t size_of(const struct tenant_settings *s)
{
    size_t size = 0;

    for (size_t i = 0; i < s->count; i++)
        size += s->list[i].name.len + s->list[i].value.len;
    return size;
}

static bool mentions(const struct tenant_set *a, const char *setting)
{
    struct slice name, value;

    for (size_t i = 0; i < a->set_count; i++)
        if (tenant_setting_split(a->set[i], &name, &value) &&
            slice_eq(name, slice_str(setting)))
            return true;
    return false;
}

/* While a webhook's secret is being changed both sign: the former one becomes
 * `webhook.secret_old`, until that is unset. */
static bool keep_former_secret(struct tenant_settings *s, struct slice former,
                               const struct tenant_set *a)
{
    const struct slice secret = tenant_setting(s, "webhook.secret");

    return secret.len == 0 || former.len == 0 || slice_eq(secret, former) ||
           mentions(a, "webhook.secret_old") ||
           set_one(s, slice_str("webhook.secret_old"), former);
}

static bool set_all(struct tenant_settings *s, const struct tenant_set *a)
{
    const struct slice former = tenant_setting(s, "webhook.secret");
    struct slice name, value, key;

    for (size_t i = 0; i < a->set_count; i++)
        if (!tenant_setting_split(a->set[i], &name, &value) ||
            (!plan_limit_name(name, &key) && !set_one(s, name, value)))
            return false;
    return keep_former_secret(s, former, a) &&
           size_of(s) <= TENANT_SETTINGS_BYTES_MAX;
}

static bool has_webhook(const struct tenant_settings *s)
{
    return tenant_setting(s, "webhook.url").len > 0;
}

/* The new row in t->row; it borrows from the old one until it is encoded. */
static enum store_err encode(struct transaction *t, struct command *c,
                             struct slice tenant, struct tenant_settings *s,
                             bool *ret_had_webhook)
{
    MDB_val key = {tenant.len, (void *)tenant.data}, row;

    const int rc = mdb_get(t->txn, t->e->db.tenants, &key, &row);
    s->count = 0;
    if (rc != 0 && rc != MDB_NOTFOUND)
        return store_from_mdb(rc);
    if (rc == 0 && !schema_get_settings(row, s))
        return transaction_row_damaged(c);
    *ret_had_webhook = has_webhook(s);
    if (!set_all(s, c->args)) {
        c->result = RESULT_TOO_LARGE;
        return STORE_OK;
    }
    buffer_clear(&t->row);
    schema_put_settings(&t->row, s);
    return STORE_OK;
}

static enum store_err write_row(struct transaction *t, struct command *c,
                                struct token *who, MDB_val key, bool is_empty)
{
    if (is_empty)
        return account_delete(t, who, ACCOUNT_MESSAGES, t->e->db.tenants, key,
                              NULL);
    c->result =
        directory_verdict(t, who, account_row_cost(key.mv_size, t->row.len));
    return c->result == RESULT_OK
               ? account_put(t, who, ACCOUNT_MESSAGES, t->e->db.tenants, key)
               : STORE_OK;
}

/* A webhook begins here, with the messages after this command, and not where the
 * bridge happens to learn of it. */
static enum store_err begin_or_end_webhook(struct transaction *t,
                                           struct token *who,
                                           struct slice tenant, bool had,
                                           bool has)
{
    if (had == has)
        return STORE_OK;
    return has ? webhook_begin(t, who, tenant) : webhook_erase(t, who, tenant);
}

static enum store_err change_settings(struct transaction *t, struct command *c,
                                      struct token *who)
{
    const struct tenant_set *a = c->args;
    const MDB_val key = {a->tenant.len, (void *)a->tenant.data};
    struct tenant_settings s;
    bool had_webhook = false;

    enum store_err err = encode(t, c, a->tenant, &s, &had_webhook);
    if (err != STORE_OK || c->result != RESULT_OK)
        return err;
    const bool has = has_webhook(&s); /* before its values move */
    err = write_row(t, c, who, key, s.count == 0);
    if (err != STORE_OK || c->result != RESULT_OK)
        return err;
    err = begin_or_end_webhook(t, who, a->tenant, had_webhook, has);
    return err == STORE_OK
               ? offer_event(t, a->tenant, EVENT_CHANGED, slice_of("", 0))
               : err;
}

/* The row of settings first: it may be refused. `limits`: what is set has some. */
static enum store_err change_tenant(struct transaction *t, struct command *c,
                                    struct token *who, bool has_limits,
                                    struct slice limits)
{
    const struct tenant_set *a = c->args;
    enum store_err err = STORE_OK;

    if (a->set_count > 0)
        err = change_settings(t, c, who);
    if (err != STORE_OK || c->result != RESULT_OK ||
        (a->plan.len == 0 && !has_limits))
        return err;
    return token_command_rewrite(t, who,
                                 &(struct token_change){
                                     .plan = a->plan,
                                     .has_limits = has_limits,
                                     .limits = limits,
                                 });
}

static enum store_err tenant_set_apply(struct transaction *t,
                                       struct command *c)
{
    const struct tenant_set *a = c->args;
    struct token *who;

    if (!well_formed(a)) {
        c->result = RESULT_INVALID;
        return STORE_OK;
    }
    enum store_err err = key_command_tenant(t, c, a->tenant, &who);
    if (err != STORE_OK || who == NULL)
        return err;
    if (a->plan.len > 0 && settings_plan(&t->settings, a->plan) == NULL) {
        c->result = RESULT_INVALID;
        return STORE_OK;
    }
    struct buffer limits = BUFFER_INIT;
    bool any;
    if (!token_command_limits(who->own, a->set, a->set_count, &limits, &any))
        c->result = RESULT_INVALID;
    else if (!buffer_ok(&limits))
        err = STORE_NOMEM;
    else
        err = change_tenant(t, c, who, any, buffer_slice(&limits));
    buffer_release(&limits);
    return err;
}

static void tenant_set_decide(struct transaction *t, const struct command *c)
{
    (void)c;
    admission_measure_room(t, 0);
}

static void tenant_set_answer(const struct command *c, struct json_writer *w)
{
    const struct tenant_set *a = c->args;

    json_member_string(w, "tenant", a->tenant);
}

static const struct command_field fields[] = {
    {"tenant", FIELD_TOKEN, FIELD_REQUIRED,
     offsetof(struct tenant_set, tenant), 0, TOKEN_MAX,
     "tenant: 1 to 64 of A-Z a-z 0-9 _ - expected"},
    {"plan", FIELD_TEXT, FIELD_OPTIONAL, offsetof(struct tenant_set, plan), 0,
     CONFIG_NAME_MAX, "plan: there is no such plan"},
    {"set", FIELD_FILTERS, FIELD_OPTIONAL, offsetof(struct tenant_set, set),
     offsetof(struct tenant_set, set_count), TENANT_SETTINGS_MAX,
     "set: at most 32 texts like name=value"},
};

const struct command_type tenant_set_command = {
    .name = "tenant_set",
    .args_size = sizeof(struct tenant_set),
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .for_administrators = true,
    .check = tenant_set_check,
    .decide = tenant_set_decide,
    .apply = tenant_set_apply,
    .answer = tenant_set_answer,
};
