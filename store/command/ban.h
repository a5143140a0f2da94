/* What commands about bans take (store/command.h, store/ban.h). They count against their
 * tenant's bytes. UNKNOWN_TOKEN, REVOKED: of the tenant; INVALID: see the fields. Slices
 * are borrowed until done(). Who may ban whom is the front door's business. */
#ifndef CONFAB_STORE_COMMAND_BAN_H
#define CONFAB_STORE_COMMAND_BAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* COMMAND_BAN: makes or changes a ban. EXISTS, NOT_FOUND: the condition, where a ban that
 * is over is none; NOT_FOUND also: there is no such room. BYTES, SHARE, FULL. */
struct ban {
    struct slice tenant;
    struct slice room;  /* empty: all rooms */
    struct slice who;   /* ban_who_valid() */
    int64_t until_us;   /* 0: it has no end */
    struct slice by;    /* a user id; empty: an administrator */
    struct slice why;   /* at most BAN_REASON_MAX bytes; empty: none */
    uint32_t condition; /* enum put_condition (store/command/people.h) */

    bool made; /* result: the ban is new */
};

/* COMMAND_UNBAN. NOT_FOUND: there is none. */
struct unban {
    struct slice tenant, room, who;
};

/* COMMAND_BANS_EXPIRE, the writer's own: removes bans that ended before. */
struct bans_expire {
    int64_t before_us;
    uint64_t most;
};

#endif
