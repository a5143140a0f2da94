#include "store/command.h"

int command_status(enum command_result r)
{
    switch (r) {
#define X(name, status, text)                                                 \
    case RESULT_##name: return status;
        COMMAND_RESULTS(X)
#undef X
    }
    return 500;
}

const char *command_text(enum command_result r)
{
    switch (r) {
#define X(name, status, text)                                                 \
    case RESULT_##name: return text;
        COMMAND_RESULTS(X)
#undef X
    }
    return "unknown result";
}

const char *command_result_name(enum command_result r)
{
    switch (r) {
#define X(name, status, text)                                                 \
    case RESULT_##name: return #name;
        COMMAND_RESULTS(X)
#undef X
    }
    return "UNKNOWN";
}

const char *command_kind_name(enum command_kind kind)
{
    static const char *const names[COMMAND_KIND_COUNT] = {
#define X(kind, name) #name,
        COMMAND_KINDS(X)
#undef X
    };

    return names[kind];
}
