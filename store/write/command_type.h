/* What there is to know of a kind of command. Each is one file in store/commands/
 * and a row of the table there (table.c). */
#ifndef CONFAB_STORE_WRITE_COMMAND_TYPE_H
#define CONFAB_STORE_WRITE_COMMAND_TYPE_H

#include "base/json_write.h"
#include "store/write/command_field.h"
#include "store/write/transaction.h"

#define COMMAND_FIELDS_MAX 64

struct command_type {
    const char *name; /* `$confab/<name>` for administrators, and in the log */
    size_t args_size; /* of the struct that command.args points to; 0: none */
    const struct command_field *fields; /* what the codec reads and writes */
    size_t field_count;                 /* ≤ COMMAND_FIELDS_MAX */
    bool
        for_administrators; /* administrators may send it to `$confab/<name>` */
    bool needs_no_rows;     /* needs no transaction of LMDB's (events) */
    /* Of a command that an administrator sends: what is to be said of it beyond
     * its fields, and what it leaves out (defaults, times). NULL: fine, else what
     * is wrong. No hook: nothing. On the machine that takes it, any thread, before
     * it is submitted; the settings may be newer than those it is applied with. */
    const char *(*check)(struct command *c, const struct config *config);
    /* Measures what its admission needs besides what all have, into t->in; NULL:
     * nothing. On the machine that accepts the command, once. */
    void (*decide)(struct transaction *t, const struct command *c);
    /* Changes the rows, looking at them, at the command and at t->in alone
     * (store/write/admission.h). STORE_OK when the command has its result, a refusal
     * included; reads and decides first, then writes. Anything else means that
     * the transaction is spoilt: the caller aborts it. Writer's thread. */
    enum store_err (*apply)(struct transaction *t, struct command *c);
    /* Members of the JSON object that answers an administrator whose command was
     * done (result OK). No hook: none. Any thread. */
    void (*answer)(const struct command *c, struct json_writer *w);
};

#endif
