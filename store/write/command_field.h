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
    FIELD_ENTRY = 2 /* not for clients to say: only in entries of the log */
};

struct command_field {
    const char *name;
    enum field_type type;
    unsigned flags;
    size_t at;        /* in struct command, or in its part */
    size_t count_at;  /* lists: how many there are */
    uint64_t max;     /* bytes, value or number of elements */
    const char *text; /* what it is, for documents and for who got it wrong */
};

/* A struct that the command points to, with fields of its own. */
struct command_part {
    size_t at;   /* of the pointer, in struct command */
    size_t size; /* of the struct */
    const struct command_field *fields;
    size_t count;
};

#endif
