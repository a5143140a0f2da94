#include "base/jwt_claims.h"

#include <string.h>

#include "base/json.h"
#include "base/json_walk.h"
#include "base/utf8.h"

/* The last second of the year 9999. What is above is no time in seconds, but in
 * milliseconds. */
#define SECONDS_MAX UINT64_C(253402300799)

const char *jwt_claim_error_text(enum jwt_claim_error error)
{
    switch (error) {
#define X(name, text)                                                         \
    case JWT_CLAIM_##name: return text;
        JWT_CLAIM_ERRORS(X)
#undef X
    }
    return "unknown";
}

/* ---- objects ------------------------------------------------------------- */

struct names {
    struct buffer text;
    size_t ends[JWT_CLAIMS_MAX];
    size_t count;
};

static struct slice name_at(const struct names *n, size_t i)
{
    const size_t from = i == 0 ? 0 : n->ends[i - 1];

    return slice_of(n->text.data + from, n->ends[i] - from);
}

/* Adds one. false: it is there, or there are too many, or it is no text. */
static bool add_name(struct names *n, struct slice name)
{
    if (n->count == JWT_CLAIMS_MAX || !json_put_unescaped(&n->text, name) ||
        !buffer_ok(&n->text))
        return false;
    n->ends[n->count++] = n->text.len;
    for (size_t i = 0; i + 1 < n->count; i++)
        if (slice_eq(name_at(n, i), name_at(n, n->count - 1)))
            return false;
    return true;
}

/* object: JSON that begins with `{`. */
static bool names_differ(struct slice object)
{
    struct names names = {.text = BUFFER_INIT};
    struct slice name, value;
    bool differ = buffer_reserve(&names.text, 1);

    for (size_t at = 0;
         differ && json_next_member(object, &at, &name, &value);)
        differ = add_name(&names, name);
    buffer_release(&names.text);
    return differ;
}

bool jwt_object_valid(struct slice json)
{
    enum json_type type;

    return json_check(json.data, json.len, &type, NULL) &&
           type == JSON_OBJECT && names_differ(json_trim(json));
}

/* Writes what a string says, NUL-terminated. false: it is no string, empty, too
 * long, or has a NUL. */
static bool read_text(struct slice string, char *ret, size_t size)
{
    struct buffer b = {.limit = size - 1};
    const bool read = json_put_unescaped(&b, string) && buffer_ok(&b) &&
                      b.len > 0 && memchr(b.data, 0, b.len) == NULL;

    if (read) {
        memcpy(ret, b.data, b.len);
        ret[b.len] = '\0';
    }
    buffer_release(&b);
    return read;
}

/* ---- registered claims --------------------------------------------------- */

/* NumericDate (RFC 7519 §2): seconds, fractions allowed, which do not count. */
static enum jwt_claim_error read_time(struct slice value, int64_t *ret_us)
{
    const char *dot = memchr(value.data, '.', value.len);
    uint64_t seconds;

    if (dot != NULL) {
        const size_t whole = (size_t)(dot - (const char *)value.data);
        for (size_t i = whole + 1; i < value.len; i++)
            if (((const char *)value.data)[i] < '0' ||
                ((const char *)value.data)[i] > '9')
                return JWT_CLAIM_TIME;
        value.len = whole;
    }
    if (!json_read_u64(value, &seconds) || seconds > SECONDS_MAX)
        return JWT_CLAIM_TIME;
    *ret_us = (int64_t)seconds * 1000000;
    return JWT_CLAIM_OK;
}

static enum jwt_claim_error read_subject(struct slice value,
                                         struct jwt_claims *c)
{
    return read_text(value, c->subject, sizeof(c->subject)) &&
                   name_publishable(slice_str(c->subject)) &&
                   !utf8_has_invisible(c->subject, strlen(c->subject))
               ? JWT_CLAIM_OK
               : JWT_CLAIM_SUBJECT;
}

static bool is_string(struct slice value)
{
    return value.len > 0 && *(const char *)value.data == '"';
}

/* Whether `name` is one of the names in a list separated by blanks. */
static bool is_one_of(struct slice name, struct slice list)
{
    const char *at = list.data, *end = at + list.len;

    while (at < end) {
        const char *blank = memchr(at, ' ', (size_t)(end - at));
        const char *stop = blank == NULL ? end : blank;
        if (stop > at && slice_eq(name, slice_of(at, (size_t)(stop - at))))
            return true;
        at = stop + 1;
    }
    return false;
}

static bool is_audience(struct slice string, struct slice audience)
{
    struct buffer b = BUFFER_INIT;
    const bool is = audience.len > 0 && json_put_unescaped(&b, string) &&
                    buffer_ok(&b) && is_one_of(buffer_slice(&b), audience);

    buffer_release(&b);
    return is;
}

