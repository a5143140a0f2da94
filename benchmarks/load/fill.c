#include "benchmarks/load/fill.h"

#include <stdlib.h>

#include "benchmarks/load/mqtt_publisher.h"
#include "benchmarks/load/naming.h"
#include "benchmarks/measure/fatal.h"
#include "benchmarks/measure/instant.h"

enum { WINDOW = 4096, PATIENCE_S = 10 };

struct filling {
    struct mqtt_publisher publisher;
    uint64_t published, acknowledged;
    int64_t progress_ns;
};

static void on_acknowledged(struct mqtt_publisher *p, int64_t now_ns)
{
    struct filling *f = p->owner;

    if (f->acknowledged == f->published)
        fatal("a PUBACK for nothing");
    f->acknowledged++;
    f->progress_ns = now_ns;
}

static void turn(struct filling *f, struct loop *loop)
{
    loop_turn(loop, instant_ns() + 100 * NS_PER_MS);
    if (instant_ns() - f->progress_ns > PATIENCE_S * NS_PER_S)
        fatal("stuck: of %llu published messages %llu were acknowledged",
              (unsigned long long)f->published,
              (unsigned long long)f->acknowledged);
}

void fill(const struct options *o, struct loop *loop,
          struct payload_format *format, struct stopwatch *watch)
{
    const struct sockaddr_in to = options_address("--mqtt", o->mqtt);
    char **topics = naming_expand_all(o->topic, o);
    struct filling f = {.publisher.acknowledged = on_acknowledged};

    f.publisher.owner = &f;
    f.progress_ns = instant_ns();
    mqtt_publisher_open(&f.publisher, loop, &to, 1, 0);
    while (!f.publisher.connected)
        turn(&f, loop);
    stopwatch_start(watch, instant_ns());
    while (f.acknowledged < o->count) {
        for (; f.published < o->count && f.published - f.acknowledged < WINDOW;
             f.published++) {
            const struct payload p = {.number = (uint32_t)f.published};

            mqtt_publisher_send(&f.publisher, topics[f.published % o->things],
                                payload_write(format, &p), format->size);
        }
        turn(&f, loop);
    }
    stopwatch_stop(watch, instant_ns());
    conn_close(&f.publisher.conn);
    naming_free_all(topics, o);
}
