/* What a client sends over `GET /{token}/ws`: commands as JSON objects, one in a
 * message or several in an array. Pure; docs/http.md says what they mean.
 *
 *   {"follow":["a/#"],"last_event_id":12,"ref":…}
 *   {"unfollow":["a/#"],"ref":…}
 *   {"publish":{"thing":"a/b","payload":…,"ref":…,"retain":true,
 *               "idempotency_key":"…"}} */
#ifndef CONFAB_BRIDGE_DOORS_THINGSCHAT_WS_COMMAND_H
#define CONFAB_BRIDGE_DOORS_THINGSCHAT_WS_COMMAND_H

#include "base/buffer.h"

#define WS_COMMANDS_MAX 64 /* in one message */
#define WS_THINGS_MAX 64   /* of one follow or unfollow */
#define WS_REF_MAX 256     /* bytes of a ref as it is written */

enum ws_command_kind { WS_FOLLOW, WS_UNFOLLOW, WS_PUBLISH };

struct ws_command {
    enum ws_command_kind kind;
    struct slice ref; /* as it is written; empty: none */
    /* WS_FOLLOW, WS_UNFOLLOW */
    size_t thing_count;
    struct slice things[WS_THINGS_MAX];
    bool has_cursor;
    uint64_t cursor;
    /* WS_PUBLISH */
    struct slice thing;
    struct slice payload;     /* as it is written */
    struct slice idempotency; /* empty: none */
    bool retain;

    const char *error;  /* what is wrong with it; NULL: nothing */
    struct buffer text; /* what the names point into */
};

/* The commands of a message, one after the other; *at is 0 at first. `message` is
 * JSON (base/json.h). false: no more. */
bool ws_next_command(struct slice message, size_t *at,
                     struct slice *ret_command);

/* Reads one; slices point into it and into c->text. c->error where it is none,
 * and out of memory. Release it in any case; *c may be used again then. */
void ws_command_read(struct ws_command *c, struct slice command);
void ws_command_release(struct ws_command *c);

#endif
