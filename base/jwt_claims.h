/* The claims of a JWT (RFC 7519 §4) that Confab reads:
 *
 *     {"sub": "ann", "exp": 1796083200, "nbf": …, "iat": …, "aud": …,
 *      "tenant": "acme",
 *      "confab": {"publish": ["users/%u/#"], "subscribe": ["#"], "manage": [],
 *                 "admin": false, "mount": "home"}}
 *
 * All may be missing, others are ignored. None may occur twice, in whatever
 * spelling: parsers differ in which of two they take. Pure, but for memory while
 * it reads; any thread. */
#ifndef CONFAB_BASE_JWT_CLAIMS_H
#define CONFAB_BASE_JWT_CLAIMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mount.h"
#include "base/right.h"
#include "base/slice.h"
#include "base/topic.h"

#define JWT_SUBJECT_MAX 128 /* bytes, as users' ids */
#define JWT_CLAIMS_MAX 64   /* members of the header, the claims, `confab` */

enum jwt_audience {
    JWT_FOR_ANYBODY, /* there is no `aud` */
    JWT_FOR_US,
    JWT_FOR_OTHERS
};

/* Contains no pointers and needs no release. */
struct jwt_claims {
    char subject[JWT_SUBJECT_MAX + 1]; /* NUL-terminated; "": nobody */
    char tenant[TOKEN_MAX + 1];        /* "": not said */
    int64_t expires_us;                /* since 1970; INT64_MAX: not said */
    int64_t not_before_us;             /* 0: not said */
    int64_t issued_us;                 /* 0: not said */
    enum jwt_audience audience;
    bool
        has_rights; /* `confab` has one of publish, subscribe, manage, admin */
    bool has_mount;
    char mount[MOUNT_MAX + 1]; /* mount_valid() */
    struct rights_draft rights;
};

/* X(name, text). The texts are for whoever made the token; they contain nothing
 * of it. */
#define JWT_CLAIM_ERRORS(X)                                                   \
    X(OK, "success")                                                          \
    X(JSON,                                                                   \
      "the JWT's claims must be a JSON object with at most 64 members, "      \
      "none of them twice")                                                   \
    X(TIME, "`exp`, `nbf` and `iat` must be seconds since 1970")              \
    X(SUBJECT, "`sub` must be a string of 1 to 128 bytes without control "    \
               "characters and without any that are not seen (like U+200B)")  \
    X(AUDIENCE, "`aud` must be a string or an array of strings")              \
    X(TENANT, "`tenant` must be the name of a tenant")                        \
    X(MEMBER, "`confab` must be an object with at most the members "          \
              "`publish`, `subscribe`, `manage`, `admin` and `mount`")        \
    X(RIGHTS, "the rights in `confab` do not hold")                           \
    X(MOUNT, "`mount` in `confab` must be levels of a topic, without "        \
             "wildcards")

enum jwt_claim_error {
#define X(name, text) JWT_CLAIM_##name,
    JWT_CLAIM_ERRORS(X)
#undef X
};

const char *jwt_claim_error_text(enum jwt_claim_error error);

/* Reads a payload whose signature holds. audience: who we are to `aud`, names
 * separated by blanks (empty: nobody). *ret_rights_error is set with JWT_CLAIM_RIGHTS. *ret is
 * undefined on failure. Without memory a token does not hold, whatever is said of
 * it. */
enum jwt_claim_error jwt_claims_read(struct slice json, struct slice audience,
                                     struct jwt_claims *ret,
                                     enum right_error *ret_rights_error);

/* Whether a JSON text is an object with at most JWT_CLAIMS_MAX members, whose
 * names, unescaped, are all different. Of headers, too. */
bool jwt_object_valid(struct slice json);

#endif
