/* Several messages in one PUBLISH from the bridge: `$confab/append`.
 *
 * Each is appended as if it had come alone, with its own operation id and
 * its own answer. All go to the writer together, and one PUBACK answers them
 * when the last is on disk or refused. This saves what a PUBLISH costs
 * besides its message: system calls and the client library's work
 * (docs/design/performance.md). base/vocabulary.h has the format. */
#ifndef CONFAB_BROKER_PUBLISH_BUNDLE_H
#define CONFAB_BROKER_PUBLISH_BUNDLE_H

#include "base/slice.h"

struct connection;
struct publish;

/* `answer` is the PUBLISH that carried the messages, not submitted; takes
 * it. It is answered when all messages are (at once if the body is invalid),
 * and freed if nobody waits for it. May close the connection. `body` is
 * borrowed for the call. Call it in the connection's worker. */
void bundle_received(struct connection *c, struct publish *answer,
                     struct slice body);

#endif
