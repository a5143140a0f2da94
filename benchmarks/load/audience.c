#include "benchmarks/load/audience.h"

#include <string.h>

#include "benchmarks/load/naming.h"
#include "benchmarks/measure/fatal.h"
#include "benchmarks/measure/instant.h"

enum {
    OPENING_MAX =
        64, /* a listen queue of 100 must do: a dropped SYN costs 1 s */
    PATIENCE_S = 30
};

void audience_init(struct load_audience *a, const struct options *o,
                   enum protocol protocol, struct loop *loop,
                   struct ledger *ledger)
{
    *a = (struct load_audience){
        .loop = loop,
        .ledger = ledger,
        .protocol = protocol,
        .things = (unsigned)o->things,
    };
    if (protocol == PROTOCOL_HTTP) {
        a->address = options_address("--http", o->http);
        a->names = naming_expand_all(o->listen_url, o);
        a->sse = (struct sse_target){
            .to = &a->address,
            .host = options_host(o->http),
            .ready_on_status = strcmp(o->ready, "head") != 0,
            .ledger = ledger,
            .ready = &a->ready,
        };
    } else {
        a->address = options_address("--mqtt", o->mqtt);
        a->names = naming_expand_all(o->topic, o);
        a->mqtt = (struct mqtt_target){
            .to = &a->address,
            .qos = (unsigned)o->qos,
            .ledger = ledger,
            .ready = &a->ready,
        };
    }
}

static void open_one(struct load_audience *a)
{
    const unsigned thing = a->opened % a->things;
    struct reader_book book = {0};

    if (a->ledger != NULL)
        ledger_add_reader(a->ledger, &book, thing);
    if (a->protocol == PROTOCOL_HTTP) {
        struct sse_reader *r = must_zalloc(1, sizeof(*r));

        r->book = book;
        sse_reader_open(r, a->loop, &a->sse, a->names[thing]);
    } else {
        struct mqtt_subscriber *s = must_zalloc(1, sizeof(*s));

        s->book = book;
        mqtt_subscriber_open(s, a->loop, &a->mqtt, a->names[thing], a->opened);
    }
    a->opened++;
}

void audience_open(struct load_audience *a, unsigned count)
{
    const unsigned goal = a->opened + count;
    int64_t give_up_ns = instant_ns() + PATIENCE_S * NS_PER_S;

    while (a->ready < goal) {
        const unsigned ready = a->ready;

        while (a->opened < goal && a->opened - a->ready < OPENING_MAX)
            open_one(a);
        loop_turn(a->loop, instant_ns() + 100 * NS_PER_MS);
        if (a->ready > ready)
            give_up_ns = instant_ns() + PATIENCE_S * NS_PER_S;
        else if (instant_ns() > give_up_ns)
            fatal("%u of %u readers became ready, then none for %d s",
                  a->ready, goal, PATIENCE_S);
    }
}
