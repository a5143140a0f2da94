/* Who requests something, and what that caller may do. A caller is made in
 * one place per entrance (a front door's authenticate(), the broker at
 * CONNECT) and passed on from there; a name alone is never a caller. Pure;
 * any thread.
 *
 * Rights are lists of topic filters, so "everything of a tenant", "read one
 * room" and "write the topics of my own client id" are the same mechanism. */
#ifndef CONFAB_BASE_CALLER_H
#define CONFAB_BASE_CALLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct plan;

enum caller_action {
    CALLER_PUBLISH,
    CALLER_SUBSCRIBE, /* live, history, latest, listing */
    CALLER_MANAGE,    /* delete, retention */
    CALLER_ADMIN      /* keys, users, settings */
};

/* `filter` is relative to the tenant: "#" is all of it, "" its name alone. A
 * level %u stands for the caller's user, %c for its client id. If the caller
 * has none, or one that is not a single level, the right matches nothing. */
struct right {
    enum caller_action action;
    const char *filter;
};

/* All slices are borrowed from whoever made the caller. */
struct caller {
    struct slice tenant; /* topics under `<tenant>/`; empty: of all tenants */
    struct slice key;    /* the key it used; empty: the tenant's own name */
    /* The user it acts for, who is the sender of what it publishes; data
     * NULL: nobody. */
    struct slice user;
    struct slice client;     /* MQTT client id */
    const struct plan *plan; /* NULL: no limits. One with own limits
                                (base/plan_limits.h) is borrowed, too */
    const struct right *rights;
    size_t right_count;
    /* Its topics are relative to `<tenant>/<mount>/` (base/mount.h); an empty mount
     * is the tenant's root. Whoever speaks for the caller adds that, since rights
     * and caller_may() are about full topics. */
    bool mounted;
    struct slice mount;
    int64_t
        expires_us; /* since 1970: nothing of it may go on then; 0: never */
};

/* A token in a path or user name: everything below it. */
struct caller caller_of_token(struct slice token, const struct plan *plan);
/* Open mode without a user name: the topics of all tenants. */
struct caller caller_nameless(const struct plan *plan);
/* The server's administrator. */
struct caller caller_administrator(void);

/* topic: a valid topic to publish to, or a valid filter to subscribe to
 * (base/topic.h). Of `$share/<group>/<filter>` only the filter counts. A
 * filter is granted if a single right covers every topic it can match, so
 * `a/#` is not granted by `a/+`, nor by `a/b` and `a/c` together.
 *
 * `$` topics: whoever may subscribe to a thing may subscribe to
 * `$events/<tenant>/<kind>/<thing>`, with the tenant named. Callers without
 * a tenant may read `$SYS/…` and others. `$confab/…`, and publishing to any
 * of these, is for administrators. */
bool caller_may(const struct caller *c, enum caller_action action,
                struct slice topic);

#endif
