#include "base/tenant_setting.h"

#include <string.h>

#include "base/jwt_key.h"

enum form { URL, SECRET, JWT_SECRET, JWT_PUBLIC, NAMES, YES_NO, ORIGINS };

static const struct {
    const char *name, *text;
    bool is_secret;
    enum form form;
} settings[] = {
#define X(id, name, secret, form, text) {name, text, secret, form},
    TENANT_SETTINGS_LIST(X)
#undef X
};

const char *tenant_setting_name(enum tenant_setting s)
{
    return settings[s].name;
}

const char *tenant_setting_text(enum tenant_setting s)
{
    return settings[s].text;
}

bool tenant_setting_is_secret(enum tenant_setting s)
{
    return s == TENANT_SETTING_COUNT || settings[s].is_secret;
}

enum tenant_setting tenant_setting_of_name(struct slice name)
{
    unsigned s = 0;

    while (s < TENANT_SETTING_COUNT &&
           !slice_eq(name, slice_str(settings[s].name)))
        s++;
    return (enum tenant_setting)s;
}

/* ---- forms -------------------------------------------------------------------- */

static bool begins_with(struct slice s, const char *prefix)
{
    const size_t len = strlen(prefix);

    return s.len > len && memcmp(s.data, prefix, len) == 0;
}

/* Neither blanks nor what would end a header or a line of a log. */
static bool is_visible_ascii(struct slice s)
{
    const unsigned char *p = s.data;

    for (size_t i = 0; i < s.len; i++)
        if (p[i] <= ' ' || p[i] >= 0x7f)
            return false;
    return true;
}

static const char *wrong_url(struct slice value)
{
    if (!begins_with(value, "https://") && !begins_with(value, "http://"))
        return "must begin with https:// or http://";
    if (value.len > 2048 || !is_visible_ascii(value))
        return "must be at most 2,048 visible characters of ASCII";
    return memchr(value.data, '@', value.len) != NULL
               ? "must not contain a user name or password"
               : NULL;
}

static const char *wrong_secret(struct slice value)
{
    return value.len < 16 || value.len > 256
               ? "must have 16 to 256 bytes; make one with: openssl rand "
                 "-base64 32"
               : NULL;
}

static const char *wrong_jwt_key(struct slice value,
                                 enum jwt_key_error (*make)(struct slice,
                                                            struct jwt_key **))
{
    struct jwt_key *key = NULL;

    const enum jwt_key_error err = make(value, &key);
    jwt_key_free(key);
    return err == JWT_KEY_OK ? NULL : jwt_key_error_text(err);
}

/* `https://a.example`, as in the Origin header (RFC 6454 §6.1): no path. */
static bool is_origin(struct slice s)
{
    const char *text = s.data;
    size_t scheme = begins_with(s, "https://")  ? 8
                    : begins_with(s, "http://") ? 7
                                                : 0;

    return scheme > 0 && is_visible_ascii(s) &&
           memchr(text + scheme, '/', s.len - scheme) == NULL;
}

static const char *wrong_origins(struct slice value)
{
    const char *at = value.data, *end = at + value.len;

    if (slice_eq(value, slice_str("*")))
        return NULL;
    while (at < end) {
        const char *blank = memchr(at, ' ', (size_t)(end - at));
        const char *stop = blank == NULL ? end : blank;
        if (stop > at && !is_origin(slice_of(at, (size_t)(stop - at))))
            return "must be * or origins like https://app.example.org";
        at = stop + 1;
    }
    return NULL;
}

/* As `aud` is: a URI or any other text (RFC 7519 §4.1.3). */
static const char *wrong_names(struct slice value)
{
    const unsigned char *p = value.data;

    for (size_t i = 0; i < value.len; i++)
        if (p[i] < ' ' || p[i] >= 0x7f)
            return "must be names of visible ASCII, separated by blanks";
    return slice_trim(value).len > 0 ? NULL : "must have a name";
}

static const char *wrong_yes_no(struct slice value)
{
    return slice_eq(value, slice_str("yes")) ||
                   slice_eq(value, slice_str("no"))
               ? NULL
               : "must be yes or no";
}

const char *tenant_setting_wrong(enum tenant_setting s, struct slice value)
{
    if (value.len == 0)
        return NULL;
    if (value.len > TENANT_SETTING_MAX)
        return "must have at most 4,096 bytes";
    switch (settings[s].form) {
    case URL: return wrong_url(value);
    case SECRET: return wrong_secret(value);
    case JWT_SECRET: return wrong_jwt_key(value, jwt_key_new_secret);
    case JWT_PUBLIC: return wrong_jwt_key(value, jwt_key_new_public);
    case NAMES: return wrong_names(value);
    case YES_NO: return wrong_yes_no(value);
    case ORIGINS: return wrong_origins(value);
    }
    return NULL;
}

bool tenant_setting_split(struct slice text, struct slice *ret_name,
                          struct slice *ret_value)
{
    const char *begin = text.data;
    const char *equals = text.len > 0 ? memchr(begin, '=', text.len) : NULL;

    if (equals == NULL)
        return false;
    *ret_name = slice_of(begin, (size_t)(equals - begin));
    *ret_value = slice_of(equals + 1, text.len - ret_name->len - 1);
    return true;
}
