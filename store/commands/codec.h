/* Commands as bytes, made from the fields that each type lists (commands.h): one
 * encoder and one decoder for what administrators ask for and for entries of the
 * log. msgpack; names are the fields'.
 *
 *  body   a map from names of fields to values. A field that is not required is
 *         left out where it is zero or empty.
 *  entry  [ENTRY_VERSION, name of the command, admission (an array of numbers in
 *         the order of struct admission), body]
 *
 * Decoding checks every byte: types, bounds, fields that are missing or there
 * twice, what is left over. A name that is not known is skipped in a body (an older
 * server ignores what newer clients say, as it always did), and refused in an entry:
 * a machine that does not know it would get a different result. Pure; any thread. */
#ifndef CONFAB_STORE_COMMANDS_CODEC_H
#define CONFAB_STORE_COMMANDS_CODEC_H

#include "base/buffer.h"
#include "store/commands/commands.h"

#define ENTRY_VERSION 1

/* All that a decoded command points to: its arguments, and a copy of the bytes it
 * came from. Has an owner, who frees it once the command is done. */
struct command_memory;
void command_memory_free(struct command_memory *m);         /* NULL: nothing */
size_t command_memory_size(const struct command_memory *m); /* in bytes */

/* Of what a client asks for: body only; fields of entries alone are left out.
 * Sets kind, arguments and those common fields that the body has; whatever else is
 * in `c` stays. NULL: fine. Else what is wrong, there is no memory to free, and `c`
 * must not be submitted. */
const char *command_decode(enum command_kind kind, struct slice body,
                           struct command *c,
                           struct command_memory **ret_memory);

void entry_encode(struct buffer *b, const struct admission *in,
                  const struct command *c);
/* The same for an entry. */
const char *entry_decode(struct slice bytes, struct command *c,
                         struct admission *ret_in,
                         struct command_memory **ret_memory);

#endif
