/* Keeps webhooks as the store says: puts, changes and removes them when settings or the
 * state of their tenants change, and has dead messages sent again for which that was
 * asked (`confab webhook retry`).
 *
 * Changes are learnt from `$events/<tenant>/changed/` and `…/revoked/` over the link.
 * After each connect of the link all tenants are looked at, because events that came
 * meanwhile are lost. A tenant's webhook is on while it has `webhook.url` and
 * `webhook.secret`, and is neither suspended nor revoked.
 *
 * One process: bridges of one data folder would deliver everything once each, so only
 * the one that holds the lock WEBHOOKS_LOCK_NAME has webhooks; another takes over when
 * that one ends.
 *
 * Threads: the callbacks of the link are the link's, webhook_watch_outcome() any,
 * everything else one thread that may block on reads of the store. */
#ifndef CONFAB_BRIDGE_OUTGOING_WEBHOOK_WATCH_H
#define CONFAB_BRIDGE_OUTGOING_WEBHOOK_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/vocabulary.h"

/* Somebody is to keep this filter subscribed, after each connect anew. */
#define WATCH_FILTER EVENTS_PREFIX "+/" EVENT_CHANGED "/#"
/* Names that wait to be looked at; with more, all are. */
#define WATCH_NOTES_MAX 4096
/* Dead messages of a webhook that are being sent again at a time: they must not take
 * the places of those that wait for the first time. */
#define WATCH_AGAIN_MAX 64

struct store;
struct webhooks;
struct webhook_watch;

struct webhook_watch_opts {
    struct store *store;       /* borrowed */
    struct webhooks *webhooks; /* borrowed */
    const char *data_dir;      /* copied */
    /* There is something to look at; any thread, must not block. */
    void (*wake)(void *arg);
    void *arg;
};

/* NULL: out of memory. Main thread. */
struct webhook_watch *webhook_watch_new(const struct webhook_watch_opts *opts);
/* When no thread can call in any more. NULL is fine. */
void webhook_watch_free(struct webhook_watch *w);

/* The link's thread: the broker granted a filter, sent an event. */
void webhook_watch_subscribed(struct webhook_watch *w, struct slice filter);
void webhook_watch_event(struct webhook_watch *w, struct slice topic);
/* It is stored that this message died, or that a dead one was delivered. */
void webhook_watch_outcome(struct webhook_watch *w, struct slice tenant,
                           uint64_t id);

/* Looks at what was noted since the last time, and whether the lock is free. */
void webhook_watch_look(struct webhook_watch *w);

#endif
