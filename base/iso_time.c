#include "base/iso_time.h"

#define SECOND_TEXT 20 /* characters up to the fraction of a second */

/* Days since 1970-01-01 to a date of the Gregorian calendar, by the usual
 * arithmetic on eras of 400 years: gmtime_r costs ten times as much, and this
 * runs for many of the messages sent. */
static void civil_from_days(int64_t days, int64_t *ret_year,
                            unsigned *ret_month, unsigned *ret_day)
{
    days += 719468; /* 0000-03-01 */
    const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    const unsigned doe = (unsigned)(days - era * 146097);
    const unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    const unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    const unsigned mp = (5 * doy + 2) / 153;

    *ret_day = doy - (153 * mp + 2) / 5 + 1;
    *ret_month = mp < 10 ? mp + 3 : mp - 9;
    *ret_year = (int64_t)yoe + era * 400 + (*ret_month <= 2 ? 1 : 0);
}

static void put_two(char *out, unsigned v)
{
    out[0] = (char)('0' + v / 10 % 10);
    out[1] = (char)('0' + v % 10);
}

static void put_three(char *out, unsigned v)
{
    out[0] = (char)('0' + v / 100);
    put_two(out + 1, v);
}

/* Writes `2026-11-21T06:32:17.` for a time in seconds since 1970. */
static void write_second(int64_t second, char to[SECOND_TEXT])
{
    static const char form[] = "0000-00-00T00:00:00.";
    const int64_t day_s = 86400;
    int64_t days = second / day_s, rest = second % day_s, year;
    unsigned month, day;

    if (rest < 0) {
        rest += day_s;
        days--;
    }
    civil_from_days(days, &year, &month, &day);
    const unsigned seconds = (unsigned)rest;
    memcpy(to, form, SECOND_TEXT);
    put_two(to, (unsigned)(year / 100 % 100));
    put_two(to + 2, (unsigned)(year % 100));
    put_two(to + 5, month);
    put_two(to + 8, day);
    put_two(to + 11, seconds / 3600);
    put_two(to + 14, seconds / 60 % 60);
    put_two(to + 17, seconds % 60);
}

void buffer_put_time(struct buffer *b, int64_t at_us, int digits)
{
    /* Successive messages of a history are often from the same second. */
    static _Thread_local struct {
        int64_t second;
        char text[SECOND_TEXT];
    } last;
    const int places = digits > 6 ? 6 : digits;
    int64_t second = at_us / 1000000, fraction = at_us % 1000000;
    char text[SECOND_TEXT + 7];

    if (fraction < 0) {
        fraction += 1000000;
        second--;
    }
    if (second != last.second || last.text[0] == '\0') {
        write_second(second, last.text);
        last.second = second;
    }
    memcpy(text, last.text, SECOND_TEXT);
    put_three(text + SECOND_TEXT, (unsigned)(fraction / 1000));
    if (places > 3)
        put_three(text + SECOND_TEXT + 3, (unsigned)(fraction % 1000));
    text[SECOND_TEXT + places] = 'Z';
    buffer_put(b, text, (size_t)(SECOND_TEXT + places + 1));
}
