#include "broker/broker.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/callers.h"
#include "base/clock.h"
#include "base/jwt_memo.h"
#include "base/log.h"
#include "base/net/client_addresses.h"
#include "base/net/connection_budget.h"
#include "base/net/handover.h"
#include "base/net/listen.h"
#include "base/reserved_name.h"
#include "base/thread.h"
#include "base/vocabulary.h"
#include "broker/accept/listener.h"
#include "broker/accept/make_room.h"
#include "broker/admin/admin.h"
#include "broker/admin/status.h"
#include "broker/admin/sys.h"
#include "broker/client/hub.h"
#include "broker/client/token_connections.h"
#include "broker/session/will.h"
#include "broker/state_dump.h"
#include "broker/worker.h"

#define AREA "broker"
#define DESCRIPTORS_KEPT 128 /* not for clients: store, sockets, HTTP */
#define DRAIN_US 2000000     /* time for what is in flight at shutdown */
#define POLL_NS 2000000
#define WORKERS_MAX 256 /* of mqtt.workers */

/* The sockets opened for one listen setting: a host name may have several
 * addresses. */
struct addresses {
    int fds[LISTENERS_MAX];
    size_t count;
    uint16_t port;
};

struct broker {
    struct hub hub;
    struct sys_sampler sampler;
    char *data_dir;
    int64_t started_us;
    struct addresses mqtt, mqtts;
    int local_fd, clients_fd; /* -1: none */
    struct connection_budget own_budget;
    struct metrics *metrics;
    pthread_mutex_t doors_mutex; /* guards the next two */
    struct buffer doors;         /* what the bridge last said */
    int64_t doors_us;            /* when; monotonic */
};

static void sample_figures(void *arg, uint64_t *values);

static bool start_failed(struct config_error *ret_error, const char *text)
{
    snprintf(ret_error->text, sizeof(ret_error->text), "broker: %s", text);
    return false;
}

static void put_status(void *arg, struct buffer *out)
{
    broker_status_json(arg, out);
}

static void keep_doors(void *arg, struct slice json)
{
    struct broker *b = arg;

    pthread_mutex_lock(&b->doors_mutex);
    buffer_clear(&b->doors);
    buffer_put_slice(&b->doors, json);
    b->doors_us = clock_mono_us();
    pthread_mutex_unlock(&b->doors_mutex);
}

static void write_doors(struct broker *b, struct json_writer *w)
{
    pthread_mutex_lock(&b->doors_mutex);
    if (b->doors.len > sizeof("{}") - 1 && buffer_ok(&b->doors) &&
        clock_mono_us() - b->doors_us < DOORS_TOLD_US) {
        json_name(w, "doors");
        json_raw(w, buffer_slice(&b->doors));
    }
    pthread_mutex_unlock(&b->doors_mutex);
}

static void on_batch(void *arg, struct batch *batch)
{
    struct hub *hub = arg;

    for (unsigned i = 0; i <= hub->count; i++)
        worker_offer(hub->workers[i], batch);
}

static uint64_t connection_limit(const struct config *config)
{
    struct rlimit files;

    if (config->limits_connections != 0)
        return config->limits_connections;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 ||
        files.rlim_cur <= 2 * DESCRIPTORS_KEPT)
        return DESCRIPTORS_KEPT;
    return files.rlim_cur - DESCRIPTORS_KEPT;
}

static unsigned worker_count(const struct config *config)
{
    if (config->mqtt_workers != 0)
        return (unsigned)config->mqtt_workers;
    const unsigned wanted = thread_cores_for_many();
    return wanted < WORKERS_MAX ? wanted : WORKERS_MAX;
}

/* ---- starting ----------------------------------------------------------- */

