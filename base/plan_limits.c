#include "base/plan_limits.h"

#include <string.h>

#include "base/config_keys.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct limit {
    const char *key, *unit;
    size_t offset;
};

static const struct limit limits[] = {
#define X(k, unit, free_, home, paid, local, meaning)                         \
    {#k, unit, offsetof(struct plan, k)},
    CONFIG_PLAN_KEYS(X)
#undef X
};

/* What the server can do at most, whatever is set. A plan in the settings may have more,
 * which has always meant this; a limit of a tenant is refused instead. */
static const struct {
    const char *key;
    uint64_t least, most; /* least: unless it is 0 */
    const char *text;
} bounds[] = {
    {"payload_max", 0, UINT64_C(16) << 20,
     "limits.payload_max: at most 16M, which is the largest message of any "
     "tenant; 0 means that, too"},
    {"inflight", 0, 65535,
     "limits.inflight: at most 65535 (MQTT's Receive Maximum); 0: none is "
     "announced"},
    {"session_expiry", 0, UINT32_MAX,
     "limits.session_expiry: at most 4294967295 s (MQTT's Session Expiry "
     "Interval); 0: no limit"},
    {"filters_max", 0, 10000,
     "limits.filters_max: at most 10000, which is the most of any client; 0 "
     "means that, too"},
    {"client_id_max", 23, 65535,
     "limits.client_id_max: 23 to 65535; 0: no limit"},
};

/* The largest integer that JSON readers represent exactly, as in settings. */
#define NUMBER_MAX (UINT64_C(1) << 53)

static const char unknown_key[] =
    "limits: there is no limit of that name; confab check --help lists them: "
    "the keys of [plan:NAME]";

bool plan_limit_name(struct slice setting, struct slice *ret_key)
{
    const size_t len = strlen(PLAN_LIMITS_PREFIX);

    if (setting.len < len ||
        memcmp(setting.data, PLAN_LIMITS_PREFIX, len) != 0)
        return false;
    *ret_key = slice_of((const char *)setting.data + len, setting.len - len);
    return true;
}

static const struct limit *limit_of_key(struct slice key, unsigned *ret_index)
{
    for (unsigned i = 0; i < COUNT(limits); i++)
        if (slice_eq(key, slice_str(limits[i].key))) {
            *ret_index = i;
            return &limits[i];
        }
    return NULL;
}

static const char *wrong_quantity(const char *unit)
{
    if (strcmp(unit, "bytes") == 0)
        return "must be a whole number up to 2^53, 0 for no limit, or with "
               "K, M, G, T like 64G";
    if (strcmp(unit, "seconds") == 0)
        return "must be a whole number up to 2^53, 0 for none, or with s, m, "
               "h, d, w like 7d";
    if (strcmp(unit, "milliseconds") == 0)
        return "must be a whole number up to 2^53, 0 for none, or with ms, "
               "s, m, h like 3s";
    return "must be a whole number up to 2^53, 0 for no limit";
}

/* NULL: *ret_number, else what is wrong. */
static const char *read_value(const struct limit *l, struct slice value,
                              uint64_t *ret_number)
{
    char text[32];

    if (value.len >= sizeof(text))
        return wrong_quantity(l->unit);
    memcpy(text, value.data, value.len);
    text[value.len] = '\0';
    if (strlen(text) != value.len ||
        !config_quantity(text, l->unit, ret_number) ||
        *ret_number > NUMBER_MAX)
        return wrong_quantity(l->unit);
    for (size_t i = 0; i < COUNT(bounds); i++)
        if (strcmp(bounds[i].key, l->key) == 0 && *ret_number != 0 &&
            (*ret_number < bounds[i].least || *ret_number > bounds[i].most))
            return bounds[i].text;
    return NULL;
}

const char *plan_limit_wrong(struct slice key, struct slice value)
{
    unsigned index;
    uint64_t number;
    const struct limit *l = limit_of_key(key, &index);

    if (l == NULL)
        return unknown_key;
    return value.len == 0 ? NULL : read_value(l, value, &number);
}

bool plan_limits_set(struct plan *p, struct slice key, struct slice value)
{
    unsigned index;
    uint64_t number;
    const struct limit *l = limit_of_key(key, &index);

    if (l == NULL)
        return false;
    if (value.len == 0) {
        p->own &= ~(UINT64_C(1) << index);
        return true;
    }
    if (read_value(l, value, &number) != NULL)
        return false;
    memcpy((char *)p + l->offset, &number, sizeof(number));
    p->own |= UINT64_C(1) << index;
    return true;
}

void plan_limits_read(struct slice text, struct plan *ret)
{
    const char *at = text.data, *end = at + text.len;

    while (at < end) {
        const char *blank = memchr(at, ' ', (size_t)(end - at));
        const char *stop = blank == NULL ? end : blank;
        const char *equals = memchr(at, '=', (size_t)(stop - at));
        if (equals != NULL)
            (void)plan_limits_set(ret, slice_of(at, (size_t)(equals - at)),
                                  slice_of(equals + 1,
                                           (size_t)(stop - equals - 1)));
        at = stop + 1;
    }
}

static uint64_t value_of(const struct plan *p, const struct limit *l)
{
    uint64_t value;

    memcpy(&value, (const char *)p + l->offset, sizeof(value));
    return value;
}

static bool is_own(const struct plan *p, unsigned index)
{
    return (p->own >> index & 1) != 0;
}

void plan_limits_put(struct buffer *b, const struct plan *p)
{
    const char *blank = "";

    for (unsigned i = 0; i < COUNT(limits); i++) {
        if (!is_own(p, i))
            continue;
        buffer_put_str(b, blank);
        buffer_put_str(b, limits[i].key);
        buffer_put_char(b, '=');
        buffer_put_u64(b, value_of(p, &limits[i]));
        blank = " ";
    }
}

const struct plan *plan_with_limits(const struct plan *base, struct slice text,
                                    struct plan *ret_own)
{
    if (text.len == 0)
        return base;
    *ret_own = *base;
    plan_limits_read(text, ret_own);
    return ret_own->own != 0 ? ret_own : base;
}

void plan_limits_move(struct plan *own, const struct plan *base)
{
    const struct plan before = *own;

    *own = *base;
    own->own = before.own;
    for (unsigned i = 0; i < COUNT(limits); i++)
        if (is_own(&before, i))
            memcpy((char *)own + limits[i].offset,
                   (const char *)&before + limits[i].offset, sizeof(uint64_t));
}

const struct plan *config_plan_of(const struct config *c, struct slice name,
                                  struct slice text, struct plan *ret_own)
{
    return plan_with_limits(config_plan_or_default(c, name), text, ret_own);
}

void plan_limits_each(const struct plan *p,
                      void (*tell)(void *arg, const char *key, uint64_t value,
                                   bool own),
                      void *arg)
{
    for (unsigned i = 0; i < COUNT(limits); i++)
        tell(arg, limits[i].key, value_of(p, &limits[i]), is_own(p, i));
}
