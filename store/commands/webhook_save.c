#include <string.h>

#include "store/command/webhook.h"
#include "store/commands/commands.h"
#include "store/commands/key_command.h"
#include "store/write/account.h"
#include "store/write/webhook_write.h"

#define TOPIC_BYTES_MAX (TOKEN_MAX + 1 + THING_MAX)

static bool well_formed(const struct webhook_save *a)
{
    if (a->behind_topic_count != a->behind_id_count)
        return false;
    for (size_t i = 0; i < a->behind_topic_count; i++)
        if (a->behind_topics[i].len > TOPIC_BYTES_MAX)
            return false;
    return true;
}

/* Also where the tenant's webhook was set by a version that stored no position. */
static enum store_err has_url(struct transaction *t, struct slice tenant,
                              bool *ret_has)
{
    struct tenant_settings s;
    MDB_val key = {tenant.len, (void *)tenant.data}, row;

    *ret_has = false;
    const int rc = mdb_get(t->txn, t->e->db.tenants, &key, &row);
    if (rc != 0)
        return rc == MDB_NOTFOUND ? STORE_OK : store_from_mdb(rc);
    *ret_has = schema_get_settings(row, &s) &&
               tenant_setting(&s, "webhook.url").len > 0;
    return STORE_OK;
}

static void move(struct webhook_row *w, const struct webhook_save *a)
{
    if (a->id != 0) {
        w->id = a->id;
        w->behind_count = a->behind_topic_count;
        for (size_t i = 0; i < w->behind_count; i++)
            w->behind[i] =
                (struct webhook_behind){a->behind_topics[i], a->behind_ids[i]};
    }
    if (a->tried_us != 0) {
        w->tried_us = a->tried_us;
        w->status = a->status;
        w->text = a->text;
    }
    w->forgotten += a->forgotten;
}

static struct webhook_dead_row dead_row(const struct webhook_save *a)
{
    return (struct webhook_dead_row){
        .topic = a->dead_topic,
        .id = a->dead_id,
        .at_us = a->dead_at_us,
        .attempts = a->dead_attempts,
        .status = a->dead_status,
        .text = a->dead_text,
    };
}

/* What a client caused when its messages were accepted: not refused for what the tenant
 * holds, only where the store has no room. Both rows at most. */
static uint64_t most_bytes(const struct webhook_save *a)
{
    uint64_t bytes = account_row_cost(a->tenant.len + 9, 512) +
                     account_row_cost(a->tenant.len, 128) + a->text.len +
                     a->dead_topic.len + a->dead_text.len;

    for (size_t i = 0; i < a->behind_topic_count; i++)
        bytes += a->behind_topics[i].len + 16;
    return bytes;
}

static enum store_err save(struct transaction *t, struct token *who,
                           struct webhook_row *w, const struct webhook_save *a)
{
    enum store_err err = STORE_OK;

    move(w, a);
    if (a->delivered_id != 0)
        err = webhook_remove_dead(t, who, w, a->delivered_id);
    if (err == STORE_OK && a->dead_id != 0) {
        const struct webhook_dead_row d = dead_row(a);
        err = webhook_add_dead(t, who, w, &d);
    }
    return err == STORE_OK ? webhook_put(t, who, w) : err;
}

static enum store_err load_or_begin(struct transaction *t, struct slice tenant,
                                    struct webhook_copy *ret_copy)
{
    const enum store_err err = webhook_load(t, tenant, ret_copy);

    if (err != STORE_NOTFOUND && err != STORE_CORRUPT)
        return err;
    ret_copy->row = (struct webhook_row){.tenant = tenant,
                                         .id = t->head,
                                         .text = slice_of("", 0)};
    return STORE_OK;
}

static enum store_err webhook_save_apply(struct transaction *t,
                                         struct command *c)
{
    const struct webhook_save *a = c->args;
    struct webhook_copy copy = {.bytes = NULL};
    struct token *who;
    bool has;

    if (!well_formed(a)) {
        c->result = RESULT_INVALID;
        return STORE_OK;
    }
    enum store_err err = key_command_tenant(t, c, a->tenant, &who);
    if (err != STORE_OK || who == NULL)
        return err;
    err = has_url(t, a->tenant, &has);
    if (err != STORE_OK)
        return err;
    c->result =
        has ? account_upkeep_verdict(t, most_bytes(a)) : RESULT_NOT_FOUND;
    if (c->result != RESULT_OK)
        return STORE_OK;
    err = load_or_begin(t, a->tenant, &copy);
    if (err == STORE_OK)
        err = save(t, who, &copy.row, a);
    webhook_copy_release(&copy);
    return err;
}

static void webhook_save_decide(struct transaction *t, const struct command *c)
{
    admission_measure_upkeep(t, most_bytes(c->args));
}

#define AT(field) offsetof(struct webhook_save, field)
static const struct command_field fields[] = {
    {"tenant", FIELD_TOKEN, FIELD_REQUIRED, AT(tenant), 0, TOKEN_MAX,
     "tenant: 1 to 64 of A-Z a-z 0-9 _ - expected"},
    {"id", FIELD_U64, FIELD_OPTIONAL, AT(id), 0, UINT64_MAX, "id: a number"},
    {"behind_topics", FIELD_FILTERS, FIELD_OPTIONAL, AT(behind_topics),
     AT(behind_topic_count), WEBHOOK_BEHIND_MAX, "behind_topics: texts"},
    {"behind_ids", FIELD_IDS, FIELD_OPTIONAL, AT(behind_ids),
     AT(behind_id_count), WEBHOOK_BEHIND_MAX, "behind_ids: numbers"},
    {"tried", FIELD_TIME, FIELD_OPTIONAL, AT(tried_us), 0, INT64_MAX,
     "tried: microseconds since 1970"},
    {"status", FIELD_U32, FIELD_OPTIONAL, AT(status), 0, 999,
     "status: of HTTP"},
    {"text", FIELD_TEXT, FIELD_OPTIONAL, AT(text), 0, WEBHOOK_TEXT_MAX,
     "text: up to 256 bytes"},
    {"dead_id", FIELD_U64, FIELD_OPTIONAL, AT(dead_id), 0, UINT64_MAX,
     "dead_id: a number"},
    {"dead_topic", FIELD_TEXT, FIELD_OPTIONAL, AT(dead_topic), 0,
     TOPIC_BYTES_MAX, "dead_topic: a topic"},
    {"dead_text", FIELD_TEXT, FIELD_OPTIONAL, AT(dead_text), 0,
     WEBHOOK_TEXT_MAX, "dead_text: up to 256 bytes"},
    {"dead_at", FIELD_TIME, FIELD_OPTIONAL, AT(dead_at_us), 0, INT64_MAX,
     "dead_at: microseconds since 1970"},
    {"dead_attempts", FIELD_U32, FIELD_OPTIONAL, AT(dead_attempts), 0,
     UINT32_MAX, "dead_attempts: a number"},
    {"dead_status", FIELD_U32, FIELD_OPTIONAL, AT(dead_status), 0, 999,
     "dead_status: of HTTP"},
    {"delivered_id", FIELD_U64, FIELD_OPTIONAL, AT(delivered_id), 0,
     UINT64_MAX, "delivered_id: a number"},
    {"forgotten", FIELD_U64, FIELD_OPTIONAL, AT(forgotten), 0, UINT32_MAX,
     "forgotten: a number"},
};

const struct command_type webhook_save_command = {
    .name = "webhook_save",
    .args_size = sizeof(struct webhook_save),
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .for_administrators = true,
    .decide = webhook_save_decide,
    .apply = webhook_save_apply,
};
