/* `confab clients` and `confab kick`: the same questions to the server, page
 * after page (base/vocabulary.h). */
#ifndef CONFAB_CLI_ROLL_CALL_H
#define CONFAB_CLI_ROLL_CALL_H

#include <stdbool.h>

#include "base/slice.h"
#include "cli/cli.h"

struct roll_call {
    const char *command; /* "clients", "kick": also whose errors they are */
    const char *token, *client, *address; /* NULL: any */
    const char
        *token_file; /* instead of token, which may be shortened (secret.h) */
    bool all, full, refused;
};

/* Asks until everybody was called; `take` gets each answer, a JSON object.
 * Returns the exit status; what went wrong has been said. */
int roll_call(const struct settings *s, const struct roll_call *r,
              void (*take)(void *arg, struct slice answer), void *arg);

#endif
