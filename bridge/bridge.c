#include "bridge/bridge.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/address_list.h"
#include "base/callers.h"
#include "base/clock.h"
#include "base/json_write.h"
#include "base/jwt_memo.h"
#include "base/reserved_name.h"
#include "base/thread.h"
#include "base/trace.h"
#include "base/vocabulary.h"
#include "bridge/counters/key_uses.h"
#include "bridge/doors/front.h"
#include "bridge/doors/rooms/rooms.h"
#include "bridge/doors/server/server.h"
#include "bridge/doors/thingschat/thingschat.h"
#include "bridge/doors_report.h"
#include "bridge/http/reads.h"
#include "bridge/http/router.h"
#include "bridge/outgoing/fetcher.h"
#include "bridge/outgoing/webhook_saves.h"
#include "bridge/outgoing/webhook_watch.h"
#include "bridge/outgoing/webhooks.h"
#include "bridge/usage_report.h"

#define REPORT_US INT64_C(1000000)
#define DRAIN_US INT64_C(2000000)
#define LINK_GRACE_MS 1000

/* All front doors, and the settings that say whether each is on and where. The first
 * one answers for paths that no door has. */
#define SETTINGS(name) offsetof(struct config, door_##name)
#define ALWAYS SIZE_MAX /* always on, at the root */
static const struct {
    const struct door *door;
    size_t settings; /* of struct config */
} doors[] = {
    {&thingschat, SETTINGS(thingschat)},
    {&rooms_door, SETTINGS(rooms)},
    {&server_door, ALWAYS},
};
#define DOOR_COUNT (sizeof(doors) / sizeof(doors[0]))

/* Doors that share an address. */
struct door_place {
    const char *listen; /* the setting's value */
    struct mount mounts[DOOR_COUNT];
    size_t mount_count;
    struct router *router;
};

/* The first is http.listen; a door with a listen of its own is alone. */
#define PLACE_COUNT (DOOR_COUNT + 1)
static_assert(PLACE_COUNT <= HTTP_LISTENERS_MAX, "a listener for each place");

struct bridge {
    struct front front;
    struct door_place places[PLACE_COUNT];
    size_t place_count;
    size_t place_of[DOOR_COUNT]; /* PLACE_COUNT: the door is disabled */
    struct http_server *http;
    struct doors_report doors_report; /* the reporter's */
    struct buffer doors_json;
    char clients_path[CONFIG_VALUE_MAX + sizeof(CLIENTS_NAME) + 1];
    struct link_opts to_streams; /* what the link tells streams */
    struct webhooks *webhooks;
    struct webhook_saves *saves;
    struct webhook_watch *watch;
    pthread_t reporter;
    bool has_reporter;
    pthread_mutex_t mutex; /* guards the next three */
    pthread_cond_t asked;
    bool stopping;
    bool look; /* at webhooks, before the second is over */
};

static void tick_doors(struct bridge *b)
{
    for (size_t i = 0; i < b->place_count; i++)
        for (size_t k = 0; k < b->places[i].mount_count; k++) {
            const struct mount *m = &b->places[i].mounts[k];
            if (m->door->tick != NULL)
                m->door->tick(m->state);
        }
}

static void halt_doors(struct bridge *b)
{
    for (size_t i = 0; i < b->place_count; i++)
        for (size_t k = 0; k < b->places[i].mount_count; k++) {
            const struct mount *m = &b->places[i].mounts[k];
            if (m->door->halt != NULL)
                m->door->halt(m->state);
        }
}

/* Once a second tells the broker how many reads were counted, and stores again what
 * webhooks could not. Looks at changes of webhooks at once. Where the store is only
 * read, this thread also frees the slots of dead readers. */
