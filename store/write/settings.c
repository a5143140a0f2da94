#include "store/write/settings.h"

#include "base/msgpack/pack.h"
#include "base/msgpack/unpack.h"
#include "store/format/schema.h"

#define X(key) +1
enum { PLAN_ELEMENTS = 1 SETTINGS_PLAN_KEYS(X) };
#undef X
#define ROW_ELEMENTS 4

void settings_of_config(struct settings *ret, const struct config *config)
{
    const struct config *newest = config_newest(config);

    memset(ret, 0, sizeof(*ret));
    ret->open = config->tokens_access == ACCESS_OPEN;
    memcpy(ret->default_plan, newest->tokens_default_plan,
           sizeof(ret->default_plan));
    for (size_t i = 0; i < newest->plan_count; i++) {
        const struct plan *from = &newest->plans[i];
        struct plan *to = &ret->plans[ret->plan_count++];
        memcpy(to->name, from->name, sizeof(to->name));
#define X(key) to->key = from->key;
        SETTINGS_PLAN_KEYS(X)
#undef X
    }
}

void settings_put(struct buffer *b, const struct settings *s)
{
    msgpack_packer p = packer_of(b);

    msgpack_pack_array(&p, ROW_ELEMENTS);
    msgpack_pack_uint8(&p, SCHEMA_VERSION);
    msgpack_pack_uint8(&p, s->open);
    pack_str(&p, slice_str(s->default_plan));
    msgpack_pack_array(&p, s->plan_count);
    for (size_t i = 0; i < s->plan_count; i++) {
        msgpack_pack_array(&p, PLAN_ELEMENTS);
        pack_str(&p, slice_str(s->plans[i].name));
#define X(key) msgpack_pack_uint64(&p, s->plans[i].key);
        SETTINGS_PLAN_KEYS(X)
#undef X
    }
}

bool settings_same_plans(const struct settings *s, const struct config *newest)
{
    bool same = s->plan_count == newest->plan_count &&
                strcmp(s->default_plan, newest->tokens_default_plan) == 0;

    for (size_t i = 0; same && i < s->plan_count; i++) {
        const struct plan *a = &s->plans[i], *b = &newest->plans[i];
        same = strcmp(a->name, b->name) == 0;
#define X(key) same = same && a->key == b->key;
        SETTINGS_PLAN_KEYS(X)
#undef X
    }
    return same;
}

static void get_name(struct unpack *u, char ret[CONFIG_NAME_MAX])
{
    const struct slice name = unpack_str(u);

    if (u->failed || name.len == 0 || name.len >= CONFIG_NAME_MAX) {
        u->failed = true;
        return;
    }
    memcpy(ret, name.data, name.len);
    ret[name.len] = '\0';
}

bool settings_get(struct slice row, struct settings *ret)
{
    struct unpack u = unpack_of(row.data, row.len);

    memset(ret, 0, sizeof(*ret));
    if (unpack_array(&u) != ROW_ELEMENTS || unpack_uint(&u) != SCHEMA_VERSION)
        return false;
    ret->open = unpack_uint_max(&u, 1) == 1;
    get_name(&u, ret->default_plan);
    const uint32_t count = unpack_array(&u);
    if (u.failed || count > CONFIG_PLANS_MAX)
        return false;
    for (uint32_t i = 0; i < count && !u.failed; i++) {
        struct plan *plan = &ret->plans[i];
        if (unpack_array(&u) != PLAN_ELEMENTS)
            return false;
        get_name(&u, plan->name);
#define X(key) plan->key = unpack_uint(&u);
        SETTINGS_PLAN_KEYS(X)
#undef X
    }
    ret->plan_count = count;
    return !u.failed && u.at == u.end &&
           settings_plan(ret, slice_str(ret->default_plan)) != NULL;
}

const struct plan *settings_plan(const struct settings *s, struct slice name)
{
    for (size_t i = 0; i < s->plan_count; i++)
        if (slice_eq(slice_str(s->plans[i].name), name))
            return &s->plans[i];
    return NULL;
}
