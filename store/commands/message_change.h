/* Editing and deleting one message (store/command/message.h). Writer's thread only. */
#ifndef CONFAB_STORE_COMMANDS_MESSAGE_CHANGE_H
#define CONFAB_STORE_COMMANDS_MESSAGE_CHANGE_H

#include "store/write/command_type.h"

#define MESSAGE_CHANGE_FIELDS 4
extern const struct command_field message_change_fields[MESSAGE_CHANGE_FIELDS];

const char *message_change_check(struct command *c,
                                 const struct config *config);
void message_change_decide(struct transaction *t, const struct command *c);
/* c->message must be of `kind`, EDIT or DELETE. */
enum store_err message_change_apply(struct transaction *t, struct command *c,
                                    enum message_kind kind);
void message_change_answer(const struct command *c, struct json_writer *w);

/* The key under which an Idempotency-Key of a change is remembered: not that of a
 * message with the same one. `what` tells changes of the topic apart. */
void message_change_hash(struct slice topic, char kind, uint64_t what,
                         struct slice idempotency, unsigned char *ret_hash);

#endif
