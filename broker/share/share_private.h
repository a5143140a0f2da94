/* Shared by share.c (the mail between workers) and share_letters.c (which
 * reads and writes letters). */
#ifndef CONFAB_BROKER_SHARE_SHARE_PRIVATE_H
#define CONFAB_BROKER_SHARE_SHARE_PRIVATE_H

#include <stddef.h>

#include "broker/share/share.h"

#define SHARE_LETTERS 32 /* in a parcel */

struct share_parcel {
    size_t count;
    size_t bytes; /* of messages */
    struct share_letter letters[SHARE_LETTERS];
};

/* Sends the existing parcel for that worker. false: the receiver has no
 * room; the parcel stays. */
bool share_send_parcel(struct worker *w, unsigned to);
/* Unwraps a mailbox item, and counts it as received. */
struct share_parcel *share_parcel_from(struct worker *w, void *item);

#endif
