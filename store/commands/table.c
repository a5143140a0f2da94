#include "store/commands/commands.h"

const struct command_type *const command_types[COMMAND_KIND_COUNT] = {
#define X(kind, name) [COMMAND_##kind] = &name##_command,
    COMMAND_KINDS(X)
#undef X
};
