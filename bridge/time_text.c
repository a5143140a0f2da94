#include "bridge/time_text.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Exactly `digits` decimal digits at *p, which moves behind them. */
static bool take_digits(const char **p, int digits, int min, int max, int *ret)
{
    int v = 0;

    for (int i = 0; i < digits; i++, (*p)++) {
        if (**p < '0' || **p > '9')
            return false;
        v = v * 10 + (**p - '0');
    }
    *ret = v;
    return v >= min && v <= max;
}

static bool take_char(const char **p, char c)
{
    if (**p != c)
        return false;
    (*p)++;
    return true;
}

/* `.123456`, more digits are dropped. */
static bool take_fraction(const char **p, int64_t *ret_us)
{
    int64_t unit = 100000;

    if (**p < '0' || **p > '9')
        return false;
    for (; **p >= '0' && **p <= '9'; (*p)++, unit /= 10)
        *ret_us += (**p - '0') * unit;
    return true;
}

static bool take_clock(const char **p, struct tm *t, int64_t *ret_us)
{
    if (!take_digits(p, 2, 0, 23, &t->tm_hour) || !take_char(p, ':') ||
        !take_digits(p, 2, 0, 59, &t->tm_min))
        return false;
    if (!take_char(p, ':'))
        return true;
    if (!take_digits(p, 2, 0, 60, &t->tm_sec))
        return false;
    return !take_char(p, '.') || take_fraction(p, ret_us);
}

static bool take_zone(const char **p, int64_t *ret_offset_s)
{
    int hours, minutes;
    const char sign = **p;

    *ret_offset_s = 0;
    if (sign == '\0' || take_char(p, 'Z') || take_char(p, 'z'))
        return true;
    if (sign != '+' && sign != '-' && sign != ' ')
        return false;
    (*p)++;
    if (!take_digits(p, 2, 0, 23, &hours))
        return false;
    take_char(p, ':');
    if (!take_digits(p, 2, 0, 59, &minutes))
        return false;
    *ret_offset_s = (hours * 60 + minutes) * 60 * (sign == '-' ? -1 : 1);
    return true;
}

static bool parse_iso(const char *p, int64_t *ret_us)
{
    struct tm t = {0};
    int64_t us = 0, offset = 0;

    if (!take_digits(&p, 4, 1970, 9999, &t.tm_year) || !take_char(&p, '-') ||
        !take_digits(&p, 2, 1, 12, &t.tm_mon) || !take_char(&p, '-') ||
        !take_digits(&p, 2, 1, 31, &t.tm_mday))
        return false;
    if ((take_char(&p, 'T') || take_char(&p, 't') || take_char(&p, ' ')) &&
        !take_clock(&p, &t, &us))
        return false;
    if (!take_zone(&p, &offset) || *p != '\0')
        return false;
    t.tm_year -= 1900;
    t.tm_mon -= 1;
    const int day = t.tm_mday;
    const time_t s = timegm(&t);
    if (t.tm_mday != day && t.tm_sec < 60 && t.tm_hour < 24)
        return false; /* 30 February */
    *ret_us = ((int64_t)s - offset) * 1000000 + us;
    return true;
}

bool time_parse(const char *text, int64_t *ret_us)
{
    const size_t len = strlen(text);

    if (len >= 1 && len <= 15 && strspn(text, "0123456789") == len) {
        *ret_us = strtoll(text, NULL, 10) * 1000;
        return true;
    }
    return parse_iso(text, ret_us);
}