static enum jwt_claim_error read_audience(struct slice value,
                                          struct slice audience,
                                          struct jwt_claims *c)
{
    struct slice one;

    c->audience = JWT_FOR_OTHERS;
    if (is_string(value)) {
        if (is_audience(value, audience))
            c->audience = JWT_FOR_US;
        return JWT_CLAIM_OK;
    }
    if (*(const char *)value.data != '[')
        return JWT_CLAIM_AUDIENCE;
    for (size_t at = 0; json_next_element(value, &at, &one);) {
        if (!is_string(one))
            return JWT_CLAIM_AUDIENCE;
        if (is_audience(one, audience))
            c->audience = JWT_FOR_US;
    }
    return JWT_CLAIM_OK;
}

static enum jwt_claim_error read_tenant(struct slice value,
                                        struct jwt_claims *c)
{
    return read_text(value, c->tenant, sizeof(c->tenant)) &&
                   token_valid(slice_str(c->tenant))
               ? JWT_CLAIM_OK
               : JWT_CLAIM_TENANT;
}

/* ---- `confab` ------------------------------------------------------------ */

static enum jwt_claim_error read_mount(struct slice value,
                                       struct jwt_claims *c)
{
    c->has_mount = true;
    if (slice_eq(value, slice_str("\"\"")))
        return JWT_CLAIM_OK; /* the tenant's root */
    return read_text(value, c->mount, sizeof(c->mount)) &&
                   mount_valid(slice_str(c->mount))
               ? JWT_CLAIM_OK
               : JWT_CLAIM_MOUNT;
}

static enum jwt_claim_error read_confab(struct slice value,
                                        struct jwt_claims *c,
                                        enum right_error *ret_rights_error)
{
    struct slice name, member;

    if (*(const char *)value.data != '{' || !names_differ(value))
        return JWT_CLAIM_MEMBER;
    for (size_t at = 0; json_next_member(value, &at, &name, &member);) {
        if (json_string_is(name, "mount")) {
            const enum jwt_claim_error error = read_mount(member, c);
            if (error != JWT_CLAIM_OK)
                return error;
            continue;
        }
        const enum right_error error =
            rights_add_member(&c->rights, name, member);
        if (error == RIGHT_UNKNOWN)
            return JWT_CLAIM_MEMBER;
        if (error != RIGHT_OK) {
            *ret_rights_error = error;
            return JWT_CLAIM_RIGHTS;
        }
        c->has_rights = true;
    }
    return JWT_CLAIM_OK;
}

/* ---- all ----------------------------------------------------------------- */

struct claims_reader {
    struct slice audience;
    struct jwt_claims *claims;
    enum right_error *rights_error;
};

static enum jwt_claim_error read_claim(const struct claims_reader *r,
                                       struct slice claim, struct slice value)
{
    struct jwt_claims *c = r->claims;

    if (slice_eq(claim, slice_str("sub")))
        return read_subject(value, c);
    if (slice_eq(claim, slice_str("exp")))
        return read_time(value, &c->expires_us);
    if (slice_eq(claim, slice_str("nbf")))
        return read_time(value, &c->not_before_us);
    if (slice_eq(claim, slice_str("iat")))
        return read_time(value, &c->issued_us);
    if (slice_eq(claim, slice_str("aud")))
        return read_audience(value, r->audience, c);
    if (slice_eq(claim, slice_str("tenant")))
        return read_tenant(value, c);
    if (slice_eq(claim, slice_str("confab")))
        return read_confab(value, c, r->rights_error);
    return JWT_CLAIM_OK;
}

static enum jwt_claim_error read_claims(const struct claims_reader *r,
                                        struct slice object)
{
    struct buffer claim = BUFFER_INIT;
    enum jwt_claim_error error = JWT_CLAIM_OK;
    struct slice name, value;

    for (size_t at = 0; error == JWT_CLAIM_OK &&
                        json_next_member(object, &at, &name, &value);) {
        buffer_clear(&claim);
        if (json_put_unescaped(&claim, name) && buffer_ok(&claim))
            error = read_claim(r, buffer_slice(&claim), value);
        else
            error = JWT_CLAIM_JSON;
    }
    buffer_release(&claim);
    return error;
}

enum jwt_claim_error jwt_claims_read(struct slice json, struct slice audience,
                                     struct jwt_claims *ret,
                                     enum right_error *ret_rights_error)
{
    const struct claims_reader r = {audience, ret, ret_rights_error};

    memset(ret, 0, sizeof(*ret));
    rights_draft_clear(&ret->rights);
    ret->expires_us = INT64_MAX;
    if (!jwt_object_valid(json))
        return JWT_CLAIM_JSON;
    return read_claims(&r, json_trim(json));
}