static void *reporter_main(void *arg)
{
    struct bridge *b = arg;
    struct timespec next;

    clock_gettime(CLOCK_MONOTONIC, &next);
    next.tv_sec++;
    pthread_mutex_lock(&b->mutex);
    while (!b->stopping) {
        int rc = 0;
        while (!b->stopping && !b->look && rc == 0)
            rc = pthread_cond_timedwait(&b->asked, &b->mutex, &next);
        const bool is_second = rc != 0 || b->stopping;
        b->look = false;
        pthread_mutex_unlock(&b->mutex);
        webhook_watch_look(b->watch);
        if (is_second) {
            tick_doors(b);
            webhook_saves_again(b->saves);
            usage_report(b->front.reads, b->front.link, clock_real_us());
            key_uses_report(b->front.key_uses, b->front.link, clock_real_us());
            doors_report(&b->doors_report, b->front.link,
                         buffer_slice(&b->doors_json), clock_mono_us());
            next.tv_sec++;
        }
        pthread_mutex_lock(&b->mutex);
    }
    pthread_mutex_unlock(&b->mutex);
    b->doors_report.due_us = 0;
    doors_report(&b->doors_report, b->front.link, slice_str(DOORS_GONE),
                 clock_mono_us());
    return NULL;
}

static void init_reporter(struct bridge *b)
{
    pthread_condattr_t attr;

    pthread_mutex_init(&b->mutex, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&b->asked, &attr);
    pthread_condattr_destroy(&attr);
}

static bool start_reporter(struct bridge *b)
{
    b->has_reporter = thread_start(&b->reporter, "reporter", reporter_main, b);
    return b->has_reporter;
}

static void stop_reporter(struct bridge *b)
{
    if (!b->has_reporter)
        return;
    pthread_mutex_lock(&b->mutex);
    b->stopping = true;
    pthread_cond_signal(&b->asked);
    pthread_mutex_unlock(&b->mutex);
    pthread_join(b->reporter, NULL);
}

/* ---- what the link tells: streams, and webhooks ---------------------------- */

static void on_message(void *arg, const struct link_message *m)
{
    struct bridge *b = arg;

    if (m->id == 0)
        webhook_watch_event(b->watch, m->topic);
    b->to_streams.on_message(b->to_streams.arg, m);
}

static void on_up(void *arg, uint64_t generation)
{
    struct bridge *b = arg;

    b->to_streams.on_up(b->to_streams.arg, generation);
}

static void on_down(void *arg)
{
    struct bridge *b = arg;

    b->to_streams.on_down(b->to_streams.arg);
}

static void on_subscribed(void *arg, struct slice filter, bool ok)
{
    struct bridge *b = arg;

    if (ok)
        webhook_watch_subscribed(b->watch, filter);
    b->to_streams.on_subscribed(b->to_streams.arg, filter, ok);
}

static bool start_link(struct bridge *b, const char *data_dir)
{
    char path[CONFIG_VALUE_MAX + sizeof(SOCKET_NAME) + 1];

    snprintf(path, sizeof(path), "%s/" SOCKET_NAME, data_dir);
    streams_link_opts(b->front.streams, &b->to_streams);
    const struct link_opts opts = {
        .socket_path = path,
        .arg = b,
        .on_message = on_message,
        .on_up = on_up,
        .on_down = on_down,
        .on_subscribed = on_subscribed,
    };
    if (!streams_keep(b->front.streams, slice_str(WATCH_FILTER)))
        return false;
    b->front.link = link_start(&opts);
    if (b->front.link == NULL)
        return false;
    streams_set_link(b->front.streams, b->front.link);
    webhook_saves_use(b->saves, b->front.link);
    tick_doors(b);
    return true;
}

/* ---- outgoing HTTP, webhooks ----------------------------------------------- */

static void on_outcome(void *arg, struct slice tenant, uint64_t id)
{
    struct bridge *b = arg;

    webhook_watch_outcome(b->watch, tenant, id);
}

static void wake_reporter(void *arg)
{
    struct bridge *b = arg;

    pthread_mutex_lock(&b->mutex);
    b->look = true;
    pthread_cond_signal(&b->asked);
    pthread_mutex_unlock(&b->mutex);
}

