/* Tenants' settings and keys: their rows, and reading them. A tenant itself is a
 * row of `tokens` (struct token_row, store/store.h), as tokens are: both own a first
 * level of topics. docs/design/2026-11-30-directory.md.
 *
 * Slices of rows that were read point into the map, and are valid until
 * store_reader_end(). */
#ifndef CONFAB_STORE_DIRECTORY_H
#define CONFAB_STORE_DIRECTORY_H

#include "base/right.h"
#include "base/secret.h"
#include "store/store.h"

#define KEY_LABEL_MAX 128 /* bytes of UTF-8 */
#define USER_ID_MAX 128   /* likewise */
/* `publish `, `subscribe ` or `manage ` and a filter. */
#define RIGHT_TEXT_MAX (RIGHTS_TEXT_MAX + 16)

/* Whether it may be a user's id: 1 to USER_ID_MAX bytes that can be printed. Pure. */
bool user_id_valid(struct slice user);

struct key_row {
    struct slice hash;   /* SECRET_HASH_BYTES, of the whole secret */
    struct slice tenant; /* whose it is */
    enum secret_kind kind;
    struct slice label;
    struct slice rights[RIGHTS_MAX]; /* as in base/right.h: `publish a/#` */
    size_t right_count; /* 0: publish and subscribe to all of the tenant */
    bool mounted;
    struct slice mount;  /* base/mount.h; empty: the tenant's root */
    struct slice user;   /* whom it speaks for; empty: nobody */
    struct slice plan;   /* empty: the tenant's */
    struct slice parent; /* a ticket's: the key id of the key it was made with;
                            empty: made with the tenant's own name */
    int64_t created_us;
    int64_t expires_us; /* 0: never */
    int64_t until_us; /* when what a ticket opened ends; 0: with its parent */
    int64_t used_us;  /* when a client last came with it, to KEY_USED_EVERY_US;
                           0: never, or before version 2026-11-30 */
};
/* When a key was used is saved once in that time, so that use costs no write. */
#define KEY_USED_EVERY_US INT64_C(3600000000)

/* The key with the secret of that hash (SECRET_HASH_BYTES). NOTFOUND: there is none,
 * or it was revoked. Whether it has expired, and whether its tenant was revoked or
 * suspended, is for the caller to look at. */
enum store_err store_key(struct store_reader *r, const unsigned char *hash,
                         struct key_row *ret_row);
/* The tenant's next key whose hash is greater than `after` (empty: the first). */
enum store_err store_key_next(struct store_reader *r, struct slice tenant,
                              struct slice after, struct key_row *ret_row);
/* The tenant's key with that key id. */
enum store_err store_key_by_id(struct store_reader *r, struct slice tenant,
                               struct slice id, struct key_row *ret_row);

/* ---- settings of tenants --------------------------------------------------- */

#define TENANT_SETTINGS_MAX 32          /* how many */
#define TENANT_SETTING_NAME_MAX 32      /* bytes of a name */
#define TENANT_SETTINGS_BYTES_MAX 16384 /* of all names and values */

struct tenant_settings {
    struct {
        struct slice name, value;
    } list[TENANT_SETTINGS_MAX]; /* by name, bytewise */
    size_t count;
};

/* NOTFOUND: it has none, or there is no such tenant. */
enum store_err store_tenant_settings(struct store_reader *r,
                                     struct slice tenant,
                                     struct tenant_settings *ret_settings);
/* The value of a setting; empty: not set. */
struct slice tenant_setting(const struct tenant_settings *s, const char *name);

#endif
