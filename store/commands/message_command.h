/* What the commands about messages have in common: where a message belongs, who pays,
 * what the token may do, and answers to an Idempotency-Key. Writer's thread only. */
#ifndef CONFAB_STORE_COMMANDS_MESSAGE_COMMAND_H
#define CONFAB_STORE_COMMANDS_MESSAGE_COMMAND_H

#include "store/write/transaction.h"

struct message_target {
    struct thing *thing;
    struct token
        *token; /* NULL: the topic is no <token>/<thing>, only the store's
                            own limits hold */
    struct token *payer; /* the token's entry, or nobody's */
};

enum store_err message_target_find(struct transaction *t, struct slice topic,
                                   struct message_target *ret);

/* OK, REVOKED, SUSPENDED or UNKNOWN_TOKEN. */
enum command_result message_token_verdict(const struct transaction *t,
                                          const struct token *token);

/* Sets c->remaining and, if it was refused for the hourly limit, retry_after_s. */
void message_tell_remaining(const struct transaction *t, struct command *c,
                            const struct token *token, bool uncharged);

/* When c->idempotency, whose hash is given, was used before: *ret_known, and c has the
 * first result. */
enum store_err message_find_key(struct transaction *t, struct command *c,
                                const struct token *token,
                                const unsigned char *hash, bool *ret_known);
enum store_err message_remember_key(struct transaction *t,
                                    const struct command *c,
                                    const struct message_target *to,
                                    const unsigned char *hash);

#endif