static bool make_webhooks(struct bridge *b, const char *data_dir)
{
    const struct config *config = b->front.config;

    b->saves = webhook_saves_new(on_outcome, b);
    if (b->saves == NULL)
        return false;
    const struct webhooks_opts opts = {
        .store = b->front.store,
        .events = webhook_saves_events(b->saves),
        .retry = {.first_ms = 1000 * (int64_t)config->webhooks_retry_first,
                  .max_ms = 1000 * (int64_t)config->webhooks_retry_max,
                  .retry_after_max_ms =
                      1000 * (int64_t)config->webhooks_retry_max,
                  .attempts = (unsigned)config->webhooks_attempts},
        .total_ms = 1000 * (uint32_t)config->webhooks_timeout,
    };
    b->webhooks = webhooks_new(&opts);
    if (b->webhooks == NULL)
        return false;
    b->watch = webhook_watch_new(&(struct webhook_watch_opts){
        .store = b->front.store,
        .webhooks = b->webhooks,
        .data_dir = data_dir,
        .wake = wake_reporter,
        .arg = b,
    });
    return b->watch != NULL;
}

static bool start_fetcher(struct bridge *b, struct config_error *ret_error)
{
    const struct config *config = b->front.config;
    struct address_policy policy;
    char text[FETCH_TEXT_MAX];

    cidr_list_parse(config->outgoing_allow, &policy.allow);
    const struct fetcher_opts opts = {
        .policy = &policy,
        .ca_file = config->outgoing_ca_file,
        .queue = config->outgoing_queue,
        .concurrent = (unsigned)config->outgoing_concurrent,
        .per_host = (unsigned)config->outgoing_per_host,
        .per_owner = (unsigned)config->outgoing_per_tenant,
        .arg = b->webhooks,
        .on_start = webhooks_on_start,
        .on_stop = webhooks_on_stop,
    };
    b->front.fetcher = fetcher_start(&opts, text);
    if (b->front.fetcher != NULL) {
        webhooks_use(b->webhooks, b->front.fetcher);
        return true;
    }
    snprintf(ret_error->text, sizeof(ret_error->text), "%s", text);
    return false;
}

static uint16_t configured_port(const char *listen)
{
    return (uint16_t)strtoul(strrchr(listen, ':') + 1, NULL, 10);
}

/* ---- doors --------------------------------------------------------------- */

/* A name that a door has paths for and that is not reserved would be given to somebody
 * whose paths the door then takes. */
static bool check_names(const struct door *door,
                        struct config_error *ret_error)
{
    for (const char *const *name = door->reserved;
         name != NULL && *name != NULL; name++)
        if (!name_is_reserved(slice_str(*name))) {
            snprintf(ret_error->text, sizeof(ret_error->text),
                     "door %s: base/reserved_name.h lacks %s", door->name,
                     *name);
            return false;
        }
    return true;
}

static const struct door_settings *settings_of(const struct config *config,
                                               size_t which)
{
    static const struct door_settings always;
    const size_t at = doors[which].settings;

    return at == ALWAYS ? &always : (const void *)((const char *)config + at);
}

/* Which door is where, and their sockets: first of all, so that a port in use is
 * reported before anything else happens. */
static bool bind_places(struct bridge *b, const struct config *config,
                        struct config_error *ret_error)
{
    b->http = http_bind("http.listen", config->http_listen,
                        (unsigned)config->http_workers, ret_error);
    if (b->http == NULL)
        return false;
    b->places[b->place_count++].listen = config->http_listen;
    for (size_t i = 0; i < DOOR_COUNT; i++) {
        const struct door_settings *s = settings_of(config, i);
        char key[2 * CONFIG_NAME_MAX];
        b->place_of[i] = s->enabled == DOOR_DISABLED ? PLACE_COUNT : 0;
        if (s->enabled == DOOR_DISABLED || s->listen[0] == '\0')
            continue;
        snprintf(key, sizeof(key), "door:%s.listen", doors[i].door->name);
        if (!http_bind_another(b->http, key, s->listen, ret_error))
            return false;
        b->place_of[i] = b->place_count;
        b->places[b->place_count++].listen = s->listen;
    }
    return true;
}

