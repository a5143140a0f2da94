/* Receives clients that began with HTTP, over `<data folder>/clients.sock`
 * (base/net/handover.h). Only the server's uid and root may hand over
 * connections, and whoever hands over one, its client does not become an
 * administrator. */
#ifndef CONFAB_BROKER_ACCEPT_HANDOVER_LISTENER_H
#define CONFAB_BROKER_ACCEPT_HANDOVER_LISTENER_H

struct worker;

/* A connection to the socket was accepted: takes its client at once, or when
 * it arrives. Takes `fd`. Call it in the worker's thread. */
void handover_accept(struct worker *w, int fd);
/* Drops hand-overs that have not been completed. */
void handover_forget(struct worker *w);

#endif
