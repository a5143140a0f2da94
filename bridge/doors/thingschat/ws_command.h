/* Parsing what a client sends over `GET /{token}/ws`: commands as JSON objects, one in
 * a message or several in an array. Pure; docs/http.md says what they mean.
 *
 *   {"follow":["a/#"],"last_event_id":12,"ref":…}
 *   {"unfollow":["a/#"],"ref":…}
 *   {"publish":{"thing":"a/b","payload":…,"ref":…,"retain":true,
 *               "idempotency_key":"…"}} */
#ifndef CONFAB_BRIDGE_DOORS_THINGSCHAT_WS_COMMAND_H
#define CONFAB_BRIDGE_DOORS_THINGSCHAT_WS_COMMAND_H

#include "base/buffer.h"

#define WS_COMMANDS_MAX 64 /* in one message */
#define WS_THINGS_MAX 64   /* filters of one follow or unfollow */
#define WS_REF_MAX 256     /* bytes of a ref as the client wrote it */

enum ws_command_kind { WS_FOLLOW, WS_UNFOLLOW, WS_PUBLISH };

struct ws_command {
    enum ws_command_kind kind;
    struct slice ref; /* as the client wrote it; empty: none */
    /* WS_FOLLOW, WS_UNFOLLOW */
    size_t thing_count;
    struct slice things[WS_THINGS_MAX];
    bool has_cursor;
    uint64_t cursor;
    /* WS_PUBLISH */
    struct slice thing;
    struct slice payload;     /* as the client wrote it */
    struct slice idempotency; /* empty: none */
    bool retain;

    const char *error;  /* why the command is refused; NULL: it is valid */
    struct buffer text; /* decoded names; the slices above point into it */
};

/* The next command of a message; *at is 0 at first. `message` is JSON (base/json.h).
 * false: no more. */
bool ws_next_command(struct slice message, size_t *at,
                     struct slice *ret_command);

/* Reads one command. Slices point into it and into c->text. c->error is set if it is
 * not valid, or when memory ran out. Release *c in any case; then it may be reused. */
void ws_command_read(struct ws_command *c, struct slice command);
void ws_command_release(struct ws_command *c);

#endif
