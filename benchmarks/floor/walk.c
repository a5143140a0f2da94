/* bench_walk: the floor of replay. Stores messages of one topic as the floor
 * does, then reads them all in this process, three times: once to check them,
 * once copying each payload out (`rate`), once writing a row of NDJSON for
 * each (`rows_rate`), which is what a server does before it can send. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "benchmarks/floor/frame.h"
#include "benchmarks/floor/log.h"
#include "benchmarks/measure/fatal.h"
#include "benchmarks/measure/instant.h"
#include "benchmarks/wire/payload.h"

/* OUT_SIZE: what is read goes to a buffer of what one send takes. */
enum { BATCH = 4096, OUT_SIZE = 1 << 16 };

#define TOPIC "bench/replay"

struct walk {
    const char *dir;
    uint64_t count;
    size_t size;
    struct payload_format format;
    struct bytes out;
    uint64_t seen;
    int64_t created_us; /* what `at` says */
    struct frame_time at;
};

static void usage(void)
{
    fputs("usage: bench_walk --data DIR [--count K] [--size BYTES]\n", stderr);
    exit(2);
}

static uint64_t whole(const char *text, uint64_t min, uint64_t max)
{
    char *end;
    const unsigned long long value = strtoull(text, &end, 10);

    if (end == text || *end != '\0' || value < min || value > max)
        usage();
    return value;
}

static void parse(struct walk *w, int argc, char **argv)
{
    if (argc % 2 == 0)
        usage();
    for (int i = 1; i < argc; i += 2) {
        if (strcmp(argv[i], "--data") == 0)
            w->dir = argv[i + 1];
        else if (strcmp(argv[i], "--count") == 0)
            w->count = whole(argv[i + 1], 1, 999999999);
        else if (strcmp(argv[i], "--size") == 0)
            w->size = whole(argv[i + 1], PAYLOAD_MIN, PAYLOAD_MAX);
        else
            usage();
    }
    if (w->dir == NULL)
        usage();
}

static void store(struct walk *w, struct log *l)
{
    struct topic *topic = topic_of(TOPIC, strlen(TOPIC));
    struct entry_list batch = STAILQ_HEAD_INITIALIZER(batch);
    struct timespec now;

    for (uint64_t n = 0; n < w->count;) {
        clock_gettime(CLOCK_REALTIME, &now);
        for (unsigned i = 0; i < BATCH && n < w->count; i++, n++) {
            const struct payload p = {.number = (uint32_t)n};
            struct entry *e =
                entry_new(topic, NULL, 0, payload_write(&w->format, &p),
                          w->size);

            e->id = n + 1;
            e->created_us = now.tv_sec * 1000000 + now.tv_nsec / NS_PER_US;
            STAILQ_INSERT_TAIL(&batch, e, next);
        }
        log_append(l, &batch);
        while (!STAILQ_EMPTY(&batch)) {
            struct entry *e = STAILQ_FIRST(&batch);

            STAILQ_REMOVE_HEAD(&batch, next);
            free(e);
        }
    }
}

static void check(void *arg, const struct record *r)
{
    struct walk *w = arg;
    struct payload p;

    if (r->id != w->seen + 1 || strcmp(r->topic, TOPIC) != 0 ||
        r->len != w->size || !payload_read(&w->format, r->payload, &p) ||
        p.number != w->seen)
        fatal("record %" PRIu64 " is not what was stored", w->seen);
    w->seen++;
}

static void make_room(struct walk *w)
{
    if (w->out.len > OUT_SIZE)
        bytes_clear(&w->out);
}

static void copy(void *arg, const struct record *r)
{
    struct walk *w = arg;

    make_room(w);
    bytes_put(&w->out, r->payload, r->len);
    w->seen++;
}

static void put_row(void *arg, const struct record *r)
{
    struct walk *w = arg;

    make_room(w);
    if (r->created_us != w->created_us) { /* as a rule it is the last one's */
        w->created_us = r->created_us;
        frame_time_set(&w->at, r->created_us);
    }
    frame_put_row(&w->out, r, &w->at);
    bytes_put_u8(&w->out, '\n');
    w->seen++;
}

/* Messages per second. */
static double rate_of(struct walk *w, struct log *l,
                      void (*visit)(void *arg, const struct record *r))
{
    const int64_t begin_ns = instant_ns();

    w->seen = 0;
    log_walk(l, LOG_OLDEST_FIRST, UINT64_MAX, visit, w);
    if (w->seen != w->count)
        fatal("%" PRIu64 " of %" PRIu64 " records were there", w->seen,
              w->count);
    return (double)w->count * 1e9 / (double)(instant_ns() - begin_ns);
}

int main(int argc, char **argv)
{
    struct walk w = {.count = 200000, .size = 100};

    parse(&w, argc, argv);
    payload_format_init(&w.format, w.size);
    struct log *l = log_open(w.dir);

    store(&w, l);
    rate_of(&w, l, check);
    const double rate = rate_of(&w, l, copy);
    const double rows_rate = rate_of(&w, l, put_row);

    log_close(l);
    printf("{\"mode\":\"walk\",\"ok\":true,\"unit\":\"messages/s\","
           "\"rate\":%.0f,\"rows_rate\":%.0f,\"count\":%" PRIu64
           ",\"size\":%zu}\n",
           rate, rows_rate, w.count, w.size);
    return 0;
}
