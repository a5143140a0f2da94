#include "benchmarks/load/traffic.h"

#include <stdio.h>

#include "benchmarks/load/audience.h"
#include "benchmarks/load/bystanders.h"
#include "benchmarks/load/ledger.h"
#include "benchmarks/load/press.h"
#include "benchmarks/load/stopwatch.h"
#include "benchmarks/measure/fatal.h"
#include "benchmarks/measure/instant.h"

enum {
    PATIENCE_S = 10, /* without any progress: something was lost */
    LINGER_MS = 50   /* after the last delivery: time for doubles to show */
};

struct traffic {
    const struct traffic_plan *plan;
    const struct options *options;
    struct loop loop;
    struct ledger ledger;
    struct load_audience audience;
    struct press press;
    struct stopwatch watch;
    bool publishing;
    int64_t due_ns;   /* fixed rate: when the next message is due */
    unsigned turn;    /* fixed rate: the publisher that is asked first */
    uint64_t answers; /* counted while the stopwatch ran */
    uint64_t deliveries;
    struct histogram latency;
};

static void publish_freely(struct traffic *t)
{
    for (unsigned i = 0; i < t->plan->publishers; i++)
        while (t->publishing && ledger_may_publish(&t->ledger, i)) {
            press_publish(&t->press, i, instant_ns());
            if (t->ledger.published == t->options->count)
                t->publishing = false;
        }
}

/* Messages are dated when they were due, not when a publisher was free: a
 * server that stalls must not slow the clock it is measured by. */
static void publish_due(struct traffic *t, int64_t now_ns)
{
    const int64_t period_ns = (int64_t)(1e9 / t->plan->rate);

    for (unsigned tried = 0;
         t->due_ns <= now_ns && tried < t->plan->publishers;) {
        const unsigned source = t->turn++ % t->plan->publishers;

        if (!ledger_may_publish(&t->ledger, source)) {
            tried++;
            continue;
        }
        press_publish(&t->press, source, t->due_ns);
        t->due_ns += period_ns;
        tried = 0;
        if (t->ledger.published == t->options->count) {
            t->publishing = false;
            return;
        }
    }
}

static void forget(struct traffic *t)
{
    t->ledger.answer_latency = (struct histogram){0};
    t->ledger.delivery_latency = (struct histogram){0};
    t->answers = t->ledger.answers;
    t->deliveries = t->ledger.deliveries;
}

static void take_figures(struct traffic *t)
{
    t->answers = t->ledger.answers - t->answers;
    t->deliveries = t->ledger.deliveries - t->deliveries;
    t->latency = t->plan->count_deliveries ? t->ledger.delivery_latency
                                           : t->ledger.answer_latency;
}

static void check_progress(const struct traffic *t, int64_t now_ns)
{
    if (!ledger_settled(&t->ledger) &&
        now_ns - t->ledger.progress_ns > PATIENCE_S * NS_PER_S)
        ledger_give_up(&t->ledger);
}

static void turn(struct traffic *t)
{
    const int64_t now_ns = instant_ns();
    int64_t until_ns = now_ns + NS_PER_MS;

    if (t->publishing && t->plan->rate > 0) {
        publish_due(t, now_ns);
        if (t->publishing && t->due_ns < until_ns)
            until_ns = t->due_ns;
    } else if (t->publishing) {
        publish_freely(t);
    }
    loop_turn(&t->loop, until_ns);
    check_progress(t, now_ns);
}

static void run_for_a_time(struct traffic *t)
{
    const struct options *o = t->options;

    stopwatch_set(&t->watch, instant_ns(), o->warmup, o->duration);
    while (t->publishing) {
        turn(t);
        switch (stopwatch_tick(&t->watch, instant_ns())) {
        case STOPWATCH_STARTED: forget(t); break;
        case STOPWATCH_STOPPED:
            take_figures(t);
            t->publishing = false;
            break;
        case STOPWATCH_SAME: break;
        }
    }
    while (!ledger_settled(&t->ledger))
        turn(t);
}

static void run_for_a_count(struct traffic *t)
{
    stopwatch_start(&t->watch, instant_ns());
    forget(t);
    while (t->publishing || !ledger_settled(&t->ledger))
        turn(t);
    stopwatch_stop(&t->watch, t->ledger.progress_ns);
    take_figures(t);
}

static void report(const struct traffic *t)
{
    const struct traffic_plan *plan = t->plan;
    const uint64_t counted =
        plan->count_deliveries ? t->deliveries : t->answers;
    const double seconds = stopwatch_seconds(&t->watch);

    printf("{\"mode\":\"%s\",\"ok\":true,\"unit\":\"%s\",\"rate\":%.0f,"
           "\"p50_us\":%.0f,\"p99_us\":%.0f,\"max_us\":%.0f,"
           "\"count\":%llu,\"seconds\":%.3f,",
           plan->mode, plan->unit, (double)counted / seconds,
           histogram_us(&t->latency, 0.5), histogram_us(&t->latency, 0.99),
           (double)t->latency.max_ns / 1e3, (unsigned long long)counted,
           seconds);
    printf("\"deliveries_per_s\":%.0f,\"readers\":%u,\"publishers\":%u,"
           "\"window\":%llu,\"things\":%llu,\"qos\":%llu,\"size\":%llu,"
           "\"published\":%llu,\"verified\":%llu,\"load_cpu\":%.2f}\n",
           (double)t->deliveries / seconds, plan->readers, plan->publishers,
           (unsigned long long)t->options->window,
           (unsigned long long)t->options->things,
           (unsigned long long)t->options->qos,
           (unsigned long long)t->options->size,
           (unsigned long long)t->ledger.published,
           (unsigned long long)t->ledger.deliveries, stopwatch_cpu(&t->watch));
}

static void wait_until(struct traffic *t, int64_t until_ns)
{
    while (instant_ns() < until_ns)
        loop_turn(&t->loop, until_ns);
}

void traffic_run(const struct traffic_plan *plan, const struct options *o)
{
    static struct traffic t; /* large, and its parts must not move */
    const struct ledger_shape shape = {
        .sources = plan->publishers,
        .window = plan->window,
        .wider = plan->wider,
        .things = (unsigned)o->things,
        .rotate = plan->rotate,
        .answered = plan->publishers_by != PROTOCOL_MQTT || o->qos > 0,
        .await_deliveries = plan->await_deliveries,
        .payload_size = o->size,
    };

    if (!shape.answered && (!shape.await_deliveries || plan->readers == 0))
        fatal("QoS 0 without a reader: nothing would tell what arrived");
    t.plan = plan;
    t.options = o;
    loop_init(&t.loop);
    ledger_init(&t.ledger, &shape);
    bystanders_open(o, &t.loop);
    if (plan->readers > 0) {
        audience_init(&t.audience, o, plan->readers_by, &t.loop, &t.ledger);
        audience_open(&t.audience, plan->readers);
    }
    press_open(&t.press, plan, o, &t.loop, &t.ledger);
    wait_until(&t, instant_ns() + (int64_t)(o->settle * 1e9));

    t.publishing = true;
    t.due_ns = instant_ns();
    if (o->count > 0)
        run_for_a_count(&t);
    else
        run_for_a_time(&t);
    wait_until(&t, instant_ns() + LINGER_MS * NS_PER_MS);
    report(&t);
}
