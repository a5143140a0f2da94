/* Where clients come in that spoke HTTP first: `<data folder>/clients.sock`
 * (base/net/handover.h). Only our uid and root may hand over; who is handed over
 * gains nothing by it: no administrator, whoever passed it. */
#ifndef CONFAB_BROKER_ACCEPT_HANDOVER_LISTENER_H
#define CONFAB_BROKER_ACCEPT_HANDOVER_LISTENER_H

struct worker;

/* A connection to the socket was accepted: takes its client at once, or when
 * that comes. Takes `fd`. The worker's thread. */
void handover_accept(struct worker *w, int fd);
/* Gives up on those that have not come. */
void handover_forget(struct worker *w);

#endif
