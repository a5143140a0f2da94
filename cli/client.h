/* A command's connection to the server that runs on a data folder: an
 * administrator's MQTT connection over <data>/confab.sock. One thread, blocking. */
#ifndef CONFAB_CLI_CLIENT_H
#define CONFAB_CLI_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct client;

/* What the server said to a PUBLISH. */
struct client_answer {
    int status;   /* like HTTP's; 0: none came (broker away) */
    uint64_t id;  /* of a stored message */
    char *result; /* JSON of a command, NUL-terminated, or NULL; free() it */
    char reason[200];
};

/* NULL when no server runs there; any other trouble is said in *ret_error
 * (static text) and NULL returned too. */
struct client *client_open(const char *data_dir, const char **ret_error);
void client_close(struct client *c);

/* Publishes with QoS 1 and waits for the PUBACK, at most 10 s. */
bool client_publish(struct client *c, struct slice topic, struct slice payload,
                    bool retain, struct client_answer *ret_answer);

/* Delivered messages; everything borrowed for the call. */
struct client_message {
    struct slice topic, payload;
    uint64_t id, seq;
    int64_t at_us;
    bool retained;
};
/* Subscribes to `count` filters and calls `take` until it returns false (true
 * is returned) or the connection is lost or a filter refused (false and
 * *ret_error). SIGINT and SIGTERM end the process. */
bool client_follow(struct client *c, const char *const *filters, size_t count,
                   bool (*take)(void *arg, const struct client_message *m),
                   void *arg, const char **ret_error);

#endif
