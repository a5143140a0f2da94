/* `confab clients` and `confab kick`: both send the server the same requests,
 * page by page (base/vocabulary.h). */
#ifndef CONFAB_CLI_CLIENT_REQUEST_H
#define CONFAB_CLI_CLIENT_REQUEST_H

#include <stdbool.h>

#include "base/slice.h"
#include "cli/cli.h"

struct client_request {
    const char *command; /* "clients", "kick"; also the name in errors */
    const char *token, *client, *address; /* NULL: any */
    const char
        *token_file; /* instead of token, which may be shortened (secret.h) */
    bool all, full, refused;
};

/* Requests page after page to the end and calls `take` with each answer, a
 * JSON object. Returns the exit status; an error has been printed. */
int client_request_send(const struct command_line *s,
                        const struct client_request *r,
                        void (*take)(void *arg, struct slice answer),
                        void *arg);

#endif