static bool mount_door(struct bridge *b, size_t which)
{
    if (b->place_of[which] == PLACE_COUNT)
        return true;
    struct door_place *p = &b->places[b->place_of[which]];
    struct mount *m = &p->mounts[p->mount_count];
    *m = (struct mount){
        .door = doors[which].door,
        .prefix = settings_of(b->front.config, which)->prefix,
        .is_alone = b->place_of[which] != 0,
    };
    p->mount_count++;
    return m->door->start == NULL || m->door->start(&b->front, &m->state);
}

static bool mount_doors(struct bridge *b, struct config_error *ret_error)
{
    for (size_t i = 0; i < DOOR_COUNT; i++)
        if (!check_names(doors[i].door, ret_error) || !mount_door(b, i))
            return false;
    for (size_t i = 0; i < b->place_count; i++) {
        struct door_place *p = &b->places[i];
        p->router =
            router_new(&b->front, p->mounts, p->mount_count, ret_error);
        if (p->router == NULL)
            return false;
    }
    return true;
}

static void stop_doors(struct bridge *b)
{
    for (size_t i = 0; i < b->place_count; i++) {
        struct door_place *p = &b->places[i];
        router_free(p->router);
        for (size_t k = 0; k < p->mount_count; k++)
            if (p->mounts[k].door->stop != NULL)
                p->mounts[k].door->stop(p->mounts[k].state);
    }
}

static bool start_http(struct bridge *b, const struct bridge_opts *opts,
                       struct config_error *ret_error)
{
    struct http_handler handlers[PLACE_COUNT];
    struct address_list proxies = {0};
    struct slice bad; /* none: config_finish() has looked */

    (void)address_list_add(&proxies,
                           slice_str(opts->config->http_trusted_proxies),
                           &bad);
    http_trust(b->http, &proxies,
               opts->config->http_proxy_protocol == SWITCH_ON);
    for (size_t i = 0; i < b->place_count; i++)
        handlers[i] = router_handler(b->places[i].router);
    return http_start(b->http, opts->config, handlers, opts->budget,
                      ret_error);
}

/* {"thingschat":{"address":"127.0.0.1:8080","prefix":"/iot"},"rooms":null} */
static bool write_doors(struct bridge *b)
{
    struct json_writer w = json_writer_of(&b->doors_json);
    char address[CONFIG_VALUE_MAX + 8];

    json_object(&w);
    for (size_t i = 0; i < DOOR_COUNT; i++) {
        const struct bridge_door d = bridge_door(b, i);
        json_name_literal(&w, d.name, strlen(d.name));
        if (d.listen == NULL) {
            json_null(&w);
            continue;
        }
        const int host = (int)(strrchr(d.listen, ':') - d.listen);
        snprintf(address, sizeof(address), "%.*s:%u", host, d.listen,
                 (unsigned)d.port);
        json_object(&w);
        json_member_text(&w, "address", address);
        json_member_text(&w, "prefix", d.prefix);
        json_object_end(&w);
    }
    json_object_end(&w);
    return buffer_ok(&b->doors_json);
}

size_t bridge_door_count(void)
{
    return DOOR_COUNT;
}

struct bridge_door bridge_door(const struct bridge *b, size_t which)
{
    const size_t place = b->place_of[which];
    struct bridge_door d = {.name = doors[which].door->name};

    if (place == PLACE_COUNT)
        return d;
    d.listen = b->places[place].listen;
    d.port = http_listener_port(b->http, (unsigned)place);
    d.prefix = settings_of(b->front.config, which)->prefix;
    d.is_alone = place != 0;
    return d;
}

