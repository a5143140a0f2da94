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

struct mailbox; /* opaque: a ring, and a mutex held for a few instructions */

/* A mailbox for `bound` items (> 0); all memory is allocated here. NULL: out
 * of memory. */
struct mailbox *mailbox_new(size_t bound, void (*wake)(void *arg), void *arg);
void mailbox_free(struct mailbox *mb); /* NULL is fine; must be empty */

/* Any thread. false: full; the caller keeps the item. */
bool mailbox_send(struct mailbox *mb, void *item);
/* Sends all n items in order, or none of them. */
bool mailbox_send_all(struct mailbox *mb, void *const *items, size_t n);

/* Receiver only: takes up to `max` items in order into items[]; 0: empty. A
 * receiver that leaves items in the mailbox must call again by itself: the
 * next send finds the mailbox not empty and does not wake it. */
size_t mailbox_receive(struct mailbox *mb, void **items, size_t max);

/* Any thread; a snapshot for metrics. */
size_t mailbox_count(struct mailbox *mb);

#endif
