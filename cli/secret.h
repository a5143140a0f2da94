/* Tokens as operands. Whoever may list processes sees a command's arguments, so
 * a token may also come from a file or standard input, or be shortened. */
#ifndef CONFAB_CLI_SECRET_H
#define CONFAB_CLI_SECRET_H

#include "base/topic.h"
#include "cli/cli.h"

struct secret {
    char text[TOKEN_MAX + 1];
};

#define SECRET_HELP                                                                \
    "TOKEN may be - (one line of standard input), or its beginning and ... when\n" \
    "only one token begins so.\n"

/* `given`: a token; `-`: the first line of standard input; `abcd...` or `abcd…`:
 * the one token of the data folder that begins so (as logs show it). NULL with
 * `file`: that file's first line. EXIT_SUCCESS, or the status to end with; it
 * has been said why. */
int secret_read(const struct settings *s, const char *command,
                const char *given, const char *file, struct secret *ret);

/* A topic or filter whose first level may be shortened so; copied into `out`. */
int secret_topic(const struct settings *s, const char *command,
                 const char *given, char *out, size_t size);

#endif
