/* Stores what webhooks tell (webhook_events): positions and dead messages, by
 * COMMAND_WEBHOOK_SAVE over the link.
 *
 * Order:   of each tenant one command is under way at a time. A position waits until
 *          every message that died before it was told is stored, so a crash at any time
 *          makes messages come again, but loses none.
 * Failure: what could not be stored, because the broker is away or the store is full,
 *          stays and is tried again with the next webhook_saves_again().
 * Bounds:  per tenant the newest position and WEBHOOK_DEAD_MAX messages, of all
 *          together SAVES_BYTES_MAX of them: beyond that the tenant's oldest are
 *          forgotten and counted (struct webhook_save).
 * Threads: any, unless said otherwise; never blocks. */
#ifndef CONFAB_BRIDGE_OUTGOING_WEBHOOK_SAVES_H
#define CONFAB_BRIDGE_OUTGOING_WEBHOOK_SAVES_H

#include "bridge/outgoing/webhooks.h"

#define SAVES_BYTES_MAX ((size_t)16 << 20)

struct link;
struct webhook_saves;

/* `on_outcome`, in the link's thread: it is stored that this message died, or that a
 * dead one was delivered. NULL: out of memory. Main thread. */
struct webhook_saves *webhook_saves_new(void (*on_outcome)(void *arg,
                                                           struct slice tenant,
                                                           uint64_t id),
                                        void *arg);
/* Before anything is told. Main thread. */
void webhook_saves_use(struct webhook_saves *s, struct link *link);
/* For struct webhooks_opts. */
struct webhook_events webhook_saves_events(struct webhook_saves *s);
/* Tries again what failed. */
void webhook_saves_again(struct webhook_saves *s);
/* Waits until all is stored, `most_ms` at most; nothing more must be told. Main
 * thread. */
void webhook_saves_finish(struct webhook_saves *s, unsigned most_ms);
/* After link_stop(). NULL is fine. */
void webhook_saves_free(struct webhook_saves *s);

#endif
