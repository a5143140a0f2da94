#include "bridge/doors/thingschat/time_text.h"

#include <stdlib.h>
#include <string.h>

#define DAY_S INT64_C(86400)
#define MILLISECONDS_DIGITS 15

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads exactly `digits` decimal digits at *p and moves *p past them. */
static bool read_number(const char **p, int digits, int min, int max, int *ret)
{
    int v = 0;

    for (int i = 0; i < digits; i++, (*p)++) {
        if (!is_digit(**p))
            return false;
        v = v * 10 + (**p - '0');
    }
    *ret = v;
    return v >= min && v <= max;
}

static bool skip_char(const char **p, char c)
{
    if (**p != c)
        return false;
    (*p)++;
    return true;
}

/* ---- dates --------------------------------------------------------------- */

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days from 1970-01-01 to the first of January. */
static int64_t days_before_year(int year)
{
    const int64_t y = year - 1;

    return 365 * (y - 1969) + y / 4 - y / 100 + y / 400 - 477;
}

static bool day_of_month(int year, int month, int day, int64_t *ret_days)
{
    static const int before[] = {0,   31,  59,  90,  120, 151, 181,
                                 212, 243, 273, 304, 334, 365};
    const int leap_day = is_leap(year) ? 1 : 0;
    const int length =
        before[month] - before[month - 1] + (month == 2 ? leap_day : 0);

    if (day > length) /* 30 February */
        return false;
    *ret_days = days_before_year(year) + before[month - 1] +
                (month > 2 ? leap_day : 0) + day - 1;
    return true;
}

static bool day_of_year(int year, int day, int64_t *ret_days)
{
    if (day > (is_leap(year) ? 366 : 365))
        return false;
    *ret_days = days_before_year(year) + day - 1;
    return true;
}

/* The Monday of week 1, the week that has the year's first Thursday. */
static int64_t first_monday(int year)
{
    const int64_t fourth = days_before_year(year) + 3; /* always in week 1 */

    return fourth - (fourth + 3) % 7; /* 1970-01-01 was a Thursday */
}

static bool day_of_week(int year, int week, int weekday, int64_t *ret_days)
{
    *ret_days = first_monday(year) + 7 * (week - 1) + weekday - 1;
    return week < 53 || first_monday(year) + 7 * 52 < first_monday(year + 1);
}

static bool read_week(const char **p, int year, bool hyphens,
                      int64_t *ret_days)
{
    int week, weekday = 1;

    if (!read_number(p, 2, 1, 53, &week))
        return false;
    const bool has_day = hyphens ? skip_char(p, '-') : is_digit(**p);
    if (has_day && !read_number(p, 1, 1, 7, &weekday))
        return false;
    return day_of_week(year, week, weekday, ret_days);
}

static bool read_date(const char **p, int64_t *ret_days)
{
    int year, month, day;

    if (!read_number(p, 4, 1970, 9999, &year))
        return false;
    const bool hyphens = skip_char(p, '-');
    if (skip_char(p, 'W') || skip_char(p, 'w'))
        return read_week(p, year, hyphens, ret_days);
    if (strspn(*p, "0123456789") == 3)
        return read_number(p, 3, 1, 366, &day) &&
               day_of_year(year, day, ret_days);
    return read_number(p, 2, 1, 12, &month) &&
           (!hyphens || skip_char(p, '-')) && read_number(p, 2, 1, 31, &day) &&
           day_of_month(year, month, day, ret_days);
}

/* ---- clock and zone ------------------------------------------------------ */

/* Adds a fraction such as `.5` of a unit of unit_us. */
static bool read_fraction(const char **p, int64_t unit_us, int64_t *ret_us)
{
    int64_t scale = 1, value = 0;

    if (**p != '.' && **p != ',')
        return true;
    (*p)++;
    if (!is_digit(**p))
        return false;
    for (; is_digit(**p); (*p)++)
        if (scale < 1000000000) {
            value = value * 10 + (**p - '0');
            scale *= 10;
        }
    *ret_us += unit_us * value / scale; /* at most 3.6e9 × 1e9: fits */
    return true;
}

struct clock_time {
    int64_t us; /* since midnight */
    bool is_leap_second;
};

static bool read_clock(const char **p, struct clock_time *ret)
{
    int hour, minute = 0, second = 0;
    int64_t unit = 3600, us = 0;

    if (!read_number(p, 2, 0, 24, &hour))
        return false;
    const bool colons = **p == ':';
    if (colons ? skip_char(p, ':') : is_digit(**p)) {
        unit = 60;
        if (!read_number(p, 2, 0, 59, &minute))
            return false;
        if (colons ? skip_char(p, ':') : is_digit(**p)) {
            unit = 1;
            if (!read_number(p, 2, 0, 60, &second))
                return false;
        }
    }
    if (!read_fraction(p, unit * 1000000, &us))
        return false;
    ret->us = (hour * INT64_C(3600) + minute * 60 + second) * 1000000 + us;
    ret->is_leap_second = second == 60;
    return ret->us <= DAY_S * 1000000 || hour < 24;
}

static bool read_zone(const char **p, int64_t *ret_offset_s)
{
    int hours, minutes = 0;
    const char sign = **p;

    *ret_offset_s = 0;
    if (sign == '\0' || skip_char(p, 'Z') || skip_char(p, 'z'))
        return true;
    if (sign != '+' && sign != '-' && sign != ' ')
        return false;
    (*p)++;
    if (!read_number(p, 2, 0, 23, &hours))
        return false;
    if ((skip_char(p, ':') || **p != '\0') &&
        !read_number(p, 2, 0, 59, &minutes))
        return false;
    *ret_offset_s = (hours * 60 + minutes) * 60 * (sign == '-' ? -1 : 1);
    return true;
}

static bool parse_iso(const char *p, int64_t *ret_us)
{
    struct clock_time clock = {0};
    int64_t days = 0, offset_s;

    if (!read_date(&p, &days))
        return false;
    if ((skip_char(&p, 'T') || skip_char(&p, 't') || skip_char(&p, ' ')) &&
        !read_clock(&p, &clock))
        return false;
    if (!read_zone(&p, &offset_s) || *p != '\0')
        return false;
    const int64_t us = clock.us - offset_s * 1000000;
    /* leap seconds are inserted at the end of a UTC day, nowhere else */
    if (clock.is_leap_second && us / 1000000 % DAY_S != 0)
        return false;
    *ret_us = days * DAY_S * 1000000 + us;
    return true;
}

enum time_fault time_parse(const char *text, int64_t *ret_us)
{
    const size_t len = strlen(text);
    const size_t digits = strspn(text, "0123456789");
    const bool seconds = digits >= 9 && digits <= 11 &&
                         (text[digits] == '\0' || text[digits] == '.');

    if (seconds && text[0] != '0')
        return TIME_SECONDS;
    if (len >= 1 && digits == len && len <= MILLISECONDS_DIGITS && len != 8) {
        *ret_us = strtoll(text, NULL, 10) * 1000;
        return TIME_OK;
    }
    return parse_iso(text, ret_us) ? TIME_OK : TIME_MALFORMED;
}
