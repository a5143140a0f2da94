/* One line per event on stderr: `<time> <level> <area>: <text>`; under systemd
 * (JOURNAL_STREAM set) the sd-daemon priority prefix `<N>` instead of the
 * time.
 *
 * Threads:  any; a line is written with one write(2) and never torn.
 * Secrets:  log a token only as log_token(t), and never a payload.
 * Control characters in the text are escaped, so a client cannot forge
 * lines. */
#ifndef CONFAB_BASE_LOG_H
#define CONFAB_BASE_LOG_H

#include <stddef.h>

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARN,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG
};

/* The least severe level that is logged; default info. Call before threads
 * start. */
void log_set_level(enum log_level level);

void log_line(enum log_level level, const char *area, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(area, ...) log_line(LOG_LEVEL_ERROR, area, __VA_ARGS__)
#define log_warn(area, ...) log_line(LOG_LEVEL_WARN, area, __VA_ARGS__)
#define log_info(area, ...) log_line(LOG_LEVEL_INFO, area, __VA_ARGS__)
#define log_debug(area, ...) log_line(LOG_LEVEL_DEBUG, area, __VA_ARGS__)

/* A token as logs may show it: its first four characters and an ellipsis, or
 * `-` if empty. Returned by value, so that it can be used in an argument list:
 * log_info("auth", "refused %s", log_token(t, n).text); */
struct log_token {
    char text[12];
};
struct log_token log_token(const void *token, size_t len);

#endif
