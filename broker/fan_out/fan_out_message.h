/* Sends one committed message, or one event, to all its subscribers on a
 * worker. */
#ifndef CONFAB_BROKER_FAN_OUT_FAN_OUT_MESSAGE_H
#define CONFAB_BROKER_FAN_OUT_FAN_OUT_MESSAGE_H

struct message;
struct worker;

/* Delivers to live subscribers, and to one member of each group that this
 * worker owns; sets w->head to the message's id. Ignores ids up to w->head,
 * which were read from the log before. An event about a revoked token ends
 * that token's connections. */
void fan_out_message(struct worker *w, struct message *m);

#endif
