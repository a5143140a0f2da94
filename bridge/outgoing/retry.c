#include "bridge/outgoing/retry.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#define DATE_LEN 29       /* "Sun, 06 Nov 1994 08:49:37 GMT" */
#define SECONDS_DIGITS 10 /* 300 years; longer ones are nonsense */

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* first_ms doubled failed - 1 times, up to max_ms. */
static int64_t full_delay_ms(const struct retry_plan *plan, unsigned failed)
{
    int64_t delay = least(plan->first_ms, plan->max_ms);

    for (unsigned i = 1; i < failed && delay < plan->max_ms; i++)
        delay = delay > plan->max_ms / 2 ? plan->max_ms : 2 * delay;
    return delay;
}

int64_t retry_delay_ms(const struct retry_plan *plan, unsigned failed,
                       int64_t retry_after_ms, uint32_t random)
{
    assert(failed > 0);
    if (failed >= plan->attempts)
        return RETRY_NEVER;
    const int64_t half = full_delay_ms(plan, failed) / 2;
    /* In double: half times 2^32 would overflow for delays of years. */
    const int64_t delay =
        half + (int64_t)((double)half * ((double)random / UINT32_MAX));
    const int64_t asked = least(retry_after_ms, plan->retry_after_max_ms);
    return asked > delay ? asked : delay;
}

static bool parse_seconds(const char *text, size_t len, int64_t *ret_seconds)
{
    int64_t seconds = 0;

    if (len == 0 || len > SECONDS_DIGITS || strspn(text, "0123456789") != len)
        return false;
    for (size_t i = 0; i < len; i++)
        seconds = seconds * 10 + (text[i] - '0');
    *ret_seconds = seconds;
    return true;
}

/* Names of months and weekdays are English here whatever the locale: the process
 * never calls setlocale(). */
static bool parse_date(const char *text, int64_t *ret_s)
{
    struct tm tm = {0};
    const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);

    if (end == NULL || *end != '\0')
        return false;
    *ret_s = timegm(&tm);
    return true;
}

int64_t retry_after_parse_ms(struct slice value, int64_t now_us)
{
    char text[DATE_LEN + 1];
    int64_t seconds;

    if (value.len == 0 || value.len > DATE_LEN)
        return RETRY_AFTER_NONE;
    memcpy(text, value.data, value.len);
    text[value.len] = '\0';
    if (parse_seconds(text, value.len, &seconds))
        return seconds * 1000;
    if (!parse_date(text, &seconds) || seconds * 1000000 <= now_us)
        return RETRY_AFTER_NONE;
    return (seconds * 1000000 - now_us) / 1000;
}
