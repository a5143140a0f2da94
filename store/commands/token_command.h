/* What commands about tokens have in common. Writer's thread only. */
#ifndef CONFAB_STORE_COMMANDS_TOKEN_COMMAND_H
#define CONFAB_STORE_COMMANDS_TOKEN_COMMAND_H

#include "store/write/transaction.h"

/* The token's entry; NULL when it is no token (c->result says so). */
enum store_err token_command_look_up(struct transaction *t, struct command *c,
                                     struct slice name,
                                     struct token **ret_token);
/* Its row with the time of its end (0: as it is) or another plan (empty: as it
 * is). CORRUPT: its row cannot be read. */
enum store_err token_command_rewrite(struct transaction *t,
                                     struct token *token, int64_t revoked_us,
                                     struct slice new_plan);
/* Revokes it, and tells every worker and stream to let its connections go. */
enum store_err token_command_revoke(struct transaction *t, struct command *c,
                                    struct slice name);

/* For check hooks: NULL, or that there is no such plan. */
const char *token_command_check_plan(struct slice plan,
                                     const struct config *config);

#endif
