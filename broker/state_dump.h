/* What the broker holds at a moment, as lines of the log: for SIGUSR1. A line for
 * the writer, one for the store, one for each worker and up to STATE_DUMP_OWING for
 * the connections of it that are owed most. Tokens are shortened. */
#ifndef CONFAB_BROKER_STATE_DUMP_H
#define CONFAB_BROKER_STATE_DUMP_H

struct hub;
struct worker;

#define STATE_DUMP_OWING 3
/* Connections of a worker that are looked at: their line says so if there are
 * more. */
#define STATE_DUMP_LOOKS 20000

/* Writer and store now, the workers in their next turn: wake them. Any thread. */
void state_dump(struct hub *hub);
/* The worker's thread: if it was asked. */
void state_dump_turn(struct worker *w);

#endif
