/* Commands as bytes (store/commands/codec.h): entries of the log, and the bodies that
 * administrators send. An entry begins with the byte of an array of four; any other
 * first byte chooses the kind of a body, which is the rest. Beside crashes it looks
 * for broken promises: what is decoded can be encoded, that is decoded again, and
 * then nothing differs any more. */
#include "test/fuzz/fuzz.h"

#include <stdlib.h>

#include "store/commands/codec.h"

#define ENTRY_BEGINS 0x94

/* Not assert(): a promise counts in every build. */
static void must(bool kept)
{
    if (!kept)
        abort();
}

static void entry_again(struct slice bytes, struct buffer *ret)
{
    struct command_memory *memory;
    struct admission in;
    struct command c;

    must(entry_decode(bytes, &c, &in, &memory) == NULL);
    entry_encode(ret, &in, &c);
    must(buffer_ok(ret));
    command_memory_free(memory);
}

static void try_entry(struct slice bytes)
{
    struct buffer once = BUFFER_INIT, twice = BUFFER_INIT;
    struct command_memory *memory;
    struct admission in;
    struct command c;

    if (entry_decode(bytes, &c, &in, &memory) != NULL)
        return;
    must(command_memory_size(memory) >= bytes.len);
    command_memory_free(memory);
    entry_again(bytes, &once);
    entry_again(buffer_slice(&once), &twice);
    must(slice_eq(buffer_slice(&once), buffer_slice(&twice)));
    buffer_release(&once);
    buffer_release(&twice);
}

static void try_body(enum command_kind kind, struct slice body)
{
    struct buffer b = BUFFER_INIT;
    struct command_memory *memory;
    struct command c = {0};

    if (command_decode(kind, body, &c, &memory) != NULL)
        return;
    must(c.kind == kind);
    command_encode(&b, &c);
    command_memory_free(memory);
    must(command_decode(kind, buffer_slice(&b), &c, &memory) == NULL);
    command_memory_free(memory);
    buffer_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] == ENTRY_BEGINS)
        try_entry(slice_of(data, size));
    else
        try_body((enum command_kind)(data[0] % COMMAND_KIND_COUNT),
                 slice_of(data + 1, size - 1));
    return 0;
}
