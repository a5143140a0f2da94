#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024
#define TOKEN_SHOWN 4

static atomic_int least_severe = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&least_severe, (int)level, memory_order_relaxed);
}

/* `<time> <level> <area>: ` or sd-daemon's `<N><area>: `. */
static size_t put_prefix(char *out, size_t size, enum log_level level,
                         const char *area)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    static const int priorities[] = {3, 4, 6, 7}; /* syslog(3) */
    int n;

    if (getenv("JOURNAL_STREAM") != NULL) {
        n = snprintf(out, size, "<%d>%s: ", priorities[level], area);
    } else {
        struct timespec now;
        struct tm utc;
        clock_gettime(CLOCK_REALTIME, &now);
        gmtime_r(&now.tv_sec, &utc);
        n = snprintf(out, size, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ %s %s: ",
                     utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                     utc.tm_hour, utc.tm_min, utc.tm_sec,
                     now.tv_nsec / 1000000, names[level], area);
    }
    if (n < 0)
        return 0;
    return (size_t)n < size ? (size_t)n : size - 1;
}

/* Control characters and DEL as \xNN: what a client sent must not end the
 * line, colour the terminal or forge another entry. */
static size_t put_escaped(char *out, size_t size, const char *text)
{
    static const char hex[] = "0123456789abcdef";
    size_t len = 0;

    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c >= 0x20 && c != 0x7f) {
            if (len + 1 > size)
                break;
            out[len++] = (char)c;
        } else {
            if (len + 4 > size)
                break;
            out[len++] = '\\';
            out[len++] = 'x';
            out[len++] = hex[c >> 4];
            out[len++] = hex[c & 15];
        }
    }
    return len;
}

void log_line(enum log_level level, const char *area, const char *fmt, ...)
{
    char text[LINE_MAX_BYTES];
    char line[LINE_MAX_BYTES + 128];
    va_list args;

    if ((int)level > atomic_load_explicit(&least_severe, memory_order_relaxed))
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    const int saved = errno;
    size_t len = put_prefix(line, 128, level, area);
    len += put_escaped(line + len, sizeof(line) - len - 1, text);
    line[len++] = '\n';
    /* A single write, so that lines of several threads do not mix. If the log
     * cannot be written (closed stderr, full disk), the server continues. */
    ssize_t n;
    do {
        n = write(STDERR_FILENO, line, len);
    } while (n < 0 && errno == EINTR);
    errno = saved;
}

struct log_token log_token(const void *token, size_t len)
{
    struct log_token shown = {"-"};

    if (len == 0)
        return shown;
    /* The first four characters would reveal too much of a short token. */
    size_t n = len < 2 * TOKEN_SHOWN ? 1 : TOKEN_SHOWN;
    memcpy(shown.text, token, n);
    memcpy(shown.text + n, "\xe2\x80\xa6", 4); /* … and the NUL */
    return shown;
}
