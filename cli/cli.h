/* The sub-commands of `confab`. Each is in the file with its name, parses its
 * own arguments, and returns the exit status:
 *   0  success
 *   1  failure; one line on stderr says why
 *   2  wrong usage or settings; trying again does not help
 * stdout carries only the output that was asked for. */
#ifndef CONFAB_CLI_CLI_H
#define CONFAB_CLI_CLI_H

#include <stdbool.h>

#include "base/config.h"

#define EXIT_USAGE 2

int cli_run(int argc, char **argv);   /* run, broker or bridge: argv[0] */
int cli_token(int argc, char **argv); /* create, list, set, revoke, delete */
int cli_tenant(int argc, char **argv);
int cli_webhook(int argc, char **argv);
int cli_key(int argc, char **argv);
int cli_user(int argc, char **argv);
int cli_room(int argc, char **argv);
int cli_pub(int argc, char **argv);
int cli_sub(int argc, char **argv);
int cli_history(int argc, char **argv);
int cli_status(int argc, char **argv);
int cli_clients(int argc, char **argv);
int cli_trace(int argc, char **argv);
int cli_kick(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_thing(int argc, char **argv); /* purge */
int cli_backup(int argc, char **argv);
int cli_restore(int argc, char **argv);

/* ---- options every command takes: -c, --data, -s, --help ---------------- */

struct option;

struct command_line {
    struct config config;
    const char *file;     /* -c, or NULL */
    const char *data_dir; /* config.store_path */
    bool is_folder_named; /* by the user, not by folder_default() */
    int first;            /* argv index of the first operand */
};

/* Parses argv with the common options and those in `own` (a getopt_long()
 * table, may be NULL; `take` is called for each, and returns false for wrong
 * usage). `usage` is the help text. Returns -1 to continue, or the exit status
 * to end with (--help: 0). */
int command_line_parse(struct command_line *ret, int argc, char **argv,
                       const char *own_short, const struct option *own,
                       bool (*take)(void *arg, int option, const char *value),
                       void *arg, const char *usage);

/* Reads the same sources again, on SIGHUP. */
bool command_line_reload(struct config *ret, struct config_error *ret_error);

/* Prints every key of the configuration, for the --help of commands that use
 * them: command_line_parse() returns EXIT_SUCCESS for --help only. */
void command_line_print_help(void);

/* Prints `confab NAME: text` to stderr; returns EXIT_USAGE. */
int usage_error(const char *command, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The same; returns EXIT_FAILURE. */
int failure(const char *command, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
