/* A command's connection to the server running on a data folder: an
 * administrator's MQTT connection over <data>/confab.sock. One thread,
 * blocking. */
#ifndef CONFAB_CLI_CLIENT_H
#define CONFAB_CLI_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct client;

/* The server's answer to a PUBLISH. */
struct client_answer {
    int status;   /* as in HTTP; 0: no answer (broker not available) */
    uint64_t id;  /* of a stored message */
    char *result; /* JSON of a command, NUL-terminated, or NULL; free() it */
    char reason[200];
};

/* NULL without *ret_error: no server runs there. NULL with *ret_error (static
 * text): any other error. */
struct client *client_open(const char *data_dir, const char **ret_error);
void client_close(struct client *c);

/* Publishes with QoS 1 and waits for the PUBACK, at most 10 s. */
bool client_publish(struct client *c, struct slice topic, struct slice payload,
                    bool retain, struct client_answer *ret_answer);

/* A delivered message; everything is borrowed for the call. */
struct client_message {
    struct slice topic, payload;
    uint64_t id, seq;
    int64_t at_us;
    bool retained;
};
/* Subscribes to `count` filters and calls `take` for each message. Returns
 * true when `take` has returned false; false with *ret_error when the
 * connection is lost or a filter is refused. SIGINT and SIGTERM end the
 * process. */
bool client_follow(struct client *c, const char *const *filters, size_t count,
                   bool (*take)(void *arg, const struct client_message *m),
                   void *arg, const char **ret_error);

#endif
