/* One committed message, or one event, to all who subscribe to it on a worker. */
#ifndef CONFAB_BROKER_FAN_OUT_FAN_OUT_MESSAGE_H
#define CONFAB_BROKER_FAN_OUT_FAN_OUT_MESSAGE_H

struct message;
struct worker;

/* To live subscribers, and to one member of each group that this worker owns;
 * moves w->head to its id. Older than head: nothing happens, it was read from the
 * log before. An event that a token was revoked ends that token's connections. */
void fan_out_message(struct worker *w, struct message *m);

#endif
