/* Closes connections whose key or JWT has expired (caller.expires_us). A worker knows
 * when the first of its connections is due, so a turn costs one comparison. A timer
 * makes a turn happen in time; it runs only while such connections are there.
 * Threads: the worker's. */
#ifndef CONFAB_BROKER_SESSION_KEY_END_H
#define CONFAB_BROKER_SESSION_KEY_END_H

struct connection;
struct worker;

void key_end_init(struct worker *w);
/* c has its caller now. */
void key_end_expect(struct connection *c);
/* A part of the worker's turn. */
void key_end_turn(struct worker *w);

#endif
