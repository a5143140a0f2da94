/* Client ids as people are shown them: in logs, confab clients and its refusals. */
#ifndef CONFAB_BROKER_CLIENT_CLIENT_NAME_H
#define CONFAB_BROKER_CLIENT_CLIENT_NAME_H

#include "base/buffer.h"
#include "base/slice.h"

/* Appends the id. Where it has the client's token in it, which many make their
 * ids of, that is shortened as in logs (log_token()), and so is what an id that
 * was cut has of it at its end. */
void client_name_put(struct buffer *b, struct slice id, struct slice token);

#endif
