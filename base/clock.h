/* The two clocks. Testable code takes the time as a parameter; only event
 * loops and the main functions of threads call these. Any thread; they never
 * block. */
#ifndef CONFAB_BASE_CLOCK_H
#define CONFAB_BASE_CLOCK_H

#include <stdint.h>

int64_t clock_real_us(void); /* microseconds since 1970-01-01 UTC */
int64_t clock_mono_us(void); /* microseconds since some fixed point */

#endif
