#include "bridge/counters/bridge_counters.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define CACHE_LINE 64

_Thread_local _Atomic uint64_t *bridge_slots;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards the rest */
static struct metrics *registry;                          /* NULL: not yet */
static const char *doors[BRIDGE_DOORS_MAX];
static unsigned door_count;
/* Shared by threads for which no block could be allocated: counts made at the same
 * time may be lost. */
static _Atomic uint64_t spare_slots[BRIDGE_SLOTS];
static bool spare_is_used, has_formats;

static _Atomic int64_t oldest_request_us;

static const struct metric rows[] = {
#define X(slot, type, unit, name, label, value, help)                         \
    {name,          {{label, value}},                                         \
     METRIC_##type, METRIC_##unit,                                            \
     COUNT_##slot,  NULL,                                                     \
     NULL,          help},
    BRIDGE_METRICS(X)
#undef X
};

static const char *const statuses[STATUS_COUNT] = {
#define X(code) #code,
    BRIDGE_STATUSES(X)
#undef X
};

/* ---- with the mutex held ------------------------------------------------- */

static bool add_door(const char *name)
{
    struct metric all[STATUS_COUNT];

    for (unsigned i = 0; i < STATUS_COUNT; i++)
        all[i] = (struct metric){
            .name = "http_requests",
            .labels = {{"door", name}, {"status", statuses[i]}},
            .type = METRIC_RARE,
            .slot =
                (uint16_t)(COUNT_FIRST_DOOR + door_count * STATUS_COUNT + i),
            .help = "HTTP requests, by the API that they were for and the "
                    "status they were answered with.",
        };
    if (!metrics_add_rows(registry, all, STATUS_COUNT, NULL))
        return false;
    doors[door_count++] = name;
    return true;
}

static bool add_formats(const char *name, unsigned slot, enum metric_type type,
                        const char *help, const char *const *formats,
                        size_t count)
{
    struct metric all[BRIDGE_FORMATS_MAX];

    for (unsigned i = 0; i < count; i++)
        all[i] = (struct metric){
            .name = name,
            .labels = {{"format", formats[i]}},
            .type = type,
            .slot = (uint16_t)(slot + i),
            .help = help,
        };
    return metrics_add_rows(registry, all, count, NULL);
}

/* rows[] were added first, so a slot number is also the number of its row. */
static void sample_oldest_request(void *arg, uint64_t *values)
{
    const int64_t since_us = atomic_load(&oldest_request_us);
    const int64_t now_us = clock_mono_us();

    (void)arg;
    values[COUNT_LINK_OLDEST] =
        since_us == 0 || since_us > now_us ? 0 : (uint64_t)(now_us - since_us);
}

static bool ensure_registry(void)
{
    if (registry != NULL)
        return true;
    registry = metrics_new(sample_oldest_request, NULL);
    if (registry != NULL &&
        metrics_add_rows(registry, rows, sizeof(rows) / sizeof(rows[0]), NULL))
        return true;
    metrics_free(registry);
    registry = NULL;
    return false;
}

static _Atomic uint64_t *use_spare(void)
{
    if (!spare_is_used && registry != NULL)
        spare_is_used = metrics_add_block(registry, spare_slots);
    return spare_slots;
}

/* ---- any thread ---------------------------------------------------------- */

_Atomic uint64_t *bridge_slots_make(void)
{
    const size_t size =
        (BRIDGE_SLOTS * sizeof(_Atomic uint64_t) + CACHE_LINE - 1) &
        ~(size_t)(CACHE_LINE - 1);
    _Atomic uint64_t *slots = aligned_alloc(CACHE_LINE, size);

    if (slots != NULL)
        memset((void *)slots, 0, size);
    pthread_mutex_lock(&mutex);
    if (!ensure_registry() || slots == NULL ||
        !metrics_add_block(registry, slots)) {
        free((void *)slots);
        slots = use_spare();
    }
    pthread_mutex_unlock(&mutex);
    bridge_slots = slots;
    return slots;
}

void bridge_count_formats(const char *const *names, size_t count)
{
    assert(count <= BRIDGE_FORMATS_MAX);
    pthread_mutex_lock(&mutex);
    if (!has_formats && ensure_registry())
        has_formats =
            add_formats("streams", COUNT_STREAMS, METRIC_GAUGE,
                        "Open live streams, by format.", names, count) &&
            add_formats("streams_opened", COUNT_STREAMS_OPENED, METRIC_COUNTER,
                        "Live streams opened, by format.", names, count) &&
            add_formats("streams_encoded", COUNT_STREAMS_ENCODED,
                        METRIC_COUNTER,
                        "Live messages encoded (and compressed), by format: "
                        "once each for all streams.",
                        names, count);
    pthread_mutex_unlock(&mutex);
}

void bridge_note_oldest_request(int64_t since_us)
{
    atomic_store_explicit(&oldest_request_us, since_us, memory_order_relaxed);
}

unsigned bridge_count_door(const char *name)
{
    unsigned door = 0;

    pthread_mutex_lock(&mutex);
    if (ensure_registry() && (door_count > 0 || add_door("none"))) {
        while (door < door_count && strcmp(doors[door], name) != 0)
            door++;
        if (door == door_count &&
            (door == BRIDGE_DOORS_MAX || !add_door(name)))
            door = 0;
    }
    pthread_mutex_unlock(&mutex);
    return door;
}

static unsigned index_of(unsigned status)
{
    switch (status) {
#define X(code)                                                               \
    case code: return STATUS_##code;
        BRIDGE_STATUSES(X)
#undef X
    default: return STATUS_500;
    }
}

void bridge_count_response(unsigned door, unsigned status)
{
    counter_add(bridge_slot(COUNT_FIRST_DOOR + door * STATUS_COUNT +
                            index_of(status)),
                1);
}

struct metrics *bridge_metrics(void)
{
    pthread_mutex_lock(&mutex);
    ensure_registry();
    pthread_mutex_unlock(&mutex);
    return registry;
}
