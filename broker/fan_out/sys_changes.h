/* Live `$SYS` topics: while anybody subscribes to them, each worker fans out
 * the figures that changed since its last time, with QoS 0
 * (deliver/sys_values.h).
 * Threads: one worker's. */
#ifndef CONFAB_BROKER_FAN_OUT_SYS_CHANGES_H
#define CONFAB_BROKER_FAN_OUT_SYS_CHANGES_H

struct worker;

/* A filter that matches `$SYS` (sys_topics_match()) is about to enter this
 * worker's index, or has left it. */
void sys_changes_subscribing(struct worker *w);
void sys_changes_unsubscribed(struct worker *w);

/* A part of the worker's turn: fans out what changed. */
void sys_changes_turn(struct worker *w);

#endif