static bool make_workers(struct broker *b, struct config_error *ret_error)
{
    struct hub *hub = &b->hub;
    struct store_stats stats;

    const enum store_err err = store_stats(hub->store, &stats);
    if (err != STORE_OK)
        return start_failed(ret_error, store_strerror(err));
    hub->token_connections = token_connections_new();
    hub->callers = callers_new();
    hub->jwts = jwt_memo_new(JWT_MEMO_ENTRIES, JWT_MEMO_BYTES);
    hub->workers = calloc(hub->count + 1, sizeof(struct worker *));
    if (hub->token_connections == NULL || hub->callers == NULL ||
        hub->jwts == NULL || hub->workers == NULL)
        return start_failed(ret_error, "out of memory");
    for (unsigned i = 0; i <= hub->count; i++) {
        hub->workers[i] = worker_new(hub, i, stats.head);
        if (hub->workers[i] == NULL)
            return start_failed(ret_error, "out of memory");
    }
    return true;
}

static bool open_addresses(struct addresses *a, const char *key,
                           const char *listen, struct config_error *ret_error)
{
    return listen_open(key, listen, a->fds, LISTENERS_MAX, &a->count, &a->port,
                       ret_error);
}

static bool open_tls(struct broker *b, struct config_error *ret_error)
{
    const struct config *config = b->hub.config;

    if (config->mqtt_tls_listen[0] == '\0')
        return true;
    struct tls_context *context = tls_context_load(config, ret_error);
    if (context == NULL)
        return false;
    tls_current_set(&b->hub.tls, context);
    return open_addresses(&b->mqtts, "mqtt.tls_listen",
                          config->mqtt_tls_listen, ret_error);
}

static void listen_on(struct worker *w, const struct addresses *a,
                      enum listener_kind kind)
{
    for (size_t i = 0; i < a->count; i++)
        listeners_add(w, a->fds[i], kind);
}

static bool open_listeners(struct broker *b, struct config_error *ret_error)
{
    struct hub *hub = &b->hub;

    if (!open_addresses(&b->mqtt, "mqtt.listen", hub->config->mqtt_listen,
                        ret_error) ||
        !open_tls(b, ret_error) ||
        !listener_open_local(b->data_dir, SOCKET_NAME, SOCK_STREAM,
                             &b->local_fd, ret_error) ||
        !listener_open_local(b->data_dir, CLIENTS_NAME, HANDOVER_SOCKET_TYPE,
                             &b->clients_fd, ret_error))
        return false;
    for (unsigned i = 0; i < hub->count; i++) {
        listen_on(hub->workers[i], &b->mqtt, LISTEN_PLAIN);
        listen_on(hub->workers[i], &b->mqtts, LISTEN_TLS);
        listeners_add(hub->workers[i], b->clients_fd, LISTEN_HANDOVER);
    }
    listeners_add(hub->workers[hub->count], b->local_fd, LISTEN_LOCAL);
    return true;
}

static bool start_writer(struct broker *b, struct config_error *ret_error)
{
    struct hub *hub = &b->hub;
    const struct writer_opts opts = {
        .config = hub->config,
        .commands = command_types,
        .on_batch = on_batch,
        .arg = hub,
        .queue_bound = (size_t)WORKER_COMMANDS_MAX * (hub->count + 1),
    };

    const enum store_err err = writer_start(hub->store, &opts, &hub->writer);
    return err == STORE_OK || start_failed(ret_error, store_strerror(err));
}

static bool start_workers(struct broker *b, struct config_error *ret_error)
{
    struct hub *hub = &b->hub;

    for (unsigned i = 0; i <= hub->count; i++)
        if (!worker_start(hub->workers[i]))
            return start_failed(ret_error, "cannot start a thread");
    return true;
}

/* Call it after the writer has ended the sessions of the last run. */
static bool load_wills(struct broker *b, struct config_error *ret_error)
{
    return wills_load(&b->hub) ||
           start_failed(ret_error, "cannot read the sessions");
}

static bool first_sample(struct broker *b)
{
    if (b->hub.config->mqtt_sys_interval > 0)
        sys_sample(&b->hub, clock_mono_us());
    return true;
}

