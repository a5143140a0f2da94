/* Settings of a tenant: which there are, and what they may be. Any thread; does not
 * block. */
#ifndef CONFAB_BASE_TENANT_SETTING_H
#define CONFAB_BASE_TENANT_SETTING_H

#include <stdbool.h>

#include "base/slice.h"

#define TENANT_SETTING_MAX 4096 /* bytes of a value */

/* X(id, name, secret, form, text): secret ones are shown to nobody. */
#define TENANT_SETTINGS_LIST(X)                                               \
    X(WEBHOOK_URL, "webhook.url", false, URL,                                 \
      "where messages are POSTed, from now on: http:// or https://")          \
    X(WEBHOOK_SECRET, "webhook.secret", true, SECRET,                         \
      "signs what is POSTed: 16 to 256 bytes")                                \
    X(WEBHOOK_SECRET_OLD, "webhook.secret_old", true, SECRET,                 \
      "the former secret, which signs as well until it is unset")             \
    X(JWT_SECRET, "jwt.secret", true, JWT_SECRET,                             \
      "checks JWTs of HS256: 32 bytes or more")                               \
    X(JWT_PUBLIC_KEY, "jwt.public_key", false, JWT_PUBLIC,                    \
      "checks JWTs of ES256, RS256 or EdDSA: a public key in PEM")            \
    X(JWT_AUDIENCE, "jwt.audience", false, NAMES,                             \
      "who we are to the claim aud: names separated by blanks; a JWT with "   \
      "aud must have one of them")                                            \
    X(JWT_REQUIRE_EXP, "jwt.require_exp", false, YES_NO,                      \
      "no: JWTs without exp hold, too, until their key is changed")           \
    X(CORS_ORIGINS, "cors.origins", false, ORIGINS,                           \
      "whose pages may use the tenant's HTTP API: origins like "              \
      "https://app.example.org, separated by blanks; * or unset: all")

enum tenant_setting {
#define X(id, name, secret, form, text) TENANT_##id,
    TENANT_SETTINGS_LIST(X)
#undef X
        TENANT_SETTING_COUNT
};

/* s: below TENANT_SETTING_COUNT. */
const char *tenant_setting_name(enum tenant_setting s);
const char *tenant_setting_text(enum tenant_setting s);
/* Also of TENANT_SETTING_COUNT: one that only another version knows may be. */
bool tenant_setting_is_secret(enum tenant_setting s);
/* TENANT_SETTING_COUNT: there is no such setting. */
enum tenant_setting tenant_setting_of_name(struct slice name);

/* Whether a setting may have that value; empty is fine: it is unset then. NULL: it
 * may, else what is wrong (static, without the value). */
const char *tenant_setting_wrong(enum tenant_setting s, struct slice value);

/* Splits `name=value`. false: there is no `=`. */
bool tenant_setting_split(struct slice text, struct slice *ret_name,
                          struct slice *ret_value);

#endif
