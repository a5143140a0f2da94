/* A field of a command: what the codec (store/commands/codec.h) makes of it. */
#ifndef CONFAB_STORE_WRITE_COMMAND_FIELD_H
#define CONFAB_STORE_WRITE_COMMAND_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In C and in msgpack. */
enum field_type {
    FIELD_TEXT,          /* struct slice; str */
    FIELD_TOKEN,         /* struct slice, token_valid(); str */
    FIELD_BYTES,         /* struct slice; bin */
    FIELD_U64,           /* uint */
    FIELD_U32,           /* uint32_t or enum; uint */
    FIELD_U16,           /* uint */
    FIELD_TIME,          /* int64_t, not negative; uint */
    FIELD_YES,           /* bool; 1 */
    FIELD_MESSAGE,       /* struct message *; bin: a row of `log` */
    FIELD_IDS,           /* uint64_t *, size_t; array of uint */
    FIELD_PACKETS,       /* uint16_t *, size_t; array of uint */
    FIELD_FILTERS,       /* struct slice *, size_t; array of str */
    FIELD_SUBSCRIPTIONS, /* …; array of [filter, bin: a row of `subscriptions`] */
    FIELD_INFLIGHT, /* …; array of [packet id, bin: a row of `inflight`] */
    FIELD_GIVEN,    /* …; array of [filter, id] */
    FIELD_CLOCK_STEPS, /* struct clock_steps; array of [id, time] */
};

enum {
    FIELD_OPTIONAL = 0,
    FIELD_REQUIRED = 1,
    FIELD_ENTRY = 2, /* not for clients to say: only in entries of the log */
    FIELD_COMMON = 4 /* in struct command, not in the kind's arguments */
};

struct command_field {
    const char *name;
    enum field_type type;
    unsigned flags;
    size_t at;        /* in the kind's arguments, or FIELD_COMMON */
    size_t count_at;  /* lists: how many there are */
    uint64_t max;     /* bytes, value or number of elements */
    const char *text; /* what it is, for documents and for who got it wrong */
};

/* What many commands have, for their lists of fields; with store/command.h. */
#define COMMON_MESSAGE                                                        \
    {                                                                         \
        "message", FIELD_MESSAGE, FIELD_COMMON | FIELD_REQUIRED,              \
            offsetof(struct command, message), 0, UINT64_MAX,                 \
            "message: a record expected"                                      \
    }
#define COMMON_NOW                                                            \
    {                                                                         \
        "now", FIELD_TIME, FIELD_COMMON | FIELD_ENTRY,                        \
            offsetof(struct command, now_us), 0, INT64_MAX,                   \
            "now: microseconds since 1970"                                    \
    }
#define COMMON_OPERATION                                                      \
    {                                                                         \
        "operation", FIELD_TEXT, FIELD_COMMON | FIELD_ENTRY,                  \
            offsetof(struct command, operation), 0, OPERATION_MAX,            \
            "operation: up to 64 bytes"                                       \
    }
#define COMMON_IDEMPOTENCY                                                    \
    {                                                                         \
        "idempotency", FIELD_TEXT, FIELD_COMMON | FIELD_ENTRY,                \
            offsetof(struct command, idempotency), 0, IDEMPOTENCY_MAX,        \
            "idempotency: up to 256 bytes"                                    \
    }

#endif
