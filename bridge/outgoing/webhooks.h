/* Webhooks: durable readers of the log that POST each message of a tenant to a URL.
 *
 * Delivery: at least once, in the log's order per thing, one message of a thing in
 *           flight at a time while other things go on. What fails is tried again
 *           (retry.h); after the last attempt it is *dead*, and its thing goes on.
 *           A message that retention removed before its turn is passed over.
 * Request:  POST, Content-Type: application/json, the message as history has it
 *           ({"id":…,"thing":…,"chat":…,"createdAt":…}), with X-Confab-Id (its id: the
 *           same in each attempt), X-Confab-Event (what happened: "message") and
 *           X-Confab-Signature (signature.h). 2xx delivers it, whatever the body.
 * Position: each webhook's, given when it is put and told when it moves
 *           (webhook_events.moved). It never passes over a message that is neither
 *           delivered nor dead.
 * Reading:  while there are webhooks, the log is looked at ten times a second, once
 *           for all webhooks that are level with it; those behind it read it with
 *           store/read/catchup.h. The thread's own timer rather than a subscription
 *           of the link: a webhook is then independent of the link, of its outages
 *           and of filters' bounds, at the price of 50 ms on average.
 * Bounds:   a webhook remembers positions, never messages: of the things it is behind
 *           with, at most WEBHOOK_THINGS_MAX and 1 MiB of names. With so many it reads
 *           no further until one is done. WEBHOOK_IN_FLIGHT_MAX requests at a time.
 * Threads:  everything but webhooks_put(), webhooks_remove() and
 *           webhooks_redeliver() is the fetcher's thread or, where it says so, the
 *           main thread. Where settings and positions are stored is the caller's. */
#ifndef CONFAB_BRIDGE_OUTGOING_WEBHOOKS_H
#define CONFAB_BRIDGE_OUTGOING_WEBHOOKS_H

#include <stdbool.h>
#include <stdint.h>

#include "bridge/outgoing/retry.h"
#include "bridge/outgoing/signature.h"
#include "store/webhook.h"

struct ev_loop;
struct fetcher;
struct store;
struct webhooks;

#define WEBHOOK_THINGS_MAX 1024
#define WEBHOOK_IN_FLIGHT_MAX 16

struct webhook_settings {
    struct slice tenant;
    const char *url; /* fetch_url_check() accepts it */
    struct slice secrets[SIGNATURE_SECRETS_MAX]; /* the newest first */
    size_t secret_count;                         /* at least 1 */
};

/* Every message up to `id` is delivered or dead, but for those of the things in
 * `behind`, of which that is true up to their own ids only. So one thing whose
 * messages fail for hours does not make the others' come again after a restart. */
struct webhook_position {
    uint64_t id;
    size_t behind_count;
    struct webhook_behind
        behind[WEBHOOK_BEHIND_MAX]; /* topics are borrowed for the call */
    /* When it is told: the last attempt. */
    int64_t tried_us; /* µs since 1970; 0: none was made since it was put */
    int status;       /* of its answer; 0: there was none */
    const char *text; /* why it failed; "": it did not */
};

struct webhook_dead {
    struct slice tenant;
    struct slice topic; /* empty: it was sent again, and had died before */
    uint64_t id;
    int64_t at_us;     /* when it was given up */
    unsigned attempts; /* that failed */
    int status;        /* of the last answer; 0: there was none */
    const char *text;  /* why the last attempt failed, for people */
};

/* The fetcher's thread; must not block; everything borrowed for the call. What is
 * told here is to be stored in this order: a dead message before the position that
 * passes over it. */
struct webhook_events {
    void *arg;
    /* At most once a second per webhook, and at the end. Without deliveries, and
     * while attempts fail as before, at most once a minute. */
    void (*moved)(void *arg, struct slice tenant,
                  const struct webhook_position *p);
    void (*died)(void *arg, const struct webhook_dead *d);
    /* What webhooks_redeliver() asked for was delivered, or is not in the store any
     * more. When it fails, too, it has died again. */
    void (*redelivered)(void *arg, struct slice tenant, uint64_t id);
};

struct webhooks_opts {
    struct store *store; /* borrowed */
    struct webhook_events events;
    struct retry_plan retry;
    uint32_t connect_ms, total_ms; /* of one attempt */
};

/* NULL: out of memory. Main thread. Then start a fetcher with the next two and this
 * as its on_start, on_stop and arg, and say which fetcher it is; then put webhooks. */
struct webhooks *webhooks_new(const struct webhooks_opts *opts);
void webhooks_on_start(void *webhooks, struct ev_loop *loop);
void webhooks_on_stop(void *webhooks);
void webhooks_use(struct webhooks *ws, struct fetcher *fetcher);
/* Main thread, after fetcher_stop() and before fetcher_free(), when no thread can
 * call in any more. NULL is fine. */
void webhooks_free(struct webhooks *ws);

/* Any thread, never blocks; arguments are copied. false: out of memory, 1,024 changes
 * are waiting, or the fetcher has stopped.
 * put         adds the tenant's webhook at `position`; one that is there gets the new
 *      settings for what it sends from now on and keeps its own position
 * remove      cancels what is in flight; nothing is told of it any more
 * redeliver   sends one message again, by the retry plan, apart from its thing's
 *             order */
bool webhooks_put(struct webhooks *ws, const struct webhook_settings *settings,
                  const struct webhook_position *position);
bool webhooks_remove(struct webhooks *ws, struct slice tenant);
bool webhooks_redeliver(struct webhooks *ws, struct slice tenant, uint64_t id);

#endif
