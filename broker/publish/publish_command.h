/* A PUBLISH to `$confab/<command>`, which administrators may send: messages to
 * append (bundle.h), or what the table of commands makes of it.
 * Threads: the worker's. */
#ifndef CONFAB_BROKER_PUBLISH_PUBLISH_COMMAND_H
#define CONFAB_BROKER_PUBLISH_PUBLISH_COMMAND_H

#include <stdbool.h>

#include "broker/client/connection.h"
#include "broker/publish/publish.h"

struct hub;

/* The commands there are; hub.commands points to the table of admin/admin.h. */
struct admin_commands {
    /* Makes q->command, or a question to q->asked, of the PUBLISH. true: submit it,
     * or ask. false: it is answered at once, by q->status, q->text and q->result.
     * `name` is what follows the prefix; both are borrowed for the call. */
    bool (*make)(struct publish *q, const struct hub *hub, struct slice name,
                 struct slice body, int64_t now_us);
    /* q->command has its result: makes q->result of it, JSON. */
    void (*answer)(struct publish *q);
};

void publish_command(struct connection *c, const struct packet_publish *p);

#endif
