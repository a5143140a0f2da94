/* The one kind of queue between threads: many senders, one receiver, bounded.
 *
 * It carries pointers; ownership of what they point to passes with a
 * successful mailbox_send(). The receiver is woken by `wake`, called in the
 * sender's thread after a send that found the mailbox empty (typically
 * ev_async_send, or a condition's signal): one wake-up per burst, not per item.
 * Senders never block. */
#ifndef CONFAB_BASE_MAILBOX_H
#define CONFAB_BASE_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>

struct mailbox; /* opaque: a mutex held for a few instructions, and a ring */

/* Room for `bound` items (> 0); all memory is taken here. NULL: out of memory. */
struct mailbox *mailbox_new(size_t bound, void (*wake)(void *arg), void *arg);
void mailbox_free(struct mailbox *mb); /* NULL is fine; must be empty */

/* Any thread. false: full, the item stays the caller's. */
bool mailbox_send(struct mailbox *mb, void *item);
/* All n items in order, or none of them. */
bool mailbox_send_all(struct mailbox *mb, void *const *items, size_t n);

/* Receiver only: takes up to `max` items in order into items[]; 0: empty.
 * A receiver that leaves items behind must come back by itself: the next send
 * finds the mailbox not empty and wakes nobody. */
size_t mailbox_receive(struct mailbox *mb, void **items, size_t max);

/* Any thread; a snapshot for metrics. */
size_t mailbox_count(struct mailbox *mb);

#endif
