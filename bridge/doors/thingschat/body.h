/* Turns the body of a POST into a payload: inflates it, removes its byte order mark,
 * and checks that it is a JSON object, or converts MessagePack to one. */
#ifndef CONFAB_BRIDGE_DOORS_THINGSCHAT_BODY_H
#define CONFAB_BRIDGE_DOORS_THINGSCHAT_BODY_H

#include "bridge/doors/front.h"

struct body {
    struct buffer inflated, converted; /* the payload may point into these */
    const char *
        limit; /* whose `most` is, for a refusal: "that …"; NULL: the plan's */
};
void body_release(struct body *b);

/* How many bytes of body to keep for a payload of at most `most` bytes: more if it is
 * compressed, none if we do not know its coding. */
size_t body_room(const struct call *c, size_t most);
/* *ret_payload is borrowed from the request or from `b`. false: answered with 400,
 * 413, 415 or 500. */
bool body_read(struct call *c, size_t most, struct body *b,
               struct slice *ret_payload);

#endif
