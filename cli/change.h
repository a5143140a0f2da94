/* One change of the store: any command that administrators may send
 * (store/command.h, store/command/). It goes to the server running on the data
 * folder; without one it is made on the folder itself, under its lock. Blocks
 * until it is on disk. */
#ifndef CONFAB_CLI_CHANGE_H
#define CONFAB_CLI_CHANGE_H

#include "cli/cli.h"
#include "store/command.h"

struct change {
    enum command_kind kind;
    void *args; /* the kind's struct; borrowed. Without a server, defaults that
                   the server would fill in are written to it */
    bool
        may_make_store; /* without a server: also in a folder that has no store,
                            if the user named it */
    bool in_steps; /* a deletion: ask again until nothing is left. The server,
                      or the next one, continues by itself, too */

    /* results */
    int status; /* as in HTTP; 0: no answer */
    char
        refused[32]; /* name of the refusal as in COMMAND_RESULTS, "EXISTS"; ""
                         if there is none, e.g. for a malformed command */
    char reason[200]; /* for the user */
};

/* Makes the change. Returns EXIT_SUCCESS if it was answered: change_is_done()
 * says how. Otherwise it returns the exit status, and the error has been
 * printed. */
int change_make(const struct command_line *s, const char *command,
                struct change *ch);

static inline bool change_is_done(const struct change *ch)
{
    return ch->status >= 200 && ch->status < 300;
}

/* Whether it was refused with that name. */
bool change_was_refused(const struct change *ch, const char *refused);

/* Prints `confab COMMAND: WHAT: why it was refused`; returns EXIT_FAILURE.
 * `plan`: what --plan was, or NULL. */
int change_failure(const char *command, const struct change *ch,
                   const char *what, const char *plan);

#endif
