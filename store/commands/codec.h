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
 * who does not know it would not come to the same. Pure; any thread. */
#ifndef CONFAB_STORE_COMMANDS_CODEC_H
#define CONFAB_STORE_COMMANDS_CODEC_H

#include "base/buffer.h"
#include "store/commands/commands.h"

#define ENTRY_VERSION 1

/* A command that was decoded, and its memory. Slices of it point into the bytes
 * it came from, which must outlive it. */
struct command_box {
    struct command command;
    struct admission in; /* of an entry */
    struct command_memory *memory;
    struct message *messages[2];
    size_t message_count;
};
void command_box_release(struct command_box *box);

/* Of what a client asks for: body only; fields of entries alone are left out.
 * NULL: fine. Else what is wrong, and nothing is to be released. */
const char *command_decode(enum command_kind kind, struct slice body,
                           struct command_box *ret_box);

void entry_encode(struct buffer *b, const struct admission *in,
                  const struct command *c);
/* The same for an entry. */
const char *entry_decode(struct slice bytes, struct command_box *ret_box);

#endif