/* Names that were given before they were reserved, or by MQTT clients in open mode. */
static void warn_reserved_names(struct store *store)
{
    static const char *const names[] = {
#define X(name) name,
        RESERVED_NAMES(X)
#undef X
    };
    struct buffer found = BUFFER_INIT;
    struct store_reader *r;
    struct token_row row;

    if (store_snapshot(store, &r) != STORE_OK)
        return; /* what needs the store says so */
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (store_token(r, slice_str(names[i]), &row) != STORE_OK ||
            row.revoked_us != 0)
            continue;
        buffer_put_str(&found, found.len > 0 ? ", " : "");
        buffer_put_str(&found, names[i]);
    }
    store_reader_release(r);
    if (found.len > 0 && buffer_ok(&found))
        log_warn(AREA,
                 "tokens or tenants have names that are reserved for paths of "
                 "HTTP APIs: %.*s. They work where no API has such a path; "
                 "over HTTP the API's paths win. Give their clients another "
                 "name",
                 (int)found.len, (const char *)found.data);
    buffer_release(&found);
}

static bool start_all(struct broker *b, struct config_error *ret_error)
{
    return make_workers(b, ret_error) && open_listeners(b, ret_error) &&
           start_writer(b, ret_error) && load_wills(b, ret_error) &&
           first_sample(b) && start_workers(b, ret_error);
}

/* config_finish() has seen that they are addresses. */
static void trust_proxies(struct hub *hub, const struct config *c)
{
    struct slice bad;

    (void)address_list_add(&hub->mqtt_proxies,
                           slice_str(c->mqtt_trusted_proxies), &bad);
    hub->all_proxies = hub->mqtt_proxies;
    (void)address_list_add(&hub->all_proxies,
                           slice_str(c->http_trusted_proxies), &bad);
}

bool broker_start(const struct config *config, struct store *store,
                  const struct broker_opts *opts, struct broker **ret_broker,
                  struct config_error *ret_error)
{
    struct broker *b = calloc(1, sizeof(*b));

    if (b == NULL)
        return start_failed(ret_error, "out of memory");
    b->local_fd = b->clients_fd = -1;
    pthread_mutex_init(&b->doors_mutex, NULL);
    tls_current_init(&b->hub.tls);
    b->started_us = clock_mono_us();
    b->data_dir = strdup(opts->data_dir);
    b->hub.config = config;
    b->hub.store = store;
    b->hub.count = worker_count(config);
    connection_budget_init(&b->own_budget, connection_limit(config));
    b->hub.budget = opts->budget != NULL ? opts->budget : &b->own_budget;
    trust_proxies(&b->hub, config);
    b->hub.commands = &admin_commands;
    b->hub.status = put_status;
    b->hub.tell_doors = keep_doors;
    b->hub.arg = b;
    if (!sys_init(&b->sampler, &b->hub, b->started_us)) {
        free(b->data_dir);
        free(b);
        return start_failed(ret_error, "out of memory");
    }
    b->hub.strangers = client_addresses_new();
    b->metrics = figures_registry(sample_figures, b);
    const bool good =
        b->data_dir == NULL || b->hub.strangers == NULL || b->metrics == NULL
            ? start_failed(ret_error, "out of memory")
            : start_all(b, ret_error);
    if (!good) {
        broker_stop(b);
        return false;
    }
    warn_reserved_names(store);
    connection_budget_set_make_mqtt_room(b->hub.budget, make_room_for_another,
                                         &b->hub);
    *ret_broker = b;
    return true;
}

uint16_t broker_mqtt_port(const struct broker *b)
{
    return b->mqtt.port;
}

uint16_t broker_mqtts_port(const struct broker *b)
{
    return b->mqtts.port;
}

enum broker_reload broker_reload(struct broker *b,
                                 struct config_error *ret_error)
{
    if (b->mqtts.count == 0)
        return BROKER_NOTHING_TO_RELOAD;
    struct tls_context *context = tls_context_load(b->hub.config, ret_error);
    if (context == NULL)
        return BROKER_RELOAD_FAILED;
    tls_current_set(&b->hub.tls, context);
    return BROKER_RELOADED;
}

static void sample_figures(void *arg, uint64_t *values)
{
    const struct broker *b = arg;

    figures_read(&b->hub, values);
    values[FIGURE_uptime] =
        (uint64_t)(clock_mono_us() - b->started_us) / 1000000;
    values[FIGURE_mqtt_port] = b->mqtt.port;
}

