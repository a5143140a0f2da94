/* What the broker holds at a moment, as log lines, for SIGUSR1: a line for
 * the writer, one for the store, one per worker, and up to STATE_DUMP_OWING
 * for those of its connections with the most output waiting. Tokens are
 * shortened. */
#ifndef CONFAB_BROKER_STATE_DUMP_H
#define CONFAB_BROKER_STATE_DUMP_H

struct hub;
struct worker;

#define STATE_DUMP_OWING 3
/* Connections examined per worker; the worker's line says so if there are
 * more. */
#define STATE_DUMP_LOOKS 20000

/* Logs writer and store at once, and the workers in their next turn: wake
 * them. Any thread. */
void state_dump(struct hub *hub);
/* The worker's part, if a dump was requested. Call it in its thread. */
void state_dump_turn(struct worker *w);

#endif
