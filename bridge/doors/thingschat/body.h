/* The body of a POST as the payload it stands for: inflated, without its byte
 * order mark, checked to be a JSON object, or made one from MessagePack. */
#ifndef CONFAB_BRIDGE_DOORS_THINGSCHAT_BODY_H
#define CONFAB_BRIDGE_DOORS_THINGSCHAT_BODY_H

#include "bridge/doors/front.h"

struct body {
    struct buffer inflated, converted; /* what the payload may lie in */
};
void body_release(struct body *b);

/* How many bytes of a body to keep whose payload may have `most`: more when it
 * comes compressed, none of a coding we do not know. */
size_t body_room(const struct call *c, size_t most);
/* *ret_payload is borrowed from the request or from `b`. false: answered 400,
 * 413, 415 or 500. */
bool body_read(struct call *c, size_t most, struct body *b,
               struct slice *ret_payload);

#endif
