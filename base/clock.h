/* The two clocks. Code that can be tested takes the time as a parameter;
 * only loops and thread mains call these. Any thread, never blocks. */
#ifndef CONFAB_BASE_CLOCK_H
#define CONFAB_BASE_CLOCK_H

#include <stdint.h>

int64_t clock_real_us(void); /* microseconds since 1970-01-01 UTC */
int64_t clock_mono_us(void); /* microseconds since some fixed point */

#endif
