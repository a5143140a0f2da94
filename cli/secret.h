/* Tokens given on the command line, with the same rules for all commands.
 * Anyone who can list processes sees a command's arguments, so a token may
 * also come from a file or standard input (--token-file), or be shortened. */
#ifndef CONFAB_CLI_SECRET_H
#define CONFAB_CLI_SECRET_H

#include "base/topic.h"
#include "cli/cli.h"

struct secret {
    char text[TOKEN_MAX + 1];
};

#define SECRET_HELP                                                            \
    "Other users can see a command's arguments. So TOKEN may also be the\n"    \
    "beginning of a token and ..., if only one token begins like that, or -\n" \
    "(a line of standard input).\n"
#define SECRET_TOPIC_HELP                                                     \
    "Other users can see a command's arguments. So TOKEN may also be the\n"   \
    "beginning of a token and ..., if only one token begins like that, or\n"  \
    "come from --token-file, and then topics are given without TOKEN/.\n"
#define SECRET_FILE_HELP                                                      \
    "      --token-file FILE  read the token from the first line of FILE; -:" \
    " from\n                         standard input\n"

/* For getopt_long. */
#define SECRET_FILE 0x100
#define SECRET_FILE_OPTION                                                    \
    {                                                                         \
        "token-file", required_argument, NULL, SECRET_FILE                    \
    }

/* Reads a token. `given` is a token, or `-` for the first line of standard
 * input, or `abcd...` or `abcd…` (as logs show it) for the only token of the
 * data folder that begins like that, or NULL with `file` for that file's first
 * line. Returns EXIT_SUCCESS, or the exit status to end with; the error has
 * been printed. */
int secret_read(const struct command_line *s, const char *command,
                const char *given, const char *file, struct secret *ret);

/* The same, but both may be NULL: the result is then "". `given` may be "",
 * too. */
int secret_read_any(const struct command_line *s, const char *command,
                    const char *given, const char *file, struct secret *ret);

/* A topic for an error message: its first level, the token, is shortened as in
 * logs. Returns `out`. */
#define SECRET_SHOWN 512
const char *secret_show(const char *topic, char *out, size_t size);

/* Copies a topic or filter to `out`: `given` below `token`, or, if `token` is
 * "", `given` itself, whose first level may be a shortened token. */
int secret_topic(const struct command_line *s, const char *command,
                 const struct secret *token, const char *given, char *out,
                 size_t size);

#endif