struct metrics *broker_metrics(const struct broker *b)
{
    return b->metrics;
}

void broker_status_json(struct broker *b, struct buffer *out)
{
    struct json_writer w = json_writer_of(out);

    json_object(&w);
    metrics_put_json(b->metrics, &w);
    write_doors(b, &w);
    json_object_end(&w);
}

void broker_dump_state(struct broker *b)
{
    const struct hub *hub = &b->hub;

    state_dump(&b->hub);
    for (unsigned i = 0; i <= hub->count; i++)
        worker_wake(hub->workers[i]);
}

bool broker_is_alive(struct broker *b)
{
    struct hub *hub = &b->hub;
    const uint64_t asked = atomic_load(&hub->liveness_round);
    bool alive = writer_is_alive(hub->writer) || asked == 0;

    for (unsigned i = 0; i <= hub->count; i++)
        alive &= atomic_load(&hub->workers[i]->liveness_round) == asked;
    atomic_store(&hub->liveness_round, asked + 1);
    for (unsigned i = 0; i <= hub->count; i++)
        worker_wake(hub->workers[i]);
    return alive;
}

/* ---- stopping ----------------------------------------------------------- */

static void enter_phase(struct hub *hub, enum hub_phase phase)
{
    atomic_store(&hub->phase, phase);
    for (unsigned i = 0; hub->workers != NULL && i <= hub->count; i++)
        if (hub->workers[i] != NULL)
            worker_wake(hub->workers[i]);
}

static void await_quiet(struct hub *hub)
{
    const int64_t deadline_us = clock_mono_us() + DRAIN_US;
    const struct timespec moment = {0, POLL_NS};

    while (atomic_load(&hub->busy) > 0 && clock_mono_us() < deadline_us)
        nanosleep(&moment, NULL);
    if (atomic_load(&hub->busy) > 0)
        log_warn("broker", "stopping although the store is still busy");
}

static unsigned started_count(const struct hub *hub)
{
    unsigned n = 0;

    for (unsigned i = 0; hub->workers != NULL && i <= hub->count; i++)
        n += hub->workers[i] != NULL && hub->workers[i]->started;
    return n;
}

static void end_workers(struct hub *hub)
{
    for (unsigned i = 0; hub->workers != NULL && i <= hub->count; i++)
        if (hub->workers[i] != NULL)
            worker_join(hub->workers[i]);
    for (unsigned i = 0; hub->workers != NULL && i <= hub->count; i++)
        worker_free(hub->workers[i]);
    free(hub->workers);
}

static void close_addresses(const struct addresses *a)
{
    for (size_t i = 0; i < a->count; i++)
        close(a->fds[i]);
}

static void close_local(const struct broker *b, int fd, const char *name)
{
    if (fd < 0)
        return;
    close(fd);
    listener_remove_local(b->data_dir, name);
}

/* Also stops a broker whose start failed halfway. */
void broker_stop(struct broker *b)
{
    if (b == NULL)
        return;
    struct hub *hub = &b->hub;

    connection_budget_set_make_mqtt_room(hub->budget, NULL, NULL);
    atomic_store(&hub->busy, started_count(hub));
    enter_phase(hub, HUB_DRAINING);
    await_quiet(hub);
    if (hub->writer != NULL)
        writer_stop(hub->writer);
    enter_phase(hub, HUB_CLOSING);
    end_workers(hub);
    writer_free(hub->writer);
    token_connections_free(hub->token_connections);
    jwt_memo_free(hub->jwts);
    callers_free(hub->callers);
    client_addresses_free(hub->strangers);
    metrics_free(b->metrics);
    close_addresses(&b->mqtt);
    close_addresses(&b->mqtts);
    close_local(b, b->local_fd, SOCKET_NAME);
    close_local(b, b->clients_fd, CLIENTS_NAME);
    tls_current_release(&hub->tls);
    sys_release(&b->sampler);
    connection_budget_release(&b->own_budget);
    buffer_release(&b->doors);
    pthread_mutex_destroy(&b->doors_mutex);
    free(b->data_dir);
    free(b);
}
