/* A ticket is used once, also when two ask at the same time, and also across a
 * crash: its row goes with the answer. */
#include "store/command/key.h"
#include "store/commands/commands.h"
#include "store/commands/key_command.h"

static bool holds(const struct transaction *t, const struct key_row *k)
{
    return k->kind == SECRET_TICKET && k->expires_us > t->in.now_us;
}

/* Of one that was made with a key: that key must be there still. */
static enum store_err look_for_parent(struct transaction *t, struct command *c,
                                      const struct key_row *k)
{
    struct key_copy parent;

    if (k->parent.len == 0)
        return STORE_OK;
    const enum store_err err =
        key_command_find(t, c, k->tenant, k->parent, &parent);
    if (err == STORE_OK) {
        if (parent.row.expires_us != 0 &&
            parent.row.expires_us <= t->in.now_us)
            c->result = RESULT_NOT_FOUND;
        key_copy_release(&parent);
    }
    return err == STORE_NOTFOUND ? STORE_OK : err;
}

static enum store_err use_up(struct transaction *t, struct command *c,
                             const struct key_row *k)
{
    struct token *who;

    if (!holds(t, k)) {
        c->result = RESULT_NOT_FOUND;
        return STORE_OK;
    }
    enum store_err err = key_command_tenant(t, c, k->tenant, &who);
    if (err != STORE_OK || who == NULL)
        return err;
    err = look_for_parent(t, c, k);
    return err == STORE_OK && c->result == RESULT_OK ? key_delete(t, who, k)
                                                     : err;
}

static enum store_err ticket_take_apply(struct transaction *t,
                                        struct command *c)
{
    const struct ticket_take *a = c->args;
    struct key_copy key;

    enum store_err err = key_by_hash(t, a->hash, &key);
    if (err == STORE_CORRUPT)
        return transaction_row_damaged(c);
    if (err == STORE_NOTFOUND) {
        c->result = RESULT_NOT_FOUND;
        return STORE_OK;
    }
    if (err != STORE_OK)
        return err;
    err = use_up(t, c, &key.row);
    key_copy_release(&key);
    return err;
}

static const struct command_field fields[] = {
    {"hash", FIELD_BYTES, FIELD_REQUIRED, offsetof(struct ticket_take, hash),
     0, SECRET_HASH_BYTES, "hash: BLAKE2b-256 of the ticket, 32 bytes"},
};

const struct command_type ticket_take_command = {
    .name = "ticket_take",
    .args_size = sizeof(struct ticket_take),
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .for_administrators = true,
    .apply = ticket_take_apply,
};
