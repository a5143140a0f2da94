/* What there is to know of a kind of command. Each is one file in store/commands/
 * and a row of the table there (table.c). */
#ifndef CONFAB_STORE_WRITE_COMMAND_TYPE_H
#define CONFAB_STORE_WRITE_COMMAND_TYPE_H

#include "store/write/command_field.h"
#include "store/write/transaction.h"

struct command_type {
    const char *name; /* `$confab/<name>` for administrators, and in the log */
    const struct command_field *fields; /* of struct command */
    size_t field_count;
    struct command_part part; /* size 0: it has none */
    bool needs_no_rows;       /* needs no transaction of LMDB's (events) */
    /* Measures what its admission needs besides what all have, into t->in; NULL:
     * nothing. On the machine that accepts the command, once. */
    void (*decide)(struct transaction *t, const struct command *c);
    /* Changes the rows, looking at them, at the command and at t->in alone
     * (store/write/admission.h). STORE_OK when the command has its result, a refusal
     * included; reads and decides first, then writes. Anything else means that
     * the transaction is spoilt: the caller aborts it. Writer's thread. */
    enum store_err (*apply)(struct transaction *t, struct command *c);
};

#endif
