#include "cli/tenant_row.h"

#include <string.h>

#include "base/iso_time.h"
#include "base/plan_limits.h"
#include "store/directory.h"

const char *tenant_state(const struct token_row *row)
{
    return row->revoked_us != 0     ? "revoked"
           : row->suspended_us != 0 ? "suspended"
           : row->implied           ? "open"
                                    : "valid";
}

struct usage {
    uint64_t bytes, bytes_max, session_bytes, session_bytes_max; /* max 0: - */
};

static struct usage usage_of(const struct config *config,
                             struct store_reader *r,
                             const struct token_row *row)
{
    static const struct plan unknown;
    const struct plan *base = config_plan(config, row->plan);
    struct plan own;
    const struct plan *plan =
        plan_with_limits(base == NULL ? &unknown : base, row->limits, &own);
    struct usage_row used = {0}; /* one that holds nothing has no row */

    (void)store_usage(r, row->token, &used);
    return (struct usage){
        .bytes = used.bytes,
        .bytes_max = plan->bytes_max,
        .session_bytes = used.session_bytes,
        .session_bytes_max = plan->session_bytes_max,
    };
}

static enum store_err count_keys(struct store_reader *r, struct slice tenant,
                                 uint64_t *ret_count)
{
    struct key_row key;
    struct slice after = {0};
    enum store_err err;

    *ret_count = 0;
    while ((err = store_key_next(r, tenant, after, &key)) == STORE_OK) {
        after = key.hash;
        ++*ret_count;
    }
    return err == STORE_NOTFOUND ? STORE_OK : err;
}

static const char *kind_of(const struct token_row *row)
{
    return row->named ? "tenant" : "token";
}

/* ---- a line of text */

static void put_held(struct buffer *line, uint64_t held, uint64_t most)
{
    buffer_put_char(line, '\t');
    buffer_put_u64(line, held);
    buffer_put_char(line, '\t');
    if (most == 0)
        buffer_put_char(line, '-');
    else
        buffer_put_u64(line, most);
}

void tenant_put_usage(struct buffer *line, const struct config *config,
                      struct store_reader *r, const struct token_row *row)
{
    const struct usage u = usage_of(config, r, row);

    put_held(line, u.bytes, u.bytes_max);
    put_held(line, u.session_bytes, u.session_bytes_max);
}

enum store_err tenant_put_row(struct buffer *line, const struct config *config,
                              struct store_reader *r,
                              const struct token_row *row)
{
    uint64_t keys;
    const enum store_err err = count_keys(r, row->token, &keys);

    buffer_put_slice(line, row->token);
    buffer_put_char(line, '\t');
    buffer_put_str(line, kind_of(row));
    buffer_put_char(line, '\t');
    buffer_put_slice(line, row->plan);
    buffer_put_char(line, '\t');
    buffer_put_time(line, row->created_us, 3);
    buffer_put_char(line, '\t');
    buffer_put_str(line, tenant_state(row));
    tenant_put_usage(line, config, r, row);
    buffer_put_char(line, '\t');
    buffer_put_u64(line, keys);
    if (row->limits.len > 0) {
        buffer_put_char(line, '\t');
        buffer_put_slice(line, row->limits);
    }
    buffer_put_char(line, '\n');
    return err;
}

/* ---- JSON */

static void write_most(struct json_writer *w, uint64_t most)
{
    if (most == 0)
        json_null(w);
    else
        json_u64(w, most);
}

static void write_own(void *arg, const char *key, uint64_t value, bool own)
{
    if (!own)
        return;
    json_name_literal(arg, key, strlen(key));
    json_u64(arg, value);
}

static void write_own_limits(struct json_writer *w, struct slice limits)
{
    struct plan own = {0};

    plan_limits_read(limits, &own);
    json_member_object(w, "limits");
    plan_limits_each(&own, write_own, w);
    json_object_end(w);
}

enum store_err tenant_write_row(struct json_writer *w,
                                const struct config *config,
                                struct store_reader *r,
                                const struct token_row *row)
{
    const struct usage u = usage_of(config, r, row);
    uint64_t keys;
    const enum store_err err = count_keys(r, row->token, &keys);

    json_member_string(w, "name", row->token);
    json_member_text(w, "kind", kind_of(row));
    json_member_string(w, "plan", row->plan);
    json_member_time(w, "created", row->created_us);
    json_member_text(w, "state", tenant_state(row));
    json_member_u64(w, "bytes", u.bytes);
    json_name(w, "bytes_max");
    write_most(w, u.bytes_max);
    json_member_u64(w, "session_bytes", u.session_bytes);
    json_name(w, "session_bytes_max");
    write_most(w, u.session_bytes_max);
    json_member_u64(w, "keys", keys);
    if (row->limits.len > 0)
        write_own_limits(w, row->limits);
    return err;
}
