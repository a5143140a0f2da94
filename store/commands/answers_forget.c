/* Forgets answers to requests that will not come again (store/write/repeat.h). */
#include "store/commands/commands.h"

static enum store_err answers_forget_apply(struct transaction *t,
                                           struct command *c)
{
    return repeat_forget(t, c->args, &c->removed);
}

static const struct command_field fields[] = {
    {"kind", FIELD_U32, FIELD_REQUIRED, offsetof(struct repeat_bounds, kind),
     0, REPEAT_KIND_COUNT - 1, "kind: 0 or 1"},
    {"before", FIELD_TIME, FIELD_OPTIONAL,
     offsetof(struct repeat_bounds, before_us), 0, INT64_MAX,
     "before: microseconds since 1970"},
    {"oldest", FIELD_U64, FIELD_OPTIONAL,
     offsetof(struct repeat_bounds, oldest), 0, UINT64_MAX,
     "oldest: a number"},
    {"after", FIELD_TIME, FIELD_OPTIONAL,
     offsetof(struct repeat_bounds, after_us), 0, INT64_MAX,
     "after: microseconds since 1970"},
    {"most", FIELD_U64, FIELD_REQUIRED, offsetof(struct repeat_bounds, most),
     0, UINT64_MAX, "most: a number"},
};

const struct command_type answers_forget_command = {
    .name = "answers_forget",
    .args_size = sizeof(struct repeat_bounds),
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .apply = answers_forget_apply,
};
