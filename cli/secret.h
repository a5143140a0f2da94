/* Tokens of the command line, by one rule for all commands. Whoever may list
 * processes sees a command's arguments, so a token may also come from a file or
 * standard input (--token-file), or be shortened. */
#ifndef CONFAB_CLI_SECRET_H
#define CONFAB_CLI_SECRET_H

#include "base/topic.h"
#include "cli/cli.h"

struct secret {
    char text[TOKEN_MAX + 1];
};

#define SECRET_HELP                                                                \
    "Others see the arguments of a command: TOKEN may also be its beginning and\n" \
    "..., when only one token begins so, or - (a line of standard input).\n"
#define SECRET_TOPIC_HELP                                                          \
    "Others see the arguments of a command: TOKEN may also be its beginning and\n" \
    "..., when only one token begins so, or come from --token-file; then topics\n" \
    "are given without TOKEN/.\n"
#define SECRET_FILE_HELP                                                      \
    "      --token-file FILE  its first line is the token; -: standard input's\n"

/* For getopt_long. */
#define SECRET_FILE 0x100
#define SECRET_FILE_OPTION                                                    \
    {                                                                         \
        "token-file", required_argument, NULL, SECRET_FILE                    \
    }

/* `given`: a token; `-`: the first line of standard input; `abcd...` or `abcd…`:
 * the one token of the data folder that begins so (as logs show it). NULL with
 * `file`: that file's first line. EXIT_SUCCESS, or the status to end with; it
 * has been said why. */
int secret_read(const struct settings *s, const char *command,
                const char *given, const char *file, struct secret *ret);

/* The same where both may be missing: then "". `given` may be "", too. */
int secret_read_any(const struct settings *s, const char *command,
                    const char *given, const char *file, struct secret *ret);

/* A topic for an error message: its first level, a token, is shortened as in
 * logs. Returns `out`. */
#define SECRET_SHOWN 512
const char *secret_show(const char *topic, char *out, size_t size);

/* A topic or filter, copied into `out`: below `token`, or, where that is "", with a
 * first level that may be shortened. */
int secret_topic(const struct settings *s, const char *command,
                 const struct secret *token, const char *given, char *out,
                 size_t size);

#endif
