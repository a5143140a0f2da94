/* Closes connections whose key or JWT has expired (caller.expires_us). A worker knows
 * when the first of its connections is due, so a turn costs one comparison. A timer
 * makes a turn happen in time; it runs only while such connections are there.
 * Threads: the worker's. */
#ifndef CONFAB_BROKER_CLIENT_KEY_END_H
#define CONFAB_BROKER_CLIENT_KEY_END_H

#include <stdint.h>

struct connection;
struct worker;

void key_end_init(struct worker *w);
/* c has its caller now. */
void key_end_expect(struct connection *c);
/* c's key has got an end since, which counts if it is earlier. */
void key_end_by(struct connection *c, int64_t end_us);
/* A part of the worker's turn. */
void key_end_turn(struct worker *w);

#endif
