/* What commands about tokens have in common. Writer's thread only. */
#ifndef CONFAB_STORE_COMMANDS_TOKEN_COMMAND_H
#define CONFAB_STORE_COMMANDS_TOKEN_COMMAND_H

#include "store/write/transaction.h"

/* The token's entry; NULL when it is no token (c->result says so). */
enum store_err token_command_look_up(struct transaction *t, struct command *c,
                                     struct slice name,
                                     struct token **ret_token);
/* What changes in a token's row; what is zero or empty stays as it is. */
struct token_change {
    int64_t revoked_us;
    int64_t suspended_us; /* -1: not suspended any more */
    struct slice plan;
    bool has_limits; /* `limits` is the text of its own limits; may be empty */
    struct slice limits;
};
/* CORRUPT: its row cannot be read. */
enum store_err token_command_rewrite(struct transaction *t,
                                     struct token *token,
                                     const struct token_change *change);
/* Changes a token's own limits (NULL: it has none) by those of `name=value` texts that
 * are limits (base/plan_limits.h), and puts the text of all into `ret_text`. *ret_any:
 * there were some. false: one has no such value. */
bool token_command_limits(const struct plan *own, const struct slice *set,
                          size_t set_count, struct buffer *ret_text,
                          bool *ret_any);
/* Gives a token (named: a tenant that needs keys) its row. An empty plan is the
 * default one. c->result: EXISTS, INVALID (no such plan), FULL. Of an operation. */
enum store_err token_command_create(struct transaction *t, struct command *c,
                                    struct slice name, struct slice plan,
                                    struct slice limits, bool named);
/* Tells every worker and stream to let its connections go: they look it up anew. */
enum store_err token_command_offer_revoked(struct transaction *t,
                                           struct slice name);
/* Revokes it, with that. */
enum store_err token_command_revoke(struct transaction *t, struct command *c,
                                    struct slice name);

/* For check hooks: NULL, or that there is no such plan. */
const char *token_command_check_plan(struct slice plan,
                                     const struct config *config);
/* Likewise, for new names: or that it is reserved (base/reserved_name.h). */
const char *token_command_check_new(struct slice name, struct slice plan,
                                    const struct config *config);

#endif
