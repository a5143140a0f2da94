/* Saves when keys were last used: lazily, since nothing depends on it. */
#include "store/command/key.h"
#include "store/commands/commands.h"
#include "store/write/account.h"
#include "store/write/key_write.h"

static const char *what_is_wrong(const struct keys_used *a)
{
    return a->hashes.len == 0 || a->hashes.len % SECRET_HASH_BYTES != 0 ||
                   a->hashes.len > KEYS_USED_MAX * SECRET_HASH_BYTES
               ? "hashes: 1 to 256 of 32 bytes each"
               : NULL;
}

static enum store_err save_use(struct transaction *t, struct slice hash,
                               int64_t used_us)
{
    struct token *who = NULL;
    struct key_copy key;

    enum store_err err = key_by_hash(t, hash, &key);
    if (err == STORE_NOTFOUND || err == STORE_CORRUPT)
        return STORE_OK; /* revoked meanwhile; `confab check` tells of damage */
    if (err != STORE_OK)
        return err;
    if (key.row.used_us < used_us) {
        key.row.used_us = used_us;
        err = account_of(t, key.row.tenant, &who);
        if (err == STORE_OK)
            err = key_put(t, who, &key.row);
    }
    key_copy_release(&key);
    return err;
}

static enum store_err keys_used_apply(struct transaction *t, struct command *c)
{
    const struct keys_used *a = c->args;
    const char *hash = a->hashes.data;
    const size_t count = a->hashes.len / SECRET_HASH_BYTES;
    enum store_err err = STORE_OK;

    c->result = what_is_wrong(a) != NULL
                    ? RESULT_INVALID
                    : account_upkeep_verdict(t, count * sizeof(a->used_us));
    for (size_t i = 0; c->result == RESULT_OK && err == STORE_OK && i < count;
         i++)
        err =
            save_use(t,
                     slice_of(hash + i * SECRET_HASH_BYTES, SECRET_HASH_BYTES),
                     a->used_us);
    return err;
}

static void keys_used_decide(struct transaction *t, const struct command *c)
{
    (void)c;
    admission_measure_upkeep(t, KEYS_USED_MAX * sizeof(int64_t));
}

static const char *keys_used_check(struct command *c,
                                   const struct config *config)
{
    (void)config;
    return what_is_wrong(c->args);
}

static const struct command_field fields[] = {
    {"hashes", FIELD_BYTES, FIELD_REQUIRED, offsetof(struct keys_used, hashes),
     0, KEYS_USED_MAX *SECRET_HASH_BYTES, "hashes: 1 to 256 of 32 bytes each"},
    {"used", FIELD_TIME, FIELD_REQUIRED, offsetof(struct keys_used, used_us),
     0, INT64_MAX, "used: microseconds since 1970"},
};

const struct command_type keys_used_command = {
    .name = "keys_used",
    .args_size = sizeof(struct keys_used),
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .for_administrators = true,
    .check = keys_used_check,
    .decide = keys_used_decide,
    .apply = keys_used_apply,
};
