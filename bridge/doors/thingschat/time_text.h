/* Times in queries. Pure. */
#ifndef CONFAB_BRIDGE_DOORS_THINGSCHAT_TIME_TEXT_H
#define CONFAB_BRIDGE_DOORS_THINGSCHAT_TIME_TEXT_H

#include <stdbool.h>
#include <stdint.h>

/* Microseconds since 1970 from ISO 8601, as RFC 3339, PostgreSQL, Python and
 * `date -I` write it:
 *   date   2026-11-21, week 2026-W47-6, day of the year 2026-325; without
 *          hyphens 20261121, 2026W476, 2026325; a week without its day begins
 *          on Monday
 *   then nothing (midnight), or T, t or a blank and the
 *   clock  06, 06:32, 06:32:17, 0632, 063217; the last of them with a fraction
 *          behind . or , (what is below a microsecond is dropped); 24:00 is
 *          midnight at the end of the day; a leap second, 23:59:60 in UTC, is
 *          the second behind it (RFC 3339 §5.7)
 *   zone   nothing or Z for UTC, ±hh, ±hhmm, ±hh:mm; a blank stands for the +
 *          that queries turn into one
 * Years are 1970–9999. Digits alone are milliseconds since 1970, at most 15,
 * but for eight, which are a date. */
enum time_fault {
    TIME_OK,
    TIME_SECONDS, /* nine to eleven digits: seconds since 1970, as it seems, as
                     milliseconds they would be before March 1973 */
    TIME_MALFORMED
};
enum time_fault time_parse(const char *text, int64_t *ret_us);

#endif
