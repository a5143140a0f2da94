/* What commands about keys take (store/command.h, store/directory.h). The secret
 * itself is in no command, only its hash: whoever makes a key makes the secret
 * (base/secret.h) and shows it once. Slices are borrowed until done(). */
#ifndef CONFAB_STORE_COMMAND_KEY_H
#define CONFAB_STORE_COMMAND_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* COMMAND_KEY_CREATE; the fields are those of struct key_row. EXISTS: there is a key
 * of that hash, or key id; make another secret. UNKNOWN_TOKEN: no such tenant. RATE: it
 * is charged, and the hour's writes of the tenant are used up. */
struct key_create {
    struct slice tenant;
    struct slice hash;
    uint32_t kind; /* enum secret_kind */
    struct slice label;
    struct slice *rights; /* as texts */
    size_t right_count;
    bool mounted;
    struct slice mount;
    struct slice user, plan, parent;
    int64_t expires_us; /* 0: never */
    int64_t until_us;   /* of a ticket that a JWT made: the end of that JWT */
    bool
        charged; /* counts as a write of the tenant, as a message does: one of its
                     callers asked for it, not an administrator */
};

/* COMMAND_KEY_REVOKE: removes it, and offers a `key_revoked` event, at which its
 * connections and streams are closed. NOT_FOUND. */
struct key_revoke {
    struct slice tenant;
    struct slice key; /* its key id */
};

/* COMMAND_KEY_ROTATE: a new secret with the same rights. NOT_FOUND, EXISTS. */
struct key_rotate {
    struct slice tenant;
    struct slice key;     /* key id of the one that goes */
    struct slice hash;    /* of the new secret */
    int64_t old_until_us; /* the old one holds until then; in the past: it is
                             revoked at once */
};

/* COMMAND_TICKET_TAKE: uses a ticket up. NOT_FOUND: it was used, has expired, was
 * never given, or the key it was made with is gone. */
struct ticket_take {
    struct slice hash;
};

/* COMMAND_KEYS_USED: when clients last came with these keys. Times only grow; keys that are
 * gone are skipped. Whoever lets clients in says so once in KEY_USED_EVERY_US
 * (store/directory.h); what is lost is said at the next use. */
#define KEYS_USED_MAX 256
struct keys_used {
    struct slice hashes; /* SECRET_HASH_BYTES each, up to KEYS_USED_MAX */
    int64_t used_us;
};

/* COMMAND_KEYS_EXPIRE, the writer's own: removes keys whose end came before. */
struct keys_expire {
    int64_t before_us;
    uint64_t most; /* rows */
};

#endif
