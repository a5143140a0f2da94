/* Who asks for something, and what that caller may do. Made in one place of each
 * way in (a front door's authenticate(), the broker at CONNECT), carried from
 * there; a name alone is never a caller. Pure; any thread.
 *
 * Rights are lists of topic filters, so that "all of a tenant", "read one room"
 * and "write the topics of my own client id" are the same mechanism. */
#ifndef CONFAB_BASE_CALLER_H
#define CONFAB_BASE_CALLER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

struct plan;

enum caller_action {
    CALLER_PUBLISH,
    CALLER_SUBSCRIBE, /* live, history, latest, listing */
    CALLER_MANAGE,    /* delete, retention */
    CALLER_ADMIN      /* keys, users, settings */
};

/* `filter` is relative to the tenant: "#" is all of it, "" its name alone. A level
 * %u stands for the caller's user, %c for its client id; where there is none, or
 * one that is no single level, the right matches nothing. */
struct right {
    enum caller_action action;
    const char *filter;
};

/* All slices are borrowed from whoever made it. */
struct caller {
    struct slice tenant; /* topics under `<tenant>/`; empty: of every tenant */
    struct slice key;    /* which key it used; empty: the tenant's own name */
    struct slice user; /* whom it speaks for: the sender of what it publishes;
                            data NULL: nobody */
    struct slice client;     /* MQTT client id */
    const struct plan *plan; /* NULL: no limits */
    const struct right *rights;
    size_t right_count;
};

/* A token that stands in a path or user name: all below it. */
struct caller caller_of_token(struct slice token, const struct plan *plan);
/* Open mode, without a name: the topics of all tenants. */
struct caller caller_nameless(const struct plan *plan);
/* The server's administrator. */
struct caller caller_administrator(void);

/* topic: a topic to publish to, or a filter to subscribe to, as MQTT has it;
 * valid (base/topic.h). Of `$share/<group>/<filter>` the filter decides. A filter
 * is granted when one right covers every topic it can match, so `a/#` is not
 * granted by `a/+`, nor by `a/b` and `a/c` together.
 *
 * `$` topics: `$events/<tenant>/<kind>/<thing>` is to subscribers what the thing
 * is, but the tenant must be named. `$SYS/…` and others are for callers without a
 * tenant to read. `$confab/…`, and publishing to any of these, is for
 * administrators. */
bool caller_may(const struct caller *c, enum caller_action action,
                struct slice topic);

#endif
