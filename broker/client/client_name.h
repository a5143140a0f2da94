/* How client ids are shown to people: in logs, `confab clients` and its
 * refusals. */
#ifndef CONFAB_BROKER_CLIENT_CLIENT_NAME_H
#define CONFAB_BROKER_CLIENT_CLIENT_NAME_H

#include "base/buffer.h"
#include "base/slice.h"

/* Appends the id. If it contains the client's token, as many ids do, the
 * token is shortened as in logs (log_token()); so is a part of the token at
 * the end of an id that was cut. */
void client_name_put(struct buffer *b, struct slice id, struct slice token);

#endif