/* ---- start and end ------------------------------------------------------- */

bool bridge_start(const struct bridge_opts *opts, struct bridge **ret_bridge,
                  struct config_error *ret_error)
{
    struct bridge *b = calloc(1, sizeof(*b));

    static const char no_memory[] = "bridge: out of memory or threads";
    memcpy(ret_error->text, no_memory, sizeof(no_memory));
    if (b == NULL || sodium_init() < 0) {
        free(b);
        return false;
    }
    trace_declare_bridge();
    struct front *f = &b->front;
    if (!bind_places(b, opts->config, ret_error)) {
        http_stop(b->http);
        free(b);
        return false;
    }
    snprintf(b->clients_path, sizeof(b->clients_path), "%s/" CLIENTS_NAME,
             opts->data_dir);
    f->clients_path = b->clients_path;
    f->config = opts->config;
    init_reporter(b);
    f->store = opts->store;
    f->started_us = clock_mono_us();
    f->mqtt_port = opts->mqtt_port != 0
                       ? opts->mqtt_port
                       : configured_port(opts->config->mqtt_listen);
    memcpy(ret_error->text, no_memory, sizeof(no_memory));
    f->reads = reads_new();
    f->callers = callers_new();
    f->jwts = jwt_memo_new(JWT_MEMO_ENTRIES, JWT_MEMO_BYTES);
    f->key_uses = key_uses_new();
    f->streams = streams_start(opts->config, opts->store, opts->budget,
                               (unsigned)opts->config->http_streamers);
    if (f->reads == NULL || f->callers == NULL || f->jwts == NULL ||
        f->key_uses == NULL || f->streams == NULL ||
        !make_webhooks(b, opts->data_dir) || !start_fetcher(b, ret_error) ||
        !mount_doors(b, ret_error) || !write_doors(b) ||
        !start_link(b, opts->data_dir) || !start_reporter(b)) {
        bridge_stop(b);
        return false;
    }
    if (!start_http(b, opts, ret_error)) {
        bridge_stop(b);
        return false;
    }
    *ret_bridge = b;
    return true;
}

uint16_t bridge_http_port(const struct bridge *b)
{
    return http_port(b->http);
}

bool bridge_link_up(const struct bridge *b)
{
    return link_is_up(b->front.link);
}

void bridge_dump_state(struct bridge *b)
{
    link_dump(b->front.link);
    streams_dump(b->front.streams);
    http_dump(b->http);
    fetcher_dump(b->front.fetcher);
}

void bridge_stop(struct bridge *b)
{
    if (b == NULL)
        return;
    struct front *f = &b->front;
    if (b->http != NULL) {
        const int64_t until = clock_mono_us() + DRAIN_US;
        http_quiesce(b->http);
        while (http_pending(b->http) > 0 && clock_mono_us() < until)
            usleep(5000);
    }
    halt_doors(b);
    if (f->streams != NULL)
        streams_stop(f->streams);
    stop_reporter(b);         /* reports the last reads */
    fetcher_stop(f->fetcher); /* webhooks tell where they are */
    if (f->link != NULL && b->saves != NULL && link_is_up(f->link))
        webhook_saves_finish(b->saves, LINK_GRACE_MS);
    if (f->link != NULL)
        link_stop(f->link, LINK_GRACE_MS); /* answers suspended requests */
    http_stop(b->http); /* no thread can call the others after this */
    streams_free(f->streams);
    link_free(f->link);
    webhooks_free(b->webhooks);
    fetcher_free(f->fetcher);
    webhook_saves_free(b->saves);
    webhook_watch_free(b->watch);
    reads_free(f->reads);
    jwt_memo_free(f->jwts);
    callers_free(f->callers);
    key_uses_free(f->key_uses);
    stop_doors(b);
    buffer_release(&b->doors_json);
    pthread_cond_destroy(&b->asked);
    pthread_mutex_destroy(&b->mutex);
    free(b);
}
