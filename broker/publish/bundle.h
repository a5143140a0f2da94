/* Several messages in one PUBLISH of the bridge's: `$confab/append`.
 *
 * Each is appended as if it had come by itself, with an operation id and an
 * answer of its own; all go to the writer together, and one PUBACK answers them
 * when the last is on disk or refused. It saves what a PUBLISH costs besides its
 * message: system calls and the walk of the client library (docs/design/
 * performance.md). base/vocabulary.h has the format. */
#ifndef CONFAB_BROKER_PUBLISH_BUNDLE_H
#define CONFAB_BROKER_PUBLISH_BUNDLE_H

#include "base/slice.h"

struct connection;
struct publish;

/* `answer` is the PUBLISH that brought them, not submitted, and the bundle's
 * from now on: when its messages are back it is answered (at once when nothing
 * can be made of the body), and freed where nobody waits for it. May close the
 * connection. `body` is borrowed for the call. The connection's worker. */
void bundle_received(struct connection *c, struct publish *answer,
                     struct slice body);

#endif
