/* A PUBLISH to `$confab/<command>`, for administrators only: messages to
 * append (bundle.h), or a command of the table in admin/.
 * Threads: the worker's. */
#ifndef CONFAB_BROKER_PUBLISH_PUBLISH_COMMAND_H
#define CONFAB_BROKER_PUBLISH_PUBLISH_COMMAND_H

#include <stdbool.h>

#include "broker/client/connection.h"
#include "broker/publish/publish.h"

struct hub;

/* hub.commands points to the table of admin/admin.h. */
struct admin_commands {
    /* Makes q->command, or a question for q->asked, from the PUBLISH. true:
     * submit it, or ask. false: it is answered already, by q->status,
     * q->text and q->result. `name` is the topic behind the prefix; both
     * slices are borrowed for the call. */
    bool (*make)(struct publish *q, const struct hub *hub, struct slice name,
                 struct slice body, int64_t now_us);
    /* q->command has its result: sets q->result, as JSON. */
    void (*answer)(struct publish *q);
};

void publish_command(struct connection *c, const struct packet_publish *p);

#endif
