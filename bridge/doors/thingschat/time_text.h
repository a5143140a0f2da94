/* Times in queries. Pure. */
#ifndef CONFAB_BRIDGE_DOORS_THINGSCHAT_TIME_TEXT_H
#define CONFAB_BRIDGE_DOORS_THINGSCHAT_TIME_TEXT_H

#include <stdbool.h>
#include <stdint.h>

/* Microseconds since 1970 from ISO 8601, in the forms of RFC 3339, PostgreSQL, Python
 * and `date -I`:
 *   date   2026-11-21, week 2026-W47-6, day of the year 2026-325; without hyphens
 *          20261121, 2026W476, 2026325. A week without a day means its Monday
 *   then nothing (midnight), or T, t or a blank and a
 *   time   06, 06:32, 06:32:17, 0632, 063217; the last component may have a fraction
 *          after . or , (digits below a microsecond are ignored). 24:00 is midnight
 *          at the end of the day; a leap second, 23:59:60 in UTC, is the second
 *          after it (RFC 3339 §5.7)
 *   zone   nothing or Z for UTC, ±hh, ±hhmm, ±hh:mm; a blank is read as the + that
 *          the query turned into it
 * Years are 1970–9999. Digits alone are milliseconds since 1970, at most 15 of them;
 * eight digits are a date. */
enum time_fault {
    TIME_OK,
    TIME_SECONDS, /* nine to eleven digits: probably seconds since 1970; as
                     milliseconds they would be before March 1973 */
    TIME_MALFORMED
};
enum time_fault time_parse(const char *text, int64_t *ret_us);

#endif
