#include "benchmarks/churn/report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { PRINTED_ERRORS = 100 };

struct churn_report report;

static void print_json_string(const char *s)
{
    putchar('"');
    for (; *s != '\0'; s++) {
        const unsigned char c = (unsigned char)*s;

        if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c < 0x20 || c > 0x7e)
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

void report_error(const char *fmt, ...)
{
    char text[512];
    va_list args;

    if (report.errors++ >= PRINTED_ERRORS)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    fputs("{\"event\":\"error\",\"text\":", stdout);
    print_json_string(text);
    fputs("}\n", stdout);
    fflush(stdout);
}

void report_interval(double at_s, double seconds, unsigned readers,
                     unsigned publishers, unsigned slow)
{
    const struct histogram *h = &report.latency;
    const uint64_t errors = report.errors;

    printf("{\"event\":\"interval\",\"at_s\":%.1f,\"seconds\":%.2f,"
           "\"readers\":%u,\"publishers\":%u,\"slow\":%u,"
           "\"published\":%" PRIu64 ",\"acknowledged\":%" PRIu64
           ",\"posts\":%" PRIu64 ",\"delivered\":%" PRIu64
           ",\"replayed\":%" PRIu64 ",\"repeated\":%" PRIu64
           ",\"joined\":%" PRIu64 ",\"cut\":%" PRIu64 ",\"errors\":%" PRIu64
           ",\"p50_us\":%.0f,\"p99_us\":%.0f,\"max_us\":%.0f}\n",
           at_s, seconds, readers, publishers, slow, report.published,
           report.acknowledged, report.posts, report.delivered,
           report.replayed, report.repeated, report.joined, report.cut, errors,
           histogram_us(h, 0.5), histogram_us(h, 0.99),
           (double)h->max_ns / 1e3);
    fflush(stdout);
    report = (struct churn_report){.errors = errors};
}

void report_event(const char *name)
{
    printf("{\"event\":\"%s\"}\n", name);
    fflush(stdout);
}
