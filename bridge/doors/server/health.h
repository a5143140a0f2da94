/* The state behind GET /health: one ping in flight at a time, whose result is kept for
 * a second. Any thread. */
#ifndef CONFAB_BRIDGE_DOORS_SERVER_HEALTH_H
#define CONFAB_BRIDGE_DOORS_SERVER_HEALTH_H

struct health;
struct front;

struct health *health_new(struct front *front); /* NULL: out of memory */
void health_free(
    struct health *h); /* with no ping in flight, nobody waiting */

#endif
