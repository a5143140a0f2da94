/* Accounts of the rooms door, as it and the command line make them. Pure, but for the
 * random uid. Any thread, after sodium_init(). */
#ifndef CONFAB_BRIDGE_ROOMS_ROOMS_ACCOUNT_H
#define CONFAB_BRIDGE_ROOMS_ROOMS_ACCOUNT_H

#include "base/buffer.h"

#define ROOMS_NAME_MIN 4
#define ROOMS_NAME_MAX 32

/* The name that `given` is in the store: in lower case, so that a name is one person's
 * however it is written. Returns its length; 0: it is none (ROOMS_NAME_MIN to
 * ROOMS_NAME_MAX of A-Z a-z 0-9 _ . -). */
size_t rooms_name_fold(struct slice given, char out[ROOMS_NAME_MAX]);
/* Names that people would take for those of who runs the server; only the command line
 * makes such users. `name` is folded. */
bool rooms_name_is_reserved(struct slice name);

/* Appends the attributes of a new account: its displayName, `<name> (<uid>)`, and `root`
 * if it is. `name` as it was given. */
void rooms_account_put(struct buffer *b, struct slice name, struct slice uid,
                       bool is_root);

#endif
