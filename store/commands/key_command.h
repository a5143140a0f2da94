/* What commands about keys have in common. Writer's thread only. */
#ifndef CONFAB_STORE_COMMANDS_KEY_COMMAND_H
#define CONFAB_STORE_COMMANDS_KEY_COMMAND_H

#include "store/commands/token_command.h"
#include "store/write/key_write.h"

/* Why a name or label is refused: utf8_has_invisible(). */
#define INVISIBLE_TEXT                                                        \
    ": has a character that is not seen, like U+200B or U+202E: leave it out"

/* The tenant whose keys are to be changed; NULL: c->result says why not. */
enum store_err key_command_tenant(struct transaction *t, struct command *c,
                                  struct slice tenant,
                                  struct token **ret_tenant);
/* The tenant's key with that key id. NOTFOUND: c->result says so, or that its row is
 * damaged. */
enum store_err key_command_find(struct transaction *t, struct command *c,
                                struct slice tenant, struct slice id,
                                struct key_copy *ret_key);
/* Whether no other key has that hash, and none of the tenant its key id: else
 * c->result says so, and *ret_new is false. */
enum store_err key_command_is_new(struct transaction *t, struct command *c,
                                  struct slice tenant, struct slice hash,
                                  bool *ret_new);
/* Stores a key that is new, if its tenant may hold so much: c->result. */
enum store_err key_command_add(struct transaction *t, struct command *c,
                               struct token *who, const struct key_row *k);
/* Removes it, and has its connections and streams closed. */
enum store_err key_command_remove(struct transaction *t, struct token *who,
                                  const struct key_row *k);
/* Gives it an end, and tells workers and streams of it likewise, with the time. */
enum store_err key_command_end_later(struct transaction *t, struct token *who,
                                     struct key_row *k, int64_t until_us);

#endif
