/* The state behind GET /health: one ping under way at a time, its result kept
 * for a second. Any thread. */
#ifndef CONFAB_BRIDGE_DOORS_SERVER_HEALTH_H
#define CONFAB_BRIDGE_DOORS_SERVER_HEALTH_H

struct health;
struct front;

struct health *health_new(struct front *front); /* NULL: out of memory */
void health_free(struct health *h); /* no ping under way, nobody waiting */

#endif
